//! Tells HTTP/1.1 from HTTP/2 with prior knowledge by a connection's first bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::door::Wire;

/// RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Http1,
    Http2,
}

/// Reads until the bytes can be told apart, and gives back a wire that begins with them. The caller bounds the time.
pub(super) async fn sniff(mut wire: Box<dyn Wire>) -> io::Result<(Speaks, Rewound)> {
    let mut first = [0; PREFACE.len()];
    let mut have = 0;
    let speaks = loop {
        let read = wire.read(&mut first[have..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        have += read;
        if first[..have] != PREFACE[..have] {
            break Speaks::Http1;
        }
        if have == PREFACE.len() {
            break Speaks::Http2;
        }
    };
    Ok((speaks, Rewound { first: Bytes::copy_from_slice(&first[..have]), wire }))
}

/// A wire whose first bytes have been read and are read again.
pub(super) struct Rewound {
    first: Bytes,
    wire: Box<dyn Wire>,
}

impl AsyncRead for Rewound {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.wire).poll_read(cx, buf);
        }
        let count = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first[..count]);
        self.first.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_version_is_told_however_the_bytes_are_cut_and_none_of_them_is_lost() {
        let cases = [("GET / HTTP/1.1\r\n", Speaks::Http1), ("PRIVATE /", Speaks::Http1)];
        let h2 = format!("{}\0\0\0\u{4}", String::from_utf8_lossy(PREFACE));
        for (text, speaks) in cases.into_iter().chain([(h2.as_str(), Speaks::Http2)]) {
            let (mut client, server) = tokio::io::duplex(1);
            let sent = text.to_owned();
            let writing = tokio::spawn(async move { client.write_all(sent.as_bytes()).await });
            let (told, mut wire) = sniff(Box::new(server)).await.expect("enough bytes");
            let mut all = String::new();
            wire.read_to_string(&mut all).await.expect("the rest");
            writing.await.expect("no panic").expect("all was read");
            assert_eq!((told, all.as_str()), (speaks, text));
        }
    }
}
