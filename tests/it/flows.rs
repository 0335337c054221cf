//! Each way to a token, against a strict identity provider on a socket.

use std::sync::Arc;
use std::time::Duration;

use keywheel::accounts::Refresher;
use keywheel::accounts::refresh::code::Page;
use keywheel::accounts::refresh::login::LoginError;
use keywheel::accounts::refresh::{By, Parts, Why, plan};
use keywheel::config::{self, Account, Live, Oauth};
use keywheel::gateway::Courier;
use keywheel::kit::{Clock, Fault, Kind, Secret};
use keywheel::redact::Known;
use keywheel::sim::Idp;
use keywheel::sim::idp::{Client, Rotation, Setup};
use keywheel::vault::{Item, ItemKind, Memory, Source, Vault};
use ring::signature::RsaKeyPair;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

const SECRET: &str = "client-secret-c0ffee-c0ffee";
const PEM: &str = include_str!("flows/service_account.pem");
const STRANGER: &str = include_str!("flows/stranger.pem");
const EMAIL: &str = "robot@project.example.com";

/// An account of one identity provider, and what renews its tokens.
struct Flow {
    idp: Idp,
    vault: Memory,
    refresher: Refresher,
    account: Arc<Account>,
    oauth: Arc<Oauth>,
}

impl Flow {
    /// `{idp}` in the lines stands for the identity provider's address.
    fn new(setup: Setup, oauth: &str) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let idp = Idp::start(setup).unwrap();
        let text = format!(
            "[providers.lab]\nadapter = 'openai'\nbase_url = 'http://127.0.0.1:9/v1'\n\
             [[accounts]]\nid = 'a'\nprovider = 'lab'\n[accounts.oauth]\n{}",
            oauth.replace("{idp}", &idp.origin())
        );
        let settings = config::parse(&text).unwrap_or_else(|problems| panic!("{problems}"));
        let account = Arc::clone(&settings.accounts[0]);
        let clock = Clock::system();
        let exchange = Arc::new(Courier::new(Live::new(settings), Arc::new(Known::default()), clock.clone()));
        let variables = |name: &str| (name == "CLIENT_SECRET").then(|| SECRET.to_owned());
        let source = Arc::new(Source::new(variables, clock.clone()));
        let vault = Memory::default();
        let parts = Parts { vault: Arc::new(vault.clone()), source, exchange, clock, pool: None };
        let oauth = account.oauth.clone().expect("a grant");
        Self { idp, vault, refresher: Refresher::new(parts), account, oauth }
    }

    async fn token(&self) -> Result<String, Fault> {
        self.refresher.token(&self.account, &self.oauth).await.map(|token| token.expose().to_owned())
    }

    async fn words(&self) -> String {
        self.token().await.unwrap_err().message.into_owned()
    }

    async fn log_in(&self, by: By) -> Result<(), LoginError> {
        self.refresher.log_in(&self.account, &self.oauth, by).await.map(drop)
    }

    /// What a browser would be sent back to.
    async fn browse(&self, page: &Page) -> (u16, String) {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let answer = client.get(&page.url).send().await.unwrap();
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (answer.status().as_u16(), to.unwrap_or_default())
    }
}

fn confidential(basic: bool) -> Setup {
    let client = Client { id: "keywheel-test".into(), secret: Some(SECRET.into()), basic };
    Setup { client, scope: Some("https://ai.example.com/.default".into()), ..Setup::default() }
}

const CREDENTIALS: &str = "grant = 'client_credentials'\ntoken_url = '{idp}/token'\nclient_id = 'keywheel-test'\n\
     client_secret = { env = 'CLIENT_SECRET' }\nscope = 'https://ai.example.com/.default'\n";

#[tokio::test]
async fn client_credentials_get_a_token_in_either_style_and_again_when_it_is_refused() {
    for (basic, style) in [(false, "post"), (true, "basic")] {
        let flow = Flow::new(confidential(basic), &format!("{CREDENTIALS}style = '{style}'"));
        let first = flow.token().await.unwrap();
        assert!(first.contains("access-client"), "{style}: {first}");
        assert_eq!(flow.token().await.unwrap(), first, "kept");
        let next = flow.refresher.renewed(&flow.account, &flow.oauth, &Secret::new(first.clone())).await.unwrap();
        assert_ne!(next.expose(), first);
        assert_eq!(flow.idp.asked().len(), 2);
        assert!(flow.vault.list().unwrap().is_empty(), "what can be had at any time is not kept on the disk");
    }
}

#[tokio::test]
async fn a_wrong_client_is_told_in_words_and_never_asked_to_log_in() {
    for errors_in_200 in [false, true] {
        let flow = Flow::new(Setup { errors_in_200, ..confidential(true) }, CREDENTIALS);
        let fault = flow.token().await.unwrap_err();
        assert_eq!(fault.kind, Kind::StaleToken(Duration::from_secs(5)), "{fault}");
        assert!(fault.message.contains("invalid_client"), "{fault}");
        assert!(!fault.message.contains(SECRET), "{fault}");
    }
    let scope = CREDENTIALS.replace("ai.example.com", "other.example.com");
    assert!(Flow::new(confidential(false), &scope).words().await.contains("invalid_scope"));
}

const REFRESH: &str = "grant = 'refresh_token'\ntoken_url = '{idp}/token'\nclient_id = 'keywheel-test'\n";

#[tokio::test]
async fn a_refresh_token_that_is_brought_rotates_or_stays_as_the_identity_provider_wants() {
    for rotation in [Rotation::Rotate, Rotation::Keep] {
        let flow = Flow::new(Setup { rotation, errors_in_200: true, ..Setup::default() }, REFRESH);
        let (_, refresh) = flow.idp.login("a");
        flow.refresher.bring(&flow.account, Item::key(Secret::new(refresh.clone()))).await.unwrap();
        let first = flow.token().await.unwrap();
        let kept = flow.vault.get("a").unwrap().unwrap();
        assert_eq!(kept.kind, ItemKind::Token);
        assert_eq!(kept.refresh.unwrap().expose() == refresh, rotation == Rotation::Keep, "{rotation:?}");
        let next = flow.refresher.renewed(&flow.account, &flow.oauth, &Secret::new(first.clone())).await.unwrap();
        assert_ne!(next.expose(), first);
        assert!(!flow.idp.revoked("a"), "{rotation:?}");
    }
}

#[tokio::test]
async fn a_reused_refresh_token_inside_http_200_is_seen_as_what_it_is() {
    let flow = Flow::new(Setup { errors_in_200: true, ..Setup::default() }, REFRESH);
    let (_, refresh) = flow.idp.login("a");
    flow.refresher.bring(&flow.account, Item::key(Secret::new(refresh.clone()))).await.unwrap();
    flow.token().await.unwrap();
    flow.refresher.bring(&flow.account, Item::key(Secret::new(refresh.clone()))).await.unwrap();
    let fault = flow.token().await.unwrap_err();
    assert_eq!(fault.kind, Kind::NeedsLogin);
    assert!(fault.message.contains("invalid_grant") && fault.message.contains("used before"), "{fault}");
    assert!(flow.idp.revoked("a") && !fault.message.contains(&refresh), "{fault}");
}

const DEVICE: &str = "grant = 'device_code'\ntoken_url = '{idp}/token'\ndevice_url = '{idp}/device'\n\
     client_id = 'keywheel-test'\nscope = 'models.use'\nlogin_scope = 'offline_access'\n";

fn devices() -> Setup {
    Setup { scope: Some("models.use offline_access".into()), interval: 1, errors_in_200: true, ..Setup::default() }
}

async fn why(flow: &Flow, code: &Secret) -> Why {
    match flow.log_in(By::Device(code.clone())).await {
        Err(LoginError::Refused(refusal)) => refusal.why,
        other => panic!("{:?}", other.map_err(|error| error.to_string())),
    }
}

#[tokio::test]
async fn a_device_is_told_to_wait_and_to_slow_down_before_it_is_let_in() {
    let flow = Flow::new(devices(), DEVICE);
    let device = flow.refresher.device(&flow.account).await.unwrap();
    assert_eq!(device.interval, Duration::from_secs(1));
    assert!(device.url.ends_with("/activate") && device.complete_url.unwrap().ends_with(&device.user_code));
    assert_eq!(why(&flow, &device.code).await, Why::Pending);
    let slow = why(&flow, &device.code).await;
    assert_eq!(slow, Why::SlowDown(Some(Duration::from_secs(2))), "it came too soon");
    let interval = plan::poll(device.interval, slow).unwrap();
    flow.idp.approve(&device.user_code);
    tokio::time::sleep(interval).await;
    flow.log_in(By::Device(device.code.clone())).await.unwrap();
    assert!(flow.token().await.unwrap().contains("access-device"));
    tokio::time::sleep(interval).await;
    assert_eq!(why(&flow, &device.code).await, Why::Grant, "a code is good once");
    // the login renews itself from here on
    let first = Secret::new(flow.token().await.unwrap());
    flow.refresher.renewed(&flow.account, &flow.oauth, &first).await.unwrap();
    assert_eq!(flow.idp.refreshed(), 1);
}

#[tokio::test]
async fn a_person_may_decline_on_the_device() {
    let flow = Flow::new(devices(), DEVICE);
    let device = flow.refresher.device(&flow.account).await.unwrap();
    flow.idp.decline(&device.user_code);
    assert_eq!(why(&flow, &device.code).await, Why::Declined);
    assert!(flow.vault.list().unwrap().is_empty());
}

const CODE: &str = "grant = 'authorization_code'\ntoken_url = '{idp}/token'\nauthorize_url = '{idp}/authorize'\n\
     client_id = 'keywheel-test'\n";
const BACK: &str = "http://127.0.0.1:1/callback";

#[tokio::test]
async fn a_login_page_gives_a_code_for_which_only_the_right_verifier_gets_tokens() {
    let flow = Flow::new(Setup::default(), CODE);
    let page = Page::new(&flow.oauth, BACK).unwrap();
    let (status, came) = flow.browse(&page).await;
    assert!(status == 302 && came.starts_with(&format!("{BACK}?code=")), "{status} {came}");
    let by = page.answer(&Secret::new(came)).unwrap();
    flow.log_in(by.clone()).await.unwrap();
    assert!(flow.token().await.unwrap().contains("access-code"));
    let again = flow.log_in(by).await.unwrap_err().to_string();
    assert!(again.contains("invalid_grant"), "a code is good once: {again}");

    let page = Page::new(&flow.oauth, BACK).unwrap();
    let (_, came) = flow.browse(&page).await;
    let By::Code { code, redirect, .. } = page.answer(&Secret::new(came)).unwrap() else { panic!("a code") };
    let verifier = Secret::new("x".repeat(43));
    let wrong = flow.log_in(By::Code { code, verifier, redirect }).await.unwrap_err().to_string();
    assert!(wrong.contains("code_verifier does not match"), "{wrong}");
}

#[tokio::test]
async fn a_wrong_state_is_refused_before_anything_is_asked() {
    let flow = Flow::new(Setup { wrong_state: true, ..Setup::default() }, CODE);
    let page = Page::new(&flow.oauth, BACK).unwrap();
    let (_, came) = flow.browse(&page).await;
    let refused = page.answer(&Secret::new(came)).err().unwrap();
    assert!(refused.message.contains("belongs to another login"), "{refused}");
    for came in ["", "code=x", "http://127.0.0.1:1/callback?code=x&state=", "error=access_denied"] {
        let page = Page::new(&flow.oauth, BACK).unwrap();
        assert!(page.answer(&Secret::new(came)).err().unwrap().message.contains("another login"), "{came}");
    }
    assert!(flow.idp.asked().is_empty());
}

const MACHINE: &str = "grant = 'managed_identity'\ntoken_url = '{idp}/metadata/identity/oauth2/token'\nscope = 'https://ai.example.com/.default'\n";

#[tokio::test]
async fn a_machines_identity_is_asked_with_its_header_and_by_its_schedule() {
    let flow = Flow::new(Setup { machine_fails: vec![404, 503], ..Setup::default() }, MACHINE);
    let began = std::time::Instant::now();
    assert!(flow.token().await.unwrap().contains("access-machine"));
    let asked = flow.idp.asked();
    assert_eq!(asked.len(), 3, "at once, then after 1.6 s");
    assert!(asked.iter().all(|asked| asked.with == "https://ai.example.com"), "{asked:?}");
    assert!(began.elapsed() >= Duration::from_millis(1600));
    let none = Flow::new(Setup { machine_fails: vec![400], ..Setup::default() }, MACHINE);
    assert!(none.token().await.is_err(), "this machine has no identity");
    assert_eq!(none.idp.asked().len(), 1, "400 is an answer");
}

#[tokio::test]
async fn a_machines_token_that_has_expired_on_arrival_is_told_as_a_wrong_clock() {
    let flow = Flow::new(Setup { skew: -7200, ..Setup::default() }, MACHINE);
    let words = flow.words().await;
    assert!(words.contains("has expired by this machine's clock"), "{words}");
    assert!(words.contains("s ahead of the identity provider's"), "{words}");
}

fn document(pem: &str, email: &str, idp: &str) -> String {
    serde_json::json!({"type": "service_account", "client_email": email, "private_key": pem,
        "private_key_id": "k1", "token_uri": format!("{idp}/token")})
    .to_string()
}

fn robots() -> Setup {
    let der = PrivatePkcs8KeyDer::from_pem_slice(PEM.as_bytes()).unwrap();
    let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    Setup { service_account: Some((EMAIL.into(), pair.public().as_ref().to_vec())), ..Setup::default() }
}

/// A service account whose document comes from a variable.
async fn robot(setup: Setup, pem: &str, email: &str) -> Result<String, Fault> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let idp = Idp::start(setup).unwrap();
    let text = "[providers.lab]\nadapter = 'openai'\nbase_url = 'http://127.0.0.1:9/v1'\n\
         [[accounts]]\nid = 'a'\nprovider = 'lab'\nsecret = { env = 'DOCUMENT' }\n\
         oauth = { grant = 'service_account', scope = 'cloud' }\n";
    let settings = config::parse(text).unwrap_or_else(|problems| panic!("{problems}"));
    let account = Arc::clone(&settings.accounts[0]);
    let clock = Clock::system();
    let exchange = Arc::new(Courier::new(Live::new(settings), Arc::new(Known::default()), clock.clone()));
    let document = document(pem, email, &idp.origin());
    let source = Arc::new(Source::new(move |_| Some(document.clone()), clock.clone()));
    let vault = Arc::new(Memory::default());
    let refresher = Refresher::new(Parts { vault, source, exchange, clock, pool: None });
    let oauth = account.oauth.clone().unwrap();
    refresher.token(&account, &oauth).await.map(|token| token.expose().to_owned())
}

#[tokio::test]
async fn a_service_account_signs_its_request_and_the_signature_is_verified() {
    assert!(robot(robots(), PEM, EMAIL).await.unwrap().contains("access-service"));
    let stranger = robot(robots(), STRANGER, EMAIL).await.unwrap_err();
    assert!(stranger.message.contains("Invalid JWT Signature"), "{stranger}");
    assert_eq!(stranger.kind, Kind::StaleToken(Duration::from_secs(5)), "there is no login that could end");
    let other = robot(robots(), PEM, "other@project.example.com").await.unwrap_err();
    assert!(other.message.contains("account not found"), "{other}");
    let broken = robot(robots(), "no key at all", EMAIL).await.unwrap_err();
    assert!(broken.message.contains("no private key in PEM"), "{broken}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_as_a_wrong_clock() {
    for (skew, words) in [(-900, "s ahead of"), (7200, "s behind")] {
        let fault = robot(Setup { skew, ..robots() }, PEM, EMAIL).await.unwrap_err();
        assert!(fault.message.contains(words) && fault.message.contains("set this machine's clock"), "{fault}");
        assert_eq!(fault.kind, Kind::StaleToken(Duration::from_secs(5)), "a dead key is something else");
    }
    assert!(robot(Setup { skew: 30, ..robots() }, PEM, EMAIL).await.is_ok(), "half a minute is nothing");
}

#[tokio::test]
async fn an_identity_provider_that_is_not_there_is_told_with_its_address() {
    let flow = Flow::new(Setup::default(), &REFRESH.replace("{idp}", "http://127.0.0.1:1"));
    flow.refresher.bring(&flow.account, Item::key(Secret::new("brought-refresh-token"))).await.unwrap();
    let fault = flow.token().await.unwrap_err();
    assert!(fault.message.contains("http://127.0.0.1:1"), "{fault}");
    assert!(matches!(fault.kind, Kind::StaleToken(_)) && !fault.message.contains("brought"), "{fault}");
    assert!(flow.vault.get("a").unwrap().unwrap().refreshing.is_none(), "nothing was sent, so nothing is spent");
}

#[tokio::test]
async fn a_connection_that_fails_names_the_address_for_tokens() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let lines = format!(
        "grant = 'client_credentials'\nclient_id = 'c'\nclient_secret = {{ env = 'CLIENT_SECRET' }}\n\
         token_url = 'http://{closed}/oauth/token?tenant=hidden-word'\n"
    );
    let flow = Flow::new(Setup::default(), &lines);
    let fault = flow.token().await.expect_err("nobody listens there");
    let said = fault.to_string();
    assert!(said.contains(&format!("the identity provider at http://{closed}/oauth/token: ")), "{said}");
    assert!(said.contains("check network and oauth.token_url"), "{said}");
    assert!(!said.contains("base_url") && !said.contains("hidden-word") && !said.contains(SECRET), "{said}");
}
