//! How an account gets its tokens: what its own table and its provider's say together, checked.

use std::collections::BTreeMap;

use super::accounts::source;
use super::check::Check;
use super::key::Key;
use super::settings::SecretSource;
use crate::catalog::oauth::{ClientStyle, Grant, OauthEntry, TokenUrl};

/// Where a cloud answers its own machines.
const METADATA: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// Fields that the grants write themselves.
const OURS: &[&str] = &[
    "grant_type",
    "client_id",
    "client_secret",
    "refresh_token",
    "code",
    "code_verifier",
    "device_code",
    "assertion",
    "redirect_uri",
    "scope",
    "audience",
    "resource",
    "state",
    "code_challenge",
    "code_challenge_method",
    "response_type",
];

/// How an account gets its tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Oauth {
    /// The way.
    pub grant: Grant,
    /// Where tokens are asked for; `None` for a service account whose document says it.
    pub token_url: Option<String>,
    /// Where a login by device code begins.
    pub device_url: Option<String>,
    /// The page on which a person agrees.
    pub authorize_url: Option<String>,
    /// The user's registration at the identity provider.
    pub client_id: Option<String>,
    /// Where its secret comes from.
    pub client_secret: Option<SecretSource>,
    /// How id and secret are sent.
    pub style: ClientStyle,
    /// What the token shall be good for; where a person logs in, with what a refresh token needs.
    pub scope: Option<String>,
    /// For identity providers that ask for an audience.
    pub audience: Option<String>,
    /// The resource.
    pub resource: Option<String>,
    /// Where the login page sends the browser back; `None` is a free port of this machine.
    pub redirect_url: Option<String>,
    /// More fields of every request.
    pub extra: BTreeMap<String, String>,
}

/// What the tables say together; `None` where they name no grant. `secret` is what the account itself names.
pub(super) fn checked(check: &mut Check<'_>, key: &Key, entry: OauthEntry, secret: &SecretSource) -> Option<Oauth> {
    let grant = entry.grant.filter(|grant| *grant != Grant::None)?;
    missing(check, key, grant, &entry);
    if grant.by_refresh_token() && !matches!(secret, SecretSource::Vault(_)) {
        check.wrong(key, "a refresh token changes with its use, so it lives in the vault; take out `secret`");
    }
    if grant == Grant::ServiceAccount && matches!(secret, SecretSource::Command { .. } | SecretSource::None) {
        check.wrong(key, "the service account's JSON comes from the vault or from `secret = { env = \"NAME\" }`");
    }
    for name in entry.extra.keys().filter(|name| OURS.contains(&name.as_str())) {
        check.wrong(&key.name("extra").name(name), "this field has a setting of its own or is written by the grant");
    }
    let tenant = entry.tenant.unwrap_or_default();
    if !tenant.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')) {
        check.wrong(&key.name("tenant"), "a tenant is an id or a domain, without slashes");
    }
    let urls = [&entry.token_url, &entry.device_url, &entry.authorize_url];
    if tenant.is_empty() && urls.iter().any(|url| url.as_ref().is_some_and(|url| url.0.contains("{tenant}"))) {
        check.wrong(key, "the address holds {tenant}; set `tenant`");
    }
    let filled = |url: Option<TokenUrl>| url.map(|url| url.0.replace("{tenant}", &tenant));
    let client_secret = entry.client_secret.map(|secret| source(check, &key.name("client_secret"), secret));
    let resource = entry.resource.or_else(|| {
        let of = entry.scope.as_deref().filter(|_| grant == Grant::ManagedIdentity);
        of.map(|scope| scope.trim_end_matches("/.default").to_owned())
    });
    let identity = (grant == Grant::ManagedIdentity).then(|| METADATA.to_owned());
    // the address of the provider's other grants is not where a machine asks for its own identity
    let token_url = match identity {
        Some(usual) => filled(entry.token_url).filter(|url| !url.starts_with("https:")).or(Some(usual)),
        None => filled(entry.token_url),
    };
    let login = entry.login_scope.filter(|_| matches!(grant, Grant::DeviceCode | Grant::AuthorizationCode));
    let scope = [entry.scope, login].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Some(Oauth {
        grant,
        token_url,
        device_url: filled(entry.device_url),
        authorize_url: filled(entry.authorize_url),
        client_id: entry.client_id,
        client_secret,
        style: entry.style.unwrap_or_default(),
        scope: Some(scope).filter(|scope| !scope.is_empty()),
        audience: entry.audience,
        resource,
        redirect_url: entry.redirect_url.map(|url| url.0),
        extra: entry.extra,
    })
}

/// Notes what the grant cannot do without.
fn missing(check: &mut Check<'_>, key: &Key, grant: Grant, entry: &OauthEntry) {
    let (client, device, login) = match grant {
        Grant::None | Grant::ManagedIdentity | Grant::ServiceAccount => (false, false, false),
        Grant::ClientCredentials | Grant::RefreshToken => (true, false, false),
        Grant::DeviceCode => (true, true, false),
        Grant::AuthorizationCode => (true, false, true),
    };
    let needs = [
        ("token_url", client, entry.token_url.is_some(), "missing; say where tokens are asked for"),
        ("client_id", client, entry.client_id.is_some(), "missing; register an application there and name its id"),
        ("device_url", device, entry.device_url.is_some(), "missing; say where a login by device code begins"),
        ("authorize_url", login, entry.authorize_url.is_some(), "missing; say which page a person logs in on"),
    ];
    for (name, _, _, why) in needs.into_iter().filter(|(_, needed, there, _)| *needed && !there) {
        check.wrong(&key.name(name), why);
    }
}
