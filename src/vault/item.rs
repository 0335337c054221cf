//! What lies in a vault under one name: an API key, or an access token with what is needed to refresh it.

use serde::{Deserialize, Serialize};

use crate::kit::{Secret, Time};

/// One entry. Like `Secret` it has neither `Debug` nor `Serialize`.
#[derive(Clone)]
pub struct Item {
    /// What the secret is.
    pub kind: ItemKind,
    /// The API key, or the access token.
    pub secret: Secret,
    /// What gets the next access token, where there is one.
    pub refresh: Option<Secret>,
    /// When the token was issued; with `expires_at` it gives the token's life.
    pub issued_at: Option<Time>,
    /// When the token stops working.
    pub expires_at: Option<Time>,
    /// The write-ahead mark: since when a refresh is under way. Found on an item whose refresher is gone, it says that
    /// the refresh token may already be spent.
    pub refreshing: Option<Time>,
    /// Since when the identity provider no longer takes the refresh token. Nothing is asked with it again; a login puts
    /// a new item in its place.
    pub ended: Option<Time>,
}

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// An API key, or another word that stays until a person changes it.
    Key,
    /// An access token that expires.
    Token,
    /// A document that is a credential as a whole, such as a service account's JSON.
    Document,
}

/// All that may be shown of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Its name, by default the account's id.
    pub name: String,
    /// What the secret is.
    pub kind: ItemKind,
    /// When the token stops working.
    pub expires_at: Option<Time>,
}

impl Item {
    /// An API key.
    pub fn key(secret: Secret) -> Self {
        Self {
            kind: ItemKind::Key,
            secret,
            refresh: None,
            issued_at: None,
            expires_at: None,
            refreshing: None,
            ended: None,
        }
    }

    /// An access token, good from `issued_at` until `expires_at`.
    pub fn token(secret: Secret, refresh: Option<Secret>, issued_at: Time, expires_at: Option<Time>) -> Self {
        let issued_at = Some(issued_at);
        Self { kind: ItemKind::Token, secret, refresh, issued_at, expires_at, refreshing: None, ended: None }
    }

    /// What may be shown of it.
    pub fn label(&self, name: &str) -> Label {
        Label { name: name.to_owned(), kind: self.kind, expires_at: self.expires_at }
    }
}
