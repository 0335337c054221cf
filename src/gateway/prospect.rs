//! What a call along a route would meet, for whoever has to choose a model before there is a call.

use super::Gateway;
use super::till::Asked;
use crate::accounts::Wanted;
use crate::kit::{Money, Usage};

/// What a call would meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prospect {
    /// Whether an account could take it this moment.
    pub ready: bool,
    /// What it would cost; `None` where the model has no price.
    pub price: Option<Money>,
}

impl Gateway {
    /// What a call of this size would meet. Nothing is taken and nothing is sent.
    pub fn prospect(&self, provider: &str, model: &str, usage: &Usage) -> Prospect {
        let inner = &self.0;
        let asked = Asked { provider, model, at: inner.clock.now() };
        Prospect {
            ready: inner.pool.able(Wanted { provider, model, ..Wanted::default() }).is_some(),
            price: inner.books.till.listed(&asked, usage),
        }
    }
}
