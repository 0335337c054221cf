//! The identity of the machine that we run on, asked of the cloud's metadata service.
//!
//! Source: the identity platform's pages on managed identities, and its SDK (retry schedule, header, no proxy).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::fields::Fields;
use super::reply::Heard;
use super::{Courier, Question, address};
use crate::accounts::refresh::Refusal;
use crate::config::{Account, Oauth};

/// Waits before the second and each further try.
const WAITS: [u64; 5] = [0, 1600, 3200, 6400, 12_800];
/// The metadata service restarts: 410 is tried for at least 70 s in all.
const GONE: Duration = Duration::from_secs(47);

/// How long to wait after this many tries that ended with this status; `None` when it is given up.
pub fn wait(tries: usize, status: u16) -> Option<Duration> {
    match status {
        404 | 410 | 429 | 500..=599 => {}
        _ => return None,
    }
    match WAITS.get(tries.checked_sub(1)?) {
        Some(millis) => Some(Duration::from_millis(*millis)),
        None => (status == 410 && tries == WAITS.len() + 1).then_some(GONE),
    }
}

impl Courier {
    /// Asks until it is answered or the schedule is over.
    pub(super) async fn ask_machine(&self, account: &Account, oauth: &Oauth) -> Result<Heard, Refusal> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut fields = Fields::default();
            fields.add("api-version", Some("2018-02-01"));
            fields.add("resource", oauth.resource.as_deref());
            fields.add("client_id", oauth.client_id.as_deref());
            fields.extra(oauth);
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static("metadata"), HeaderValue::from_static("true"));
            let url = address(oauth.token_url.as_ref())?;
            let question = Question { method: Method::GET, url, headers, fields, direct: true };
            let heard = self.send(account, question).await?;
            match wait(tries, heard.status) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Ok(heard),
            }
        }
    }
}
