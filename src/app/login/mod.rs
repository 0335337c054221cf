//! `account login` and `refresh`: a person starts a login, or has a token renewed now.

mod browser;

use std::sync::Arc;
use std::time::Duration;

use super::failure::Failure;
use super::tokens::Wires;
use super::{env, on_one_core, questions, settings, vault};
use crate::accounts::refresh::code::Page;
use crate::accounts::refresh::login::{LoggedIn, LoginError};
use crate::accounts::refresh::{By, Device, Refresher, plan};
use crate::catalog::Grant;
use crate::cli::Lines;
use crate::cli::entry::{Entry, Typed};
use crate::cli::login::{Login, RefreshAccounts};
use crate::config::{Account, Live, Oauth, Paths, Settings};
use crate::kit::{Clock, Fault, Secret};
use crate::operator::{Ask, Chosen, Reply};
use crate::ops;
use crate::redact::Known;
use crate::vault::{Item, ItemKind, Source, Strongbox};

/// More than any service account's JSON is long.
const LONGEST: u64 = 64 << 10;

/// Starts a login as the account's settings say.
pub(super) fn login(asked: &Login, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let settings = settings::loaded(paths)?.settings;
    let account = settings
        .account(&asked.id)
        .cloned()
        .ok_or_else(|| Failure::new(format_args!("there is no account {:?}; run: keywheel account list", asked.id)))?;
    let Some(oauth) = account.oauth.clone() else {
        let id = &account.id;
        return Err(Failure::new(format_args!(
            "account {id} sends a key; replace it with: keywheel account add {id} --replace; or name a grant under oauth"
        )));
    };
    let vault = Arc::new(vault::of(&settings, paths));
    vault::ready(&vault, &asked.passphrase, lines)?;
    let refresher = refresher(settings, vault);
    on_one_core::<()>(async {
        let done = match oauth.grant {
            Grant::DeviceCode => by_device(&refresher, &account, &oauth, lines).await?,
            Grant::AuthorizationCode => by_browser(&refresher, &account, &oauth, asked, lines).await?,
            Grant::RefreshToken => {
                let item = Item::key(brought(asked, "refresh token")?);
                return first(&refresher, &account, &oauth, Some(item), lines).await;
            }
            Grant::ServiceAccount => {
                let item = asked.file.is_some().then(|| document(asked)).transpose()?;
                return first(&refresher, &account, &oauth, item, lines).await;
            }
            Grant::None | Grant::ClientCredentials | Grant::ManagedIdentity => {
                return first(&refresher, &account, &oauth, None, lines).await;
            }
        };
        told(&account, done, lines);
        Ok(())
    })?;
    // a gateway that runs would see it by itself, only later
    let account = Chosen::Ids(vec![asked.id.clone()]);
    drop(questions::ask_if_running(paths, Ask::Heal(account)));
    Ok(())
}

/// Has tokens renewed now: by the running gateway, or here where none runs.
pub(super) fn refresh(asked: &RefreshAccounts, paths: &Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let settings = settings::loaded(paths)?.settings;
    let accounts = ops::chosen(&settings, &asked.chosen.record()).map_err(Failure::new)?;
    let mut here = None;
    let mut failed = Vec::new();
    for account in &accounts {
        let ask = Ask::RefreshAccount { id: account.id.clone() };
        let done = match questions::ask_if_running(paths, ask) {
            Ok(Some(Reply::Done(words))) => Ok(words),
            Ok(Some(other)) => Err(questions::unexpected(&other)),
            Ok(None) => {
                let refresher = match &here {
                    Some(refresher) => refresher,
                    None => {
                        let vault = Arc::new(vault::of(&settings, paths));
                        vault::ready(&vault, &asked.passphrase, lines)?;
                        here.insert(refresher(settings.clone(), vault))
                    }
                };
                on_one_core(forced(refresher, account))
            }
            Err(failure) => Err(failure),
        };
        match done {
            Ok(words) => lines.say(words),
            Err(failure) => failed.push(failure.message),
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(failed.join("\n"))) }
}

async fn forced(refresher: &Refresher, account: &Account) -> Result<String, Failure> {
    let Some(oauth) = &account.oauth else {
        return Err(Failure::new(format_args!("account {} sends a key, which is not renewed", account.id)));
    };
    refresher.force(account, oauth).await.map_err(Failure::new)?;
    Ok(format!("account {} has a new token", account.id))
}

fn refresher(settings: Settings, vault: Arc<Strongbox>) -> Refresher {
    let clock = Clock::system();
    let source = Arc::new(Source::new(env, clock.clone()).with(Arc::clone(&vault)));
    let known = Arc::new(Known::default());
    Wires { settings: Live::new(settings), vault, source, known, clock, pool: None }.refresher()
}

/// Shows a code and asks until its person has agreed.
async fn by_device(
    refresher: &Refresher,
    account: &Account,
    oauth: &Arc<Oauth>,
    lines: &mut Lines<'_>,
) -> Result<LoggedIn, Failure> {
    let Device { code, user_code, url, complete_url, mut interval, expires_at } =
        refresher.device(account).await.map_err(Failure::new)?;
    lines.say(format_args!("open {url} and type the code {user_code}"));
    if let Some(url) = complete_url {
        lines.say(format_args!("or open {url}"));
    }
    let clock = Clock::system();
    loop {
        tokio::time::sleep(interval).await;
        let refusal = match refresher.log_in(account, oauth, By::Device(code.clone())).await {
            Ok(done) => return Ok(done),
            Err(LoginError::Fault(fault)) => return Err(Failure::new(fault)),
            Err(LoginError::Refused(refusal)) => refusal,
        };
        match plan::poll(interval, refusal.why) {
            None => return Err(Failure::new(format_args!("{refusal}; begin again"))),
            Some(_) if clock.now() >= expires_at => {
                return Err(Failure::new("nobody has agreed in time; begin again"));
            }
            Some(next) => interval = next,
        }
    }
}

/// Has a person log in on a page, and takes what it sends back.
async fn by_browser(
    refresher: &Refresher,
    account: &Account,
    oauth: &Arc<Oauth>,
    asked: &Login,
    lines: &mut Lines<'_>,
) -> Result<LoggedIn, Failure> {
    let by = if asked.paste {
        let page = Page::new(oauth, oauth.redirect_url.as_deref().unwrap_or(browser::NOWHERE)).map_err(Failure::new)?;
        lines.say(format_args!("open {}", page.url));
        lines.say("then paste the address of the page that you are sent to; it need not load");
        page.answer(&brought(asked, "address of that page")?).map_err(Failure::new)?
    } else {
        browser::by_loopback(oauth, lines).await?
    };
    refresher.log_in(account, oauth, by).await.map_err(Failure::new)
}

/// Stores what was brought, if anything, and fetches a first token, so that a mistake shows now.
async fn first(
    refresher: &Refresher,
    account: &Account,
    oauth: &Arc<Oauth>,
    item: Option<Item>,
    lines: &mut Lines<'_>,
) -> Result<(), Failure> {
    if let Some(item) = item {
        refresher.bring(account, item).await.map_err(Failure::new)?;
    }
    refresher.force(account, oauth).await.map_err(|fault: Fault| Failure::new(fault))?;
    lines.say(format_args!("account {} has its first token", account.id));
    Ok(())
}

fn told(account: &Account, done: LoggedIn, lines: &mut Lines<'_>) {
    let until = done.until.map_or_else(String::new, |until| format!(", good until {until}"));
    lines.say(format_args!("account {} is logged in{until}", account.id));
    if !done.renews && done.until.is_some() {
        lines.say(
            "it came without a refresh token, so you must log in again then; set oauth.login_scope to what asks for one",
        );
    }
}

fn brought(asked: &Login, what: &str) -> Result<Secret, Failure> {
    Entry { what, file: asked.file.as_deref(), flag: "--file", typed: Typed::Once }.read().map_err(Failure::new)
}

/// A service account's JSON from a file.
fn document(asked: &Login) -> Result<Item, Failure> {
    use std::io::Read;
    let path = asked.file.clone().unwrap_or_default();
    let failed = |error| Failure::new(format_args!("cannot read {}: {error}", path.display()));
    let mut text = zeroize::Zeroizing::new(String::new());
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    } else {
        std::fs::File::open(&path).map_err(failed)?.take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    }
    Ok(Item { kind: ItemKind::Document, ..Item::key(Secret::new(text.as_str())) })
}

/// How long a person may take on a login page.
const PATIENCE: Duration = Duration::from_secs(600);
