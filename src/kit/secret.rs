//! A secret in memory: wiped on drop, and without any trait that could print it.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A credential. It has no `Debug`, `Display` or `Serialize`; `expose` is allowed only in the files that
/// `tests/it/floor_plan.rs` lists.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of a secret. Surrounding white space is cut: it comes from files and shells, never from providers.
    pub fn new(text: impl Into<String>) -> Self {
        let text = Zeroizing::new(text.into());
        let trimmed = text.trim();
        if trimmed.len() == text.len() {
            return Self(text);
        }
        Self(Zeroizing::new(trimmed.to_owned()))
    }

    /// The secret itself, to be put on the wire and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether both are the same, compared in the same time wherever they differ.
    pub fn same(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
