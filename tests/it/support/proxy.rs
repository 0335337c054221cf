//! Forward proxies that count what they carry: http (CONNECT and absolute form), the same inside TLS, socks5.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use keywheel::sim::lab::Identity;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// A proxy on a thread of its own; it stops when dropped.
pub struct Proxy {
    scheme: &'static str,
    addr: SocketAddr,
    carried: Book,
    runtime: Option<Runtime>,
}

/// One connection that a proxy carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// `CONNECT`, `absolute` or `socks5`.
    pub how: &'static str,
    /// The `host:port` that the client named.
    pub target: String,
    /// What it sent to be let in: `proxy-authorization`, or `user:password`.
    pub credentials: Option<String>,
}

type Book = Arc<Mutex<Vec<Carried>>>;

#[derive(Clone, Copy)]
enum Kind {
    Http,
    Socks,
}

impl Proxy {
    /// `http://`.
    pub fn http() -> Self {
        Self::start("http", Kind::Http, None)
    }

    /// `https://`: the way to the proxy itself is TLS.
    pub fn https(identity: Identity) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(identity.chain, identity.key))
            .expect("a TLS configuration");
        Self::start("https", Kind::Http, Some(Arc::new(config).into()))
    }

    /// `socks5h://`.
    pub fn socks5() -> Self {
        Self::start("socks5h", Kind::Socks, None)
    }

    /// Its URL, for a client's configuration.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.addr)
    }

    /// All it has carried.
    pub fn carried(&self) -> Vec<Carried> {
        self.carried.lock().expect("nobody panics with it").clone()
    }

    fn start(scheme: &'static str, kind: Kind, tls: Option<TlsAcceptor>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let addr = listener.local_addr().expect("an address");
        let carried = Book::default();
        let book = Arc::clone(&carried);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((socket, _)) = listener.accept().await {
                drop(socket.set_nodelay(true));
                let (tls, book) = (tls.clone(), Arc::clone(&book));
                // a broken connection is the client's to notice
                tokio::spawn(async move {
                    match tls {
                        None => carry(socket, kind, book).await,
                        Some(tls) => carry(tls.accept(socket).await?, kind, book).await,
                    }
                });
            }
        });
        Self { scheme, addr, carried, runtime: Some(runtime) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn carry<S: AsyncRead + AsyncWrite + Unpin>(client: S, kind: Kind, book: Book) -> io::Result<()> {
    match kind {
        Kind::Http => http(client, book).await,
        Kind::Socks => socks(client, book).await,
    }
}

fn note(book: &Book, carried: Carried) {
    book.lock().expect("nobody panics with it").push(carried);
}

async fn reach(target: &str) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(target).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

async fn http<S: AsyncRead + AsyncWrite + Unpin>(mut client: S, book: Book) -> io::Result<()> {
    let (head, rest) = head(&mut client).await?;
    let mut lines = head.split("\r\n");
    let request: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, uri, version] = request[..] else { return Err(io::ErrorKind::InvalidData.into()) };
    let (hop, kept): (Vec<&str>, Vec<&str>) = lines.partition(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("proxy-") || line.starts_with("connection:")
    });
    let credentials = hop.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("proxy-authorization").then(|| value.trim().to_owned())
    });
    if method == "CONNECT" {
        note(&book, Carried { how: "CONNECT", target: uri.to_owned(), credentials });
        let mut server = reach(uri).await?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        server.write_all(&rest).await?;
        return copy_bidirectional(&mut client, &mut server).await.map(drop);
    }
    let plain = uri.strip_prefix("http://").ok_or(io::ErrorKind::InvalidData)?;
    let (target, path) = plain.split_once('/').unwrap_or((plain, ""));
    note(&book, Carried { how: "absolute", target: target.to_owned(), credentials });
    let mut server = reach(target).await?;
    // one request for each connection, so that each is counted
    let head = format!("{method} /{path} {version}\r\nconnection: close\r\n{}\r\n\r\n", kept.join("\r\n"));
    server.write_all(head.as_bytes()).await?;
    server.write_all(&rest).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// A request's head without its blank line, and what came after it.
async fn head<S: AsyncRead + Unpin>(client: &mut S) -> io::Result<(String, Vec<u8>)> {
    let mut heard = Vec::new();
    loop {
        if client.read_buf(&mut heard).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = heard.split_off(end + 4);
            heard.truncate(end);
            return Ok((String::from_utf8_lossy(&heard).into_owned(), rest));
        }
    }
}

/// RFC 1928, CONNECT only, with RFC 1929 user and password where the client offers them.
async fn socks<S: AsyncRead + AsyncWrite + Unpin>(mut client: S, book: Book) -> io::Result<()> {
    let mut hello = [0; 2];
    client.read_exact(&mut hello).await?;
    let mut methods = vec![0; hello[1].into()];
    client.read_exact(&mut methods).await?;
    let mut credentials = None;
    if methods.contains(&2) {
        client.write_all(&[5, 2]).await?;
        client.read_u8().await?;
        let (user, password) = (short(&mut client).await?, short(&mut client).await?);
        credentials = Some(format!("{user}:{password}"));
        client.write_all(&[1, 0]).await?;
    } else {
        client.write_all(&[5, 0]).await?;
    }
    let mut ask = [0; 4];
    client.read_exact(&mut ask).await?;
    let host = match ask[3] {
        1 => std::net::Ipv4Addr::from(client.read_u32().await?).to_string(),
        3 => short(&mut client).await?,
        _ => format!("[{}]", std::net::Ipv6Addr::from(client.read_u128().await?)),
    };
    let target = format!("{host}:{}", client.read_u16().await?);
    note(&book, Carried { how: "socks5", target: target.clone(), credentials });
    let mut server = reach(&target).await?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// A string behind one byte of length.
async fn short<S: AsyncRead + Unpin>(client: &mut S) -> io::Result<String> {
    let mut text = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut text).await?;
    String::from_utf8(text).map_err(|_| io::ErrorKind::InvalidData.into())
}
