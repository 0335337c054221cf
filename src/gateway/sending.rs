//! A request's body on its way to a provider, piece by piece with a stated length.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::wire::Pieces;

/// Pieces that are yet to be sent.
pub(super) struct Sending {
    pieces: std::vec::IntoIter<Bytes>,
    left: u64,
}

impl Sending {
    /// The body of a request.
    pub(super) fn body(pieces: Pieces) -> reqwest::Body {
        let left = pieces.len() as u64;
        let mut pieces = pieces.into_iter();
        match pieces.len() {
            0 | 1 => pieces.next().unwrap_or_default().into(),
            _ => reqwest::Body::wrap(Self { pieces, left }),
        }
    }
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.next();
        self.left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
