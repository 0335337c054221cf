//! The load: asks a target over many connections, checks every answer, and says how long they took.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::work::{Pace, Work};
use super::{Done, Outcome, bodies};

/// The argument that makes this process the load; the order follows as JSON.
pub(crate) const ROLE: &str = "load";

/// What to ask of whom.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) addr: SocketAddr,
    pub(crate) key: String,
    pub(crate) work: Work,
    pub(crate) pace: Pace,
    pub(crate) connections: usize,
    /// How long it is measured, after a quarter as long to warm up.
    pub(crate) window: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// All requests, those of the warm-up too.
    pub(crate) requests: usize,
    /// Requests a second within the window.
    pub(crate) rate: f64,
    /// Milliseconds to the first byte of the body and to the last one, of the requests within the window.
    pub(crate) first: Spread,
    pub(crate) whole: Spread,
}

/// How times are spread.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// One answer: when it was asked for, and how long its first and its last byte took.
struct Sample {
    asked: Instant,
    first: Duration,
    whole: Duration,
}

/// Does what was ordered and writes the tally to stdout.
pub(crate) fn run(order: &str) -> Done {
    let order: Order = serde_json::from_str(order)?;
    let tally = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(ask(order))?;
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&tally)?)?)
}

async fn ask(order: Order) -> Outcome<Tally> {
    let order = Arc::new(order);
    let samples = Arc::new(Mutex::new(Vec::new()));
    // connections come up one by one: a burst of them would measure the accept queue
    let mut open = Vec::with_capacity(order.connections);
    for _ in 0..order.connections {
        open.push(connect(order.addr).await?);
    }
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (at, sender) in open.into_iter().enumerate() {
        tasks.spawn(drive(sender, Arc::clone(&order), at, start, Arc::clone(&samples)));
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let samples = std::mem::take(&mut *samples.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(tally(&order, start, &samples))
}

async fn connect(addr: SocketAddr) -> Outcome<SendRequest<Full<Bytes>>> {
    let socket = TcpStream::connect(addr).await?;
    socket.set_nodelay(true)?;
    let (sender, line) = http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(line);
    Ok(sender)
}

/// One connection until the time is over.
async fn drive(
    mut sender: SendRequest<Full<Bytes>>,
    order: Arc<Order>,
    at: usize,
    start: Instant,
    samples: Arc<Mutex<Vec<Sample>>>,
) -> Outcome<()> {
    let end = start + order.window * 5 / 4;
    let (headers, body) = (headers(&order)?, bodies::request(order.work));
    let mut own = Vec::with_capacity(1024);
    let mut due = start;
    let step = match order.pace {
        Pace::Closed => Duration::ZERO,
        Pace::Rate(rate) => Duration::from_secs(1) * u32::try_from(order.connections)? / rate,
    };
    due += step * u32::try_from(at)? / u32::try_from(order.connections)?;
    while Instant::now() < end && due < end {
        // a timer wakes late by up to a millisecond, which is not the target's fault; a late answer is
        let mut asked = Instant::now();
        if asked < due {
            sleep_until(due).await;
            asked = Instant::now();
        } else if step > Duration::ZERO {
            asked = due;
        }
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/v1/chat/completions");
        *request.headers_mut() = headers.clone();
        sender.ready().await?;
        own.push(exchange(&mut sender, request, order.work, asked).await?);
        due += step;
    }
    samples.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
    Ok(())
}

fn headers(order: &Order) -> Outcome<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::try_from(order.addr.to_string())?);
    headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {}", order.key))?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("user-agent", HeaderValue::from_static("keywheel-bench"));
    Ok(headers)
}

/// Asks once, and fails when the answer is not the upstream's.
async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
    work: Work,
    asked: Instant,
) -> Outcome<Sample> {
    let response = sender.send_request(request).await?;
    let status = response.status();
    let mut body = response.into_body();
    let (mut first, mut bytes, mut tail) = (None, 0, Bytes::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        first.get_or_insert_with(|| asked.elapsed());
        bytes += data.len();
        tail = data;
    }
    let whole = asked.elapsed();
    if status != 200 || bytes != expected(work) {
        let told = String::from_utf8_lossy(&tail).into_owned();
        return Err(format!("a wrong answer to {}: {status}, {bytes} bytes, {told}", work.name()).into());
    }
    Ok(Sample { asked, first: first.unwrap_or(whole), whole })
}

/// The length of the right answer.
fn expected(work: Work) -> usize {
    static LENGTHS: OnceLock<[usize; 2]> = OnceLock::new();
    let [answer, stream] = LENGTHS.get_or_init(|| [bodies::answer().len(), bodies::frames().concat().len()]);
    if work.streams() { *stream } else { *answer }
}

fn tally(order: &Order, start: Instant, samples: &[Sample]) -> Tally {
    let (mut from, mut to) = (start + order.window / 4, start + order.window * 5 / 4);
    if order.work == Work::Paced {
        // a stream takes a second whoever passes it on, so all of them count
        from = start;
        to = samples.iter().map(|sample| sample.asked + sample.whole).max().unwrap_or(to);
    }
    let counted: Vec<&Sample> = samples.iter().filter(|sample| sample.asked >= from).collect();
    let ended = samples.iter().filter(|sample| (from..=to).contains(&(sample.asked + sample.whole))).count();
    Tally {
        requests: samples.len(),
        rate: ended as f64 / (to - from).as_secs_f64(),
        first: spread(counted.iter().map(|sample| sample.first).collect()),
        whole: spread(counted.iter().map(|sample| sample.whole).collect()),
    }
}

fn spread(mut times: Vec<Duration>) -> Spread {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    Spread { p50: at(50), p99: at(99) }
}
