//! The provider behind every target: it answers at once, or in chunks, and does as little as it can.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};

use super::work::GAP;
use super::{Done, Outcome, bodies};

/// The argument that makes this process the upstream.
pub(crate) const ROLE: &str = "upstream";

struct Answers {
    whole: Bytes,
    frames: Arc<[Bytes]>,
}

/// Serves until stdin closes; the first line on stdout says where.
pub(crate) fn run() -> Done {
    std::thread::spawn(|| {
        // whoever started us has gone, or wants us to
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve())
}

async fn serve() -> Outcome<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let answers = Arc::new(Answers { whole: bodies::answer(), frames: bodies::frames().into() });
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let answers = Arc::clone(&answers);
        let service = service_fn(move |request| answer(Arc::clone(&answers), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

async fn answer(
    answers: Arc<Answers>,
    request: Request<Incoming>,
) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, hyper::Error> {
    let mut body = request.into_body();
    let (mut burst, mut paced) = (false, false);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        // only the bodies of streams are this small; the model is found whether or not its provider was cut off
        if data.len() < 200 {
            burst |= memchr::memmem::find(&data, b"burst\"").is_some();
            paced |= memchr::memmem::find(&data, b"paced\"").is_some();
        }
    }
    let (kind, body) = match (burst, paced) {
        (false, false) => ("application/json", Full::new(answers.whole.clone()).boxed_unsync()),
        (_, paced) => ("text/event-stream", streamed(Arc::clone(&answers.frames), paced)),
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}

fn streamed(frames: Arc<[Bytes]>, paced: bool) -> UnsyncBoxBody<Bytes, Infallible> {
    let began = Instant::now();
    let body = stream::unfold(0_u32, move |at| {
        let frame = frames.get(at as usize).cloned();
        async move {
            let frame = frame?;
            if paced {
                sleep_until(began + GAP * at).await;
            }
            Some((Ok(Frame::data(frame)), at + 1))
        }
    });
    StreamBody::new(body).boxed_unsync()
}
