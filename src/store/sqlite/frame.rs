//! Work for the ledger as bytes. Whoever records packs, and the thread that writes unpacks: no memory is filled by one
//! thread and freed by another, and what is queued is what the spool keeps.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::kit::CallId;
use crate::store::{Entry, Hold};

/// Length of what follows the header, its CRC-32 with the number, the number; all little-endian.
const HEADER: usize = 16;

/// What the thread is asked to write. Whoever changes it or a type in it changes `spool::FORMAT` too.
#[derive(Serialize, Deserialize)]
pub(super) enum Work<'a> {
    /// An entry.
    Entry(Cow<'a, Entry>),
    /// An entry, and its hold is taken out.
    Settle(Cow<'a, Entry>),
    /// What a call may cost at most.
    Hold(CallId, Cow<'a, Hold>),
}

impl Work<'_> {
    /// The entry that it writes, where it writes one.
    pub(super) fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Entry(entry) | Self::Settle(entry) => Some(entry),
            Self::Hold(..) => None,
        }
    }
}

/// The work in a frame that has no number yet; empty where it cannot be packed, which no type in it can bring about.
pub(super) fn pack(work: &Work<'_>) -> Vec<u8> {
    let mut frame = Vec::with_capacity(512);
    frame.resize(HEADER, 0);
    match postcard::to_extend(work, frame) {
        Ok(mut frame) => {
            let length = u32::try_from(frame.len() - HEADER).unwrap_or(u32::MAX);
            frame[..4].copy_from_slice(&length.to_le_bytes());
            frame
        }
        Err(error) => {
            tracing::error!("an entry for the ledger cannot be packed: {error}");
            Vec::new()
        }
    }
}

/// Writes its number into a frame, and what proves both.
pub(super) fn number(frame: &mut [u8], number: u64) {
    frame[8..HEADER].copy_from_slice(&number.to_le_bytes());
    let proof = crc32fast::hash(&frame[8..]);
    frame[4..8].copy_from_slice(&proof.to_le_bytes());
}

/// Work as it was packed.
pub(super) struct Frame<'a>(&'a [u8]);

impl Frame<'_> {
    pub(super) fn work(&self) -> Result<Work<'static>, postcard::Error> {
        postcard::from_bytes(&self.0[HEADER..])
    }

    /// The call whose entry it writes, and whether it does nothing else. Reads no further than the id, which comes first.
    pub(super) fn entry_of(&self) -> Option<(CallId, bool)> {
        let ((kind, id), _) = postcard::take_from_bytes::<(u32, CallId)>(&self.0[HEADER..]).ok()?;
        match kind {
            // in the order of `Work`
            0 => Some((id, true)),
            1 => Some((id, false)),
            _ => None,
        }
    }
}

/// Frames that stand one behind another.
pub(super) fn frames(bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    split(bytes).map(Frame)
}

/// The frames with their numbers, those left out that are damaged.
pub(super) fn numbered(frames: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    split(frames).filter_map(|frame| {
        let proof = crc32fast::hash(&frame[8..]);
        let number = u64::from_le_bytes(frame[8..HEADER].try_into().ok()?);
        (frame[4..8] == proof.to_le_bytes()).then_some((number, frame))
    })
}

/// Up to the first that is torn.
fn split(mut frames: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = u32::from_le_bytes(*frames.first_chunk()?);
        let (frame, rest) = frames.split_at_checked(HEADER + usize::try_from(length).ok()?)?;
        frames = rest;
        Some(frame)
    })
}
