//! What is asked of every target: the kinds of work, and the two ways of asking.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Work {
    /// 232 bytes, answered at once.
    Small,
    /// The whole context of a coding agent, about 200 KB, answered at once.
    Large,
    /// A stream of 50 chunks as fast as they go.
    Burst,
    /// A stream of 50 chunks, one every 20 ms, as models write.
    Paced,
}

/// How requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Pace {
    /// Each connection asks again once it has its answer: shows throughput and CPU time.
    Closed,
    /// So many a second over all connections, well below what any target can do: shows latency.
    Rate(u32),
}

/// Chunks of a stream before its `[DONE]`.
pub(crate) const CHUNKS: usize = 50;
/// Between two chunks of a paced stream.
pub(crate) const GAP: std::time::Duration = std::time::Duration::from_millis(20);

/// One kind of measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    pub(crate) work: Work,
    pub(crate) pace: Pace,
    pub(crate) connections: usize,
}

impl Turn {
    /// Every measurement, in the order of the report.
    pub(crate) const ALL: [Self; 6] = [
        Self { work: Work::Small, pace: Pace::Closed, connections: 64 },
        Self { work: Work::Small, pace: Pace::Rate(500), connections: 16 },
        Self { work: Work::Large, pace: Pace::Closed, connections: 16 },
        Self { work: Work::Large, pace: Pace::Rate(100), connections: 16 },
        Self { work: Work::Burst, pace: Pace::Closed, connections: 100 },
        Self { work: Work::Paced, pace: Pace::Closed, connections: 100 },
    ];
}

impl Work {
    /// Whether it is answered by a stream.
    pub(crate) const fn streams(self) -> bool {
        matches!(self, Self::Burst | Self::Paced)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
            Self::Burst => "burst",
            Self::Paced => "paced",
        }
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.work {
            Work::Small => "232 B",
            Work::Large => "200 KB",
            Work::Burst => "streams of 50 chunks, back to back",
            Work::Paced => "streams of 50 chunks, one every 20 ms",
        };
        match self.pace {
            Pace::Closed => write!(f, "{what}, {} connections, closed loop", self.connections),
            Pace::Rate(rate) => write!(f, "{what}, {rate} a second",),
        }
    }
}
