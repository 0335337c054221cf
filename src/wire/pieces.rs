//! A body in pieces: what the gateway changes in a long one costs no copy of the rest.

use bytes::Bytes;

/// A stretch that is shorter is copied: a piece of its own would cost more.
const WORTH: usize = 8 * 1024;

/// A body in pieces, in order.
#[derive(Clone, Debug, Default)]
pub struct Pieces(Vec<Bytes>);

impl Pieces {
    /// The length of all of them in bytes.
    pub fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Whether there is not one byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them in one; copied only where there are several.
    pub fn joined(self) -> Bytes {
        match <[Bytes; 1]>::try_from(self.0) {
            Ok([only]) => only,
            Err(several) => several.concat().into(),
        }
    }
}

impl From<Bytes> for Pieces {
    fn from(bytes: Bytes) -> Self {
        Self(vec![bytes])
    }
}

impl IntoIterator for Pieces {
    type Item = Bytes;
    type IntoIter = std::vec::IntoIter<Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Writes a body out of stretches of another one and new text.
pub(super) struct Joiner<'a> {
    source: &'a Bytes,
    pieces: Vec<Bytes>,
    open: Vec<u8>,
}

impl<'a> Joiner<'a> {
    pub(super) fn new(source: &'a Bytes) -> Self {
        Self { source, pieces: Vec::new(), open: Vec::with_capacity(source.len().min(WORTH) + 64) }
    }

    /// Takes over a stretch of the source.
    pub(super) fn keep(&mut self, stretch: &[u8]) {
        if stretch.len() < WORTH {
            return self.put(stretch);
        }
        self.close();
        self.pieces.push(self.source.slice_ref(stretch));
    }

    /// Adds new text.
    pub(super) fn put(&mut self, text: &[u8]) {
        self.open.extend_from_slice(text);
    }

    pub(super) fn end(mut self) -> Pieces {
        self.close();
        Pieces(self.pieces)
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.pieces.push(std::mem::take(&mut self.open).into());
        }
    }
}
