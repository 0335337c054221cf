//! Gateways of several homes that share one vault, in front of a lab whose tokens a strict identity provider makes.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use keywheel::kit::{Clock, Secret, Time};
use keywheel::sim::idp::{Setup, Stage};
use keywheel::sim::{Idp, Lab, Persona};
use keywheel::vault::{Item, Opener, Sealed, Vault};
use tempfile::TempDir;

use crate::e2e_rig::{chat, json_lines, text};
use crate::support::Keywheel;

/// Longer than anything here takes.
pub const LONG: Duration = Duration::from_secs(30);
const CHAT: &str = "/v1/chat/completions";

/// An identity provider, a lab that takes its tokens, and a vault on the disk.
pub struct Town {
    pub idp: Idp,
    pub lab: Lab,
    pub vault: Sealed,
    folder: TempDir,
}

impl Town {
    pub fn new(setup: Setup) -> Self {
        let lab = Lab::start(Persona::Generic).expect("a lab");
        let idp = Idp::start(Setup { ring: Some(lab.ring()), ..setup }).expect("an identity provider");
        let folder = tempfile::Builder::new().prefix("kw-vault-").tempdir().expect("a folder");
        let key = folder.path().join("credential");
        std::fs::write(&key, "0123456789abcdef0123456789abcdef0123456789abcdef").expect("a key file");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("the mode is set");
        let vault = Sealed::create(folder.path().join("shared.sealed"), &[Opener::KeyFile(key)]).expect("a vault");
        Self { idp, lab, vault, folder }
    }

    /// Logs an account in. Its access token is good for this long by its own account, and taken by the lab.
    pub fn log_in(&self, account: &str, left: Duration) -> (String, String) {
        let (access, refresh) = self.idp.login(account);
        let now = Clock::system().now();
        let issued = Time::from_micros(now.as_micros() - 3_600_000_000);
        let (token, next) = (Secret::new(access.clone()), Secret::new(refresh.clone()));
        self.vault.put(account, Item::token(token, Some(next), issued, Some(now.after(left)))).expect("stored");
        (access, refresh)
    }

    /// What the vault holds of an account.
    pub fn stored(&self, account: &str) -> Item {
        self.vault.get(account).expect("readable").expect("there")
    }

    /// How often the vault was written.
    pub fn generation(&self) -> u64 {
        self.vault.status().expect("a header").generation
    }

    /// Settings with these accounts, each with the refresh token grant and these lines more.
    pub fn config(&self, accounts: &[&str], more: &str) -> String {
        let grant = format!(
            "grant = \"refresh_token\"\ntoken_url = \"{0}/token\"\nclient_id = \"keywheel-test\"\n{more}",
            self.idp.origin()
        );
        self.config_with(accounts, &grant)
    }

    /// Settings with these accounts and exactly these lines for their tokens.
    pub fn config_with(&self, accounts: &[&str], oauth: &str) -> String {
        let folder = |name: &str| -> PathBuf { self.folder.path().join(name) };
        let mut config = format!(
            "vault = {{ home = \"key-file\", file = {:?}, key_file = {:?} }}\n\
             [providers.lab]\nadapter = \"openai\"\nbase_url = \"{}\"\nmodels = [\"m\"]\n",
            folder("shared.sealed"),
            folder("credential"),
            self.lab.base_url()
        );
        for account in accounts {
            config += &format!("[[accounts]]\nid = \"{account}\"\nprovider = \"lab\"\n[accounts.oauth]\n{oauth}\n");
        }
        config
    }

    /// Waits until the identity provider holds a request at its gate.
    pub fn wait_held(&self, count: usize) {
        wait("a request is held", || self.idp.held() == count);
    }

    /// Stops at this place whoever asks next.
    pub fn hold(&self, stage: Stage) {
        self.idp.hold(stage);
    }
}

/// Waits until it is so.
pub fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < end, "not within {LONG:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A call; its status and body.
pub async fn call(keywheel: &Keywheel) -> (u16, String) {
    let answer = keywheel.client().post(CHAT, &chat("lab/m")).await;
    let status = answer.status;
    (status, String::from_utf8_lossy(&answer.bytes().await).into_owned())
}

/// `state reason` of an account.
pub fn state(keywheel: &Keywheel, account: &str) -> String {
    let rows = json_lines(&keywheel.run(["account", "list", "--json"]));
    let row = rows.iter().find(|row| row["id"] == account).expect("the account is listed");
    format!("{} {}", text(&row["state"]), text(&row["reason"]))
}
