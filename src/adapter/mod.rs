//! What a provider's dialect is: where a call goes, what changes in it, and what an error answer means.
//!
//! No I/O, no clock, no secret. What a vendor does differently is a row in its TOML file when its dialect is plain
//! OpenAI; a vendor that has an adapter keeps its rules here, so that a user's own provider of that dialect has them
//! too. Answers that are no errors never come here: their bytes are passed on.

mod azure;
mod body;
mod classify;
mod deepseek;
mod first;
mod headers;
pub mod hint;
mod models;
mod openai;
mod place;
pub mod reasoning;
mod rules;
mod sentence;
pub mod windows;
mod xai;

use bytes::Bytes;
use http::HeaderMap;

pub use body::{ask_usage, edits_of};
pub use classify::Verdict;
pub use models::model_ids;

use crate::catalog::{AdapterName, Provider};
use crate::kit::window::Window;
use crate::kit::{Fault, Time};
use crate::redact::{Known, Redacted};
use crate::wire::error::Words;
use crate::wire::{Edit, Endpoint};

/// Of an error answer, this many bytes are kept.
const KEPT: usize = 64 * 1024;

/// How much of an error answer to read: what is kept, and beyond it more than any secret that the cut might divide.
pub const READ: usize = KEPT + 16 * 1024;

/// An error answer of a provider, its beginning, without known secrets. They are masked as it is made, before anything is read
/// or quoted from it: a secret that a quote had cut in two would not be known any more.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: HeaderMap,
    words: Words,
    body: Bytes,
}

impl Answer {
    /// An answer with its HTTP status, its headers and its body.
    pub fn new(status: u16, headers: HeaderMap, body: Bytes, known: &Known) -> Self {
        // read from all of it: a JSON body that is cut is no JSON any more
        let words = Words::read(&known.clean(&body));
        Self { status, headers, words, body: known.clean_head(body, KEPT) }
    }
}

/// A dialect. The methods that are given here are the plain OpenAI dialect.
pub trait Adapter: Send + Sync {
    /// Where an endpoint is. `model` is the name that the provider knows; `query` stands without the question mark.
    fn url(
        &self,
        provider: &Provider,
        base_url: &str,
        endpoint: &Endpoint,
        model: Option<&str>,
        query: Option<&str>,
    ) -> String {
        let _ = (provider, model);
        place::with_query(place::below(base_url, endpoint.path()), query)
    }

    /// Where something is that no client asks for: a list of models, the account's balance. `path` is below the base URL,
    /// `../` climbs.
    fn beside(&self, provider: &Provider, base_url: &str, path: &str) -> String {
        let _ = provider;
        place::beside(base_url, path)
    }

    /// Where the model list is.
    fn models_url(&self, provider: &Provider, base_url: &str) -> String {
        self.beside(provider, base_url, &provider.models_path)
    }

    /// What the dialect itself changes in the body of a call for this model. The edits of provider, route and client
    /// follow, see [`edits_of`].
    fn edits(&self, provider: &Provider, call: &Redacted, model: Option<&str>) -> Vec<Edit> {
        let _ = provider;
        body::name_model(call, model)
    }

    /// The headers of the request: the client's that may pass, then the provider's own. Credentials, `host` and lengths
    /// are added by the sender.
    fn headers(&self, provider: &Provider, call: &Redacted) -> HeaderMap {
        headers::passed(provider, call, &[])
    }

    /// The vendor's own rules for an error answer; asked before the general table.
    fn verdict(&self, answer: &Answer, now: Time) -> Option<Verdict> {
        let _ = (answer, now);
        None
    }

    /// What an answer's headers say about the account's limits, whether it is good or an error.
    fn windows(&self, headers: &HeaderMap, now: Time) -> Vec<Window> {
        windows::read(headers, now)
    }

    /// What to change in a call that was refused as the client's mistake, so that one more try at the same account can
    /// succeed; empty where only the client can mend it. Asked once in a call.
    fn amend(&self, call: &Redacted, answer: &Answer) -> Vec<Edit> {
        let _ = (call, answer);
        Vec::new()
    }

    /// What an error answer means: content filters first, then the provider's rows, the vendor's rules, the general table.
    fn classify(&self, provider: &Provider, answer: &Answer, now: Time) -> Fault {
        classify::fault(provider, answer, now, || self.verdict(answer, now))
    }

    /// An error inside a 200: the first data frame of a stream, or the body of a whole answer. `None` means that it is
    /// an answer. Only for calls that ask a model: a stored object that is fetched may hold an old error.
    fn first_event(&self, provider: &Provider, frame: &[u8], known: &Known, now: Time) -> Option<Fault> {
        let answer = first::error_in(frame, known)?;
        let mut fault = self.classify(provider, &answer, now);
        // a frame is no body: it would tell the client of a status that was never sent
        fault.said = None;
        Some(fault)
    }
}

/// The adapter of a dialect.
pub fn of(name: AdapterName) -> &'static dyn Adapter {
    match name {
        AdapterName::Openai => &openai::Openai,
        AdapterName::Azure => &azure::Azure,
        AdapterName::Xai => &xai::Xai,
        AdapterName::Deepseek => &deepseek::Deepseek,
    }
}
