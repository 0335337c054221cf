//! The beginning of a call id as a range of ids, so that both ledgers find by prefix without a scan.

use std::ops::RangeInclusive;

use crate::kit::CallId;

/// The ids that begin with these hexadecimal digits; dashes are ignored. `None` when it is no beginning of an id.
pub(super) fn range(prefix: &str) -> Option<RangeInclusive<CallId>> {
    let digits: Vec<u8> = prefix.bytes().filter(|byte| *byte != b'-').collect();
    if digits.len() > 32 {
        return None;
    }
    let (mut low, mut high) = ([0; 16], [0xff; 16]);
    for (at, digit) in digits.iter().enumerate() {
        let value = u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
        let (shift, mask) = if at % 2 == 0 { (4, 0x0f) } else { (0, 0xf0) };
        low[at / 2] |= value << shift;
        high[at / 2] &= value << shift | mask;
    }
    Some(CallId::from_bytes(low)..=CallId::from_bytes(high))
}
