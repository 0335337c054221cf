//! An exchange as one file: a mark, the data key's id, and sealed under that key a packed record with its two bodies.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::exchange::Exchange;
use super::keys::{Keyed, Keys};
use crate::kit::CallId;
use crate::kit::seal::{self, SealError};

/// What such a file begins with; the digit is the version of all that follows.
const MARK: &[u8] = b"KWH1";
/// The length of a data key's id in hex digits.
const KEY_ID: usize = 32;
/// No record with its bodies is longer once unpacked; a file that claims more is damaged.
const LONGEST: u64 = 1 << 30;

/// Why an exchange cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file is not what we wrote.
    #[error("the kept bodies of call {0} are damaged; delete the file from the history folder")]
    Damaged(String),
    /// The key is not to be had.
    #[error("the kept bodies of call {0} cannot be opened: {1}")]
    NoKey(String, String),
    /// The system refused.
    #[error("the kept bodies of call {0} cannot be read: {1}; look at the disk")]
    Io(String, #[source] std::io::Error),
}

/// Packs and seals.
pub(super) fn sealed(exchange: &Exchange, id: CallId, keys: &Keyed) -> Result<Vec<u8>, SealError> {
    let (asked, answered) = (&exchange.request.body.text, exchange.answer.as_ref().map(|answer| &answer.body.text));
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
    let record = serde_json::to_vec(exchange).map_err(|_| SealError::Length)?;
    let lengths = [record.len(), asked.len()].map(|length| u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes());
    let lengths = lengths.concat();
    let parts: [&[u8]; 4] = [&lengths, &record, asked, answered.map_or(&[], |text| text.as_ref())];
    parts.iter().try_for_each(|part| packer.write_all(part)).map_err(|_| SealError::Length)?;
    let packed = packer.finish().map_err(|_| SealError::Length)?;
    let head = [MARK, keys.id.as_bytes()].concat();
    let sealed = seal::seal(&keys.bodies, &bound(&head, id), &packed)?;
    Ok([head, sealed].concat())
}

/// Opens and unpacks.
pub(super) fn opened(file: &[u8], id: CallId, keys: &dyn Keys) -> Result<Exchange, HistoryError> {
    let damaged = || HistoryError::Damaged(id.to_string());
    let (head, sealed) = file.split_at_checked(MARK.len() + KEY_ID).ok_or_else(damaged)?;
    let key = head.strip_prefix(MARK).and_then(|key| std::str::from_utf8(key).ok()).ok_or_else(damaged)?;
    let keys = keys.by_id(key).map_err(|why| HistoryError::NoKey(id.to_string(), why))?;
    let packed = seal::open(&keys.bodies, &bound(head, id), sealed).map_err(|_| damaged())?;
    let mut plain = Vec::new();
    DeflateDecoder::new(packed.as_slice()).take(LONGEST).read_to_end(&mut plain).map_err(|_| damaged())?;
    unpacked(Bytes::from(plain)).ok_or_else(damaged)
}

fn unpacked(mut plain: Bytes) -> Option<Exchange> {
    let mut length = || {
        let bytes = (plain.len() >= 8).then(|| plain.split_to(8))?;
        usize::try_from(u64::from_le_bytes(bytes.as_ref().try_into().ok()?)).ok()
    };
    let (record, asked) = (length()?, length()?);
    let record = (plain.len() >= record).then(|| plain.split_to(record))?;
    let mut exchange: Exchange = serde_json::from_slice(&record).ok()?;
    exchange.request.body.text = (plain.len() >= asked).then(|| plain.split_to(asked))?;
    if let Some(answer) = &mut exchange.answer {
        answer.body.text = plain;
    }
    Some(exchange)
}

/// What the seal covers besides the content: a file under another call's name does not open.
fn bound(head: &[u8], id: CallId) -> Vec<u8> {
    [head, id.as_bytes()].concat()
}
