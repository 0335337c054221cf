//! The plain TCP door.

use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::door::{Accepting, Arrival, Cut, Door, Standing, Wire};
use super::error::DoorError;
use super::port;

/// Connections that the kernel completes before they are accepted.
const BACKLOG: u32 = 1024;

/// A TCP port.
pub(super) struct Tcp {
    listener: TcpListener,
    at: SocketAddr,
}

impl Tcp {
    /// Takes a port. A taken one names its holder.
    pub(super) fn open(scheme: &str, addr: SocketAddr) -> Result<Self, DoorError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AddrInUse => DoorError::Taken(addr.port(), port::Holder::of(addr.port())),
            _ => DoorError::Listen(format!("{scheme}://{addr}"), error),
        };
        let bind = || {
            let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            // without it a restart would wait for the old connections' TIME_WAIT; on Windows it would share the port
            #[cfg(unix)]
            socket.set_reuseaddr(true)?;
            socket.bind(addr)?;
            let listener = socket.listen(BACKLOG)?;
            let at = listener.local_addr()?;
            Ok(Self { listener, at })
        };
        bind().map_err(failed)
    }

    /// Where it is after port 0 was resolved.
    pub(super) const fn addr(&self) -> SocketAddr {
        self.at
    }

    /// The next connection. Small frames go out at once: with Nagle's algorithm the second one of a stream would wait
    /// for a delayed acknowledgement.
    pub(super) async fn next(&self) -> io::Result<Line> {
        let (stream, _) = self.listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(Line { stream, cut: Cut::default() })
    }
}

impl Door for Tcp {
    fn url(&self) -> String {
        format!("tcp://{}", self.at)
    }

    fn accept(&mut self) -> Accepting<'_> {
        Box::pin(async {
            let line = self.next().await?;
            let cut = Arc::clone(&line.cut);
            let opening = Box::pin(ready(Ok(Box::new(line) as Box<dyn Wire>)));
            Ok(Arrival { opening, standing: Standing::Network, cut })
        })
    }
}

/// An accepted connection that can be told to end with a reset.
pub(super) struct Line {
    stream: TcpStream,
    pub(super) cut: Cut,
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.cut.load(Ordering::Relaxed) {
            // fails only on a connection that is gone already
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
