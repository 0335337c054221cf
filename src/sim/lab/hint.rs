//! Rate-limit hints in every form that vendors send them.

use std::time::Duration;

use crate::kit::{Clock, Time};
use crate::sim::persona::go_duration;

/// How a 429 says how long to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// It does not.
    Silent,
    /// `retry-after: 7`
    Seconds(u64),
    /// `retry-after: 1.5`
    Fraction(Duration),
    /// `retry-after: Fri, 20 Nov 2026 10:00:00 GMT`, so long from now.
    Date(Duration),
    /// `retry-after-ms: 1500`
    Millis(u64),
    /// `x-ratelimit-reset-requests: 6m0s`, as OpenAI and Groq send it.
    Go(Duration),
    /// `x-ratelimit-reset-requests: 10`, as Azure sends it.
    ResetSeconds(u64),
    /// `x-ratelimit-reset: 1795000000`, so long from now.
    Epoch(Duration),
    /// `x-ratelimit-reset: 1795000000000`, so long from now, as OpenRouter sends it.
    EpochMillis(Duration),
    /// `x-ratelimit-reset: 2026-11-20T10:00:00Z`, so long from now.
    Rfc3339(Duration),
    /// This header with this value.
    Header(&'static str, &'static str),
}

impl Hint {
    /// The header that carries it.
    pub(super) fn header(&self) -> Option<(&'static str, String)> {
        let at = |wait: &Duration| Clock::system().now().after(*wait);
        Some(match self {
            Self::Silent => return None,
            Self::Seconds(seconds) => ("retry-after", seconds.to_string()),
            Self::Fraction(wait) => ("retry-after", wait.as_secs_f64().to_string()),
            Self::Date(wait) => ("retry-after", http_date(at(wait))),
            Self::Millis(millis) => ("retry-after-ms", millis.to_string()),
            Self::Go(wait) => ("x-ratelimit-reset-requests", go_duration(*wait)),
            Self::ResetSeconds(seconds) => ("x-ratelimit-reset-requests", seconds.to_string()),
            Self::Epoch(wait) => ("x-ratelimit-reset", at(wait).as_secs().to_string()),
            Self::EpochMillis(wait) => ("x-ratelimit-reset", (at(wait).as_micros() / 1000).to_string()),
            Self::Rfc3339(wait) => ("x-ratelimit-reset", at(wait).to_string()),
            Self::Header(name, value) => (name, (*value).to_owned()),
        })
    }
}

fn http_date(at: Time) -> String {
    let at = jiff::Timestamp::from_second(at.as_secs()).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_reads_as_http_writes_it() {
        assert_eq!(http_date(Time::from_micros(784_111_777_000_000)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
