//! Which trace a call belongs to (W3C Trace Context): the client's own where it sent one, else one with the call's id.

use http::{HeaderMap, HeaderValue};

use crate::kit::CallId;

/// The header of the trace context.
pub const TRACEPARENT: &str = "traceparent";
/// The header that vendors add to it.
pub(super) const TRACESTATE: &str = "tracestate";

/// The trace of one call and its place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The trace.
    pub id: [u8; 16],
    /// The client's span, where it named one.
    pub parent: Option<[u8; 8]>,
    /// The client's `tracestate`, where the client's trace is continued.
    pub state: Option<String>,
    flags: u8,
    call: u64,
}

impl Trace {
    /// The trace that a client's headers name; `None` without one that can be read.
    pub fn continued(call: CallId, headers: &HeaderMap) -> Option<Self> {
        let (id, parent, flags) = parse(headers.get(TRACEPARENT)?.to_str().ok()?)?;
        let state: Vec<&str> = headers.get_all(TRACESTATE).iter().filter_map(|value| value.to_str().ok()).collect();
        let state = Some(state.join(",")).filter(|state| !state.is_empty());
        Some(Self { id, parent: Some(parent), state, flags, call: low(call) })
    }

    /// A trace of the call's own: its id is the call's, so that either finds the other.
    pub fn begun(call: CallId) -> Self {
        Self { id: *call.as_bytes(), parent: None, state: None, flags: 1, call: low(call) }
    }

    /// Whether the client wants it recorded.
    pub const fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// The span of the call.
    pub fn span(&self) -> [u8; 8] {
        self.call.to_be_bytes()
    }

    /// The span of its attempt, counted from 1.
    pub fn attempt(&self, number: usize) -> [u8; 8] {
        // the finaliser of SplitMix64: spans of one call are unlike those of another, and no random source is asked
        let mut x = self.call.wrapping_add((number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)).max(1).to_be_bytes()
    }

    /// What an attempt passes on, so that the provider's spans hang below its own.
    pub fn header(&self, attempt: usize) -> Option<HeaderValue> {
        let text = format!("00-{}-{}-{:02x}", hex(&self.id), hex(&self.attempt(attempt)), self.flags & 1);
        HeaderValue::try_from(text).ok()
    }

    /// The trace's id as people and tools write it.
    pub fn name(&self) -> String {
        hex(&self.id)
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

/// The random half of a call's id; its variant bits keep it from being zero.
fn low(call: CallId) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&call.as_bytes()[8..]);
    u64::from_be_bytes(bytes)
}

/// `version-trace-span-flags`; a later version may have more behind the flags.
fn parse(text: &str) -> Option<([u8; 16], [u8; 8], u8)> {
    let text = text.trim();
    let mut parts = text.splitn(5, '-');
    let version: [u8; 1] = unhex(parts.next()?)?;
    let id: [u8; 16] = unhex(parts.next()?)?;
    let span: [u8; 8] = unhex(parts.next()?)?;
    let flags: [u8; 1] = unhex(parts.next()?)?;
    let known = version[0] != 0xff && (version[0] != 0 || parts.next().is_none());
    (known && id != [0; 16] && span != [0; 8]).then_some((id, span, flags[0]))
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let text = Some(text.as_bytes()).filter(|text| text.len() == 2 * N)?;
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_continued_only_where_its_header_has_the_form_of_the_standard() {
        let read = |text: &'static str| {
            let headers =
                HeaderMap::from_iter([(http::HeaderName::from_static(TRACEPARENT), HeaderValue::from_static(text))]);
            Trace::continued(CallId::new(), &headers).map(|trace| (trace.name(), trace.is_sampled()))
        };
        let id = "4bf92f3577b34da6a3ce929d0e0e4736".to_owned();
        assert_eq!(read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), Some((id.clone(), true)));
        assert_eq!(read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"), Some((id.clone(), false)));
        assert_eq!(read("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes"), Some((id, true)));
        for wrong in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
