//! How accounts get tokens instead of a fixed key, as a provider's file or an account's table writes it.
//!
//! The user brings the client id; none is shipped here. Sources: RFC 6749 (grants), 7523 (assertions), 7636 (PKCE), 8628
//! (devices), 8707 (resource); the identity platform's pages on managed identities.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::checked::{Malformed, checked};
use super::urls::{EnvName, is_loopback};
use super::wait::Wait;

/// What a file may say about tokens; an account's table overrides only the keys it names. Tokens are used where the two
/// together name a `grant`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OauthEntry {
    /// How a token is got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// Where tokens are asked for; `{tenant}` stands for `tenant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_url: Option<TokenUrl>,
    /// Where a login by device code begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_url: Option<TokenUrl>,
    /// The page on which a person agrees, for `authorization_code`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorize_url: Option<TokenUrl>,
    /// What stands for `{tenant}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Your own registration at the identity provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Its secret, where it has one. With `client_credentials` it may stand in the account's `secret` instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretEntry>,
    /// How id and secret are sent: in the body, or by HTTP Basic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style: Option<ClientStyle>,
    /// What the token shall be good for, in words with spaces between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// More of it where a person logs in: `offline_access` asks for a refresh token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_scope: Option<String>,
    /// For identity providers that ask for an audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The resource (RFC 8707); for `managed_identity` the scope without `/.default` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Where the login page sends the browser back, when the registration allows no free loopback port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<TokenUrl>,
    /// More fields of every request for a token.
    pub extra: BTreeMap<String, String>,
}

/// How a token is got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// The key itself is sent; overrides what the provider's file says.
    None,
    /// By client id and secret, as often as needed.
    ClientCredentials,
    /// By a refresh token that you bring.
    RefreshToken,
    /// A person logs in on any device with a short code.
    DeviceCode,
    /// A person logs in with a browser; with PKCE.
    AuthorizationCode,
    /// The machine in the cloud has an identity of its own.
    ManagedIdentity,
    /// By a service account's JSON document, whose private key signs each request.
    ServiceAccount,
}

impl Grant {
    /// Whether the token is renewed by a refresh token, which must be kept safe: without it a person logs in again.
    pub const fn by_refresh_token(self) -> bool {
        matches!(self, Self::RefreshToken | Self::DeviceCode | Self::AuthorizationCode)
    }
}

/// How a client shows who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientStyle {
    /// In the body of the request.
    #[default]
    Post,
    /// In the header `Authorization`.
    Basic,
}

/// Where a secret comes from: exactly one of `env`, `command` and `vault`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SecretEntry {
    /// The environment variable that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<EnvName>,
    /// A program and its arguments that prints it; no shell is involved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// How long what the command printed may be used; without it, until the key is rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Wait>,
    /// Its name in the vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
}

/// An address at an identity provider. `http://` only where nobody can listen: this machine, and the link-local address
/// at which a cloud answers its own machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUrl(pub String);

checked!(TokenUrl, "token-url");

impl FromStr for TokenUrl {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let sample = text.replace("{tenant}", "tenant");
        let url = Url::parse(&sample).ok().filter(Url::has_host);
        let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else {
            return Err(Malformed::new("not a URL; write for example \"https://login.example.com/oauth2/token\""));
        };
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(Malformed::new("this URL holds no user, password or fragment"));
        }
        let link_local = matches!(url.host(), Some(Host::Ipv4(ip)) if ip.is_link_local());
        if url.scheme() == "http" && !is_loopback(&url) && !link_local {
            return Err(Malformed::new("secrets would travel unencrypted; write https://"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TokenUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl OauthEntry {
    /// This table, and `base` where it names nothing.
    #[must_use]
    pub fn over(self, base: &Self) -> Self {
        let base = base.clone();
        let mut extra = base.extra;
        extra.extend(self.extra);
        Self {
            grant: self.grant.or(base.grant),
            token_url: self.token_url.or(base.token_url),
            device_url: self.device_url.or(base.device_url),
            authorize_url: self.authorize_url.or(base.authorize_url),
            tenant: self.tenant.or(base.tenant),
            client_id: self.client_id.or(base.client_id),
            client_secret: self.client_secret.or(base.client_secret),
            style: self.style.or(base.style),
            scope: self.scope.or(base.scope),
            login_scope: self.login_scope.or(base.login_scope),
            audience: self.audience.or(base.audience),
            resource: self.resource.or(base.resource),
            redirect_url: self.redirect_url.or(base.redirect_url),
            extra,
        }
    }
}
