//! The lab's door: accepts connections, reads requests whole, plays answers, and notices clients that leave.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderValue, Method, Request, Response, Version, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Identity;
use super::Script;
use super::journal::{Journal, Seen, Visit};
use super::keyring::Keyring;
use super::play::Link;
use super::queue::Scripts;
use super::rate::Rate;
use crate::sim::answer::{Answer, Step};
use crate::sim::engine::Engine;
use crate::sim::persona::At;

type Body = StreamBody<Pin<Box<dyn Stream<Item = io::Result<Frame<Bytes>>> + Send>>>;

/// How long GOAWAY may take to be written.
const GOAWAY: Duration = Duration::from_millis(10);

/// All that a connection needs.
pub(super) struct Room {
    pub(super) engine: Engine,
    pub(super) keyring: Arc<Keyring>,
    pub(super) scripts: Scripts,
    pub(super) journal: Journal,
    pub(super) rate: Rate,
    pub(super) max_streams: u32,
}

/// TLS that offers HTTP/2 and HTTP/1.1.
pub(super) fn acceptor(identity: Identity) -> io::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(identity.chain, identity.key))
        .map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}

/// Accepts until the runtime ends.
pub(super) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, room: Arc<Room>) {
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok((socket, peer)) = listener.accept().await else {
            // out of descriptors: some may come back
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        room.journal.connections.fetch_add(1, Ordering::SeqCst);
        open.spawn(connection(socket, peer, tls.clone(), Arc::clone(&room)));
    }
}

async fn connection(socket: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>, room: Arc<Room>) {
    if socket.set_nodelay(true).is_err() {
        return;
    }
    match tls {
        None => serve(socket, peer, room).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(socket).await {
                serve(stream, peer, room).await;
            }
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, peer: SocketAddr, room: Arc<Room>) {
    let retire = Arc::new(Notify::new());
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(room.max_streams);
    let service = service_fn(|request| answer(Arc::clone(&room), peer, Arc::clone(&retire), request));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    loop {
        tokio::select! {
            // how a connection ends is the client's affair or the script's
            _ = connection.as_mut() => return,
            () = retire.notified() => connection.as_mut().graceful_shutdown(),
        }
    }
}

async fn answer(
    room: Arc<Room>,
    peer: SocketAddr,
    retire: Arc<Notify>,
    request: Request<Incoming>,
) -> io::Result<Response<Body>> {
    let (parts, incoming) = request.into_parts();
    let key = room.keyring.name(&parts.headers);
    let mut visit = Visit::begin(
        Arc::clone(&room),
        Seen {
            at: Instant::now(),
            key: key.clone(),
            method: parts.method.clone(),
            path_and_query: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            headers: parts.headers.clone(),
            body: Bytes::new(),
            peer,
            http_version: parts.version,
            ended: None,
            closed: None,
        },
    );
    let body = read(incoming, &mut visit).await?;
    // look-ups are no calls: whoever queues a script does not want a model list to use it up
    let script = if parts.method == Method::GET { Script::usual() } else { room.scripts.next(&key) };
    let (method, uri, version) = (parts.method.clone(), parts.uri.clone(), parts.version);
    let at = At { method: &method, path: uri.path(), query: uri.query() };
    let looked_up = parts.method == Method::GET;
    let counted = if looked_up { Ok(None) } else { room.rate.count(&key, &room.engine, &at) };
    let (answer, link) = match counted {
        Err(refusal) => (Some(*refusal), Link::Keep),
        Ok(throttle) => {
            let usual = || room.engine.answer(&key, Request::from_parts(parts, body));
            let (answer, link) = script.play(&room.engine, &at, usual);
            let told = |answer| throttle.iter().fold(answer, |answer, throttle| room.engine.counted(answer, throttle));
            (answer.map(told), link)
        }
    };
    let Some(answer) = answer else {
        visit.end();
        return Err(io::ErrorKind::ConnectionAborted.into());
    };
    tokio::time::sleep(answer.delay).await;
    let mut response = respond(answer, visit);
    if link == Link::Retire && version == Version::HTTP_2 {
        retire.notify_one();
        // GOAWAY leaves before the answer does, so that the client cannot use the connection again by chance
        tokio::time::sleep(GOAWAY).await;
    } else if link == Link::Retire {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// Reads a body whole; when the client leaves in the middle, what had arrived is recorded.
async fn read(mut incoming: Incoming, visit: &mut Visit) -> io::Result<Bytes> {
    let mut body = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => body.extend_from_slice(frame.data_ref().map_or(&[], |data| data.as_ref())),
            Err(error) => {
                visit.arrived(body.freeze());
                return Err(io::Error::other(error));
            }
        }
    }
    let body = body.freeze();
    visit.arrived(body.clone());
    Ok(body)
}

fn respond(answer: Answer, mut visit: Visit) -> Response<Body> {
    let mut response = Response::new(());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers.clone();
    let streamed = answer.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    let whole = !streamed && answer.steps.iter().all(|step| matches!(step, Step::Bytes(_)));
    let length = whole.then(|| answer.bytes().len());
    if let Some(length) = length {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if length == Some(0) {
        visit.end();
    }
    let chunks = answer.into_body().map(Some).chain(stream::iter([None]));
    let mut sent = 0;
    let followed = chunks.scan(visit, move |visit, chunk| {
        sent += chunk.as_ref().and_then(|chunk| chunk.as_ref().ok()).map_or(0, Bytes::len);
        // nobody asks for the end of a body whose length is known
        if !matches!(chunk, Some(Ok(_))) || length == Some(sent) {
            visit.end();
        }
        std::future::ready(chunk.map(|chunk| chunk.map(Frame::data)))
    });
    response.map(|()| StreamBody::new(Box::pin(followed) as _))
}
