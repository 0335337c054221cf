//! Spans of time as people write them: `10s`, `1m 30s`, `2h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checked::{Malformed, checked};
use super::provider::Timeouts;

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub Duration);

checked!(Wait, "wait");

/// A day, which the calendar would make longer or shorter.
const DAY: Duration = Duration::from_secs(86_400);

impl FromStr for Wait {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let days = text.trim().strip_suffix('d').and_then(|days| days.trim().parse::<u32>().ok());
        if let Some(days) = days {
            return Ok(Self(DAY * days));
        }
        let span: SignedDuration =
            text.parse().map_err(|_| Malformed::new("not a span of time; write for example \"90s\" or \"2m\""))?;
        Duration::try_from(span).map(Self).map_err(|_| Malformed::new("a span of time cannot be negative"))
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if self.0 > DAY && seconds.is_multiple_of(DAY.as_secs()) && self.0.subsec_nanos() == 0 {
            return write!(f, "{}d", seconds / DAY.as_secs());
        }
        match SignedDuration::try_from(self.0) {
            Ok(span) => write!(f, "{span:#}"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

/// How long to wait for what; what is not named is inherited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Waits {
    /// TCP and TLS together with the proxy's hello: `10s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<Wait>,
    /// From the request sent to the first data event of a stream: `120s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Wait>,
    /// The same for whole answers and reasoning models: `600s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_whole: Option<Wait>,
    /// Between two chunks: `90s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall: Option<Wait>,
}

impl Waits {
    /// These waits, and `base` where none is named.
    pub fn over(self, base: Timeouts) -> Timeouts {
        let or = |named: Option<Wait>, base| named.map_or(base, |wait| wait.0);
        Timeouts {
            connect: or(self.connect, base.connect),
            first_byte: or(self.first_byte, base.first_byte),
            first_byte_whole: or(self.first_byte_whole, base.first_byte_whole),
            stall: or(self.stall, base.stall),
        }
    }
}

impl From<Timeouts> for Waits {
    fn from(all: Timeouts) -> Self {
        let named = |wait| Some(Wait(wait));
        Self {
            connect: named(all.connect),
            first_byte: named(all.first_byte),
            first_byte_whole: named(all.first_byte_whole),
            stall: named(all.stall),
        }
    }
}
