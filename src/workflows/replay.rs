//! A call that was kept, placed again: byte for byte what was sent, or with another model's name in it, and a comparison
//! of what came of it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use crate::operator::exchanged::{BodyRow, Exchanged, SentRow};
use crate::operator::{Ask, Operator, Placed, Refusal, Reply, RequestRow, Tokens};
use crate::wire::{Edit, Endpoint, Json, said};

/// Headers of the first call that say something of its client's connection and nothing of what it asked.
const NOT_AGAIN: [&str; 14] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "origin",
    "referer",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-request-id",
    "x-forwarded-for",
    "x-real-ip",
];
/// Nor those by which SDKs describe themselves, nor credentials out of a foreign file, nor what was redacted.
const NO_PREFIX: [&str; 3] = ["x-stainless-", "x-keywheel-", "sec-"];
const CREDENTIALS: [&str; 5] = ["authorization", "api-key", "x-api-key", "x-goog-api-key", "cookie"];

/// A call of the past: what to send again, and what came of it then.
#[derive(Clone, Debug)]
pub struct Past {
    /// Its id in the ledger; absent where it comes from a foreign file.
    pub id: Option<String>,
    /// What was sent; `None` when it was not kept.
    pub request: Option<SentRow>,
    /// The project that it counted for.
    pub project: Option<String>,
    /// What came of it.
    pub then: Outcome,
}

/// What came of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The call's id; absent where it comes from a foreign file.
    pub id: Option<String>,
    /// The provider and model that answered.
    pub model: String,
    /// The status.
    pub status: u16,
    /// The words of the answer; absent where it was not kept.
    pub answer: Option<String>,
    /// Tokens, where the answer told them.
    pub usage: Option<Tokens>,
    /// USD as a decimal string; absent when unpriced.
    pub cost_usd: Option<String>,
    /// Milliseconds to the first byte.
    pub first_byte_ms: Option<u64>,
    /// Milliseconds from arrival to end.
    pub total_ms: u64,
}

/// How a call is placed again.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Ask this model instead.
    pub model: Option<String>,
    /// Send what redaction left of a body too.
    pub redacted: bool,
    /// Only calls whose paths are asked for words, since others may have effects of their own.
    pub harmless: bool,
}

/// A call and its replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// What came of it the first time.
    pub then: Outcome,
    /// And now.
    pub now: Outcome,
    /// Whether both said the same; absent where one of the answers is not known.
    pub same_answer: Option<bool>,
}

/// Why a call cannot be placed again; the words say what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unrepeatable(String);

impl Past {
    /// From the ledger and history.
    pub fn of(call: Exchanged) -> Self {
        let Exchanged { call: row, first_byte_ms, project, request, answer, .. } = call;
        let kept = answer.filter(|answer| answer.body.lacks.is_none());
        let answer = kept.map(|answer| said(&answer.body.kind, answer.body.text.as_bytes()));
        Self { id: Some(row.id.clone()), request, project, then: outcome(row, first_byte_ms, answer) }
    }

    /// What to send; else why it cannot be sent.
    pub fn placed(&self, terms: &Terms) -> Result<Placed, Unrepeatable> {
        let no = |words: String| Err(Unrepeatable(words));
        let Some(SentRow { method, path, query, headers, body }) = &self.request else {
            return no("its body was not kept; see [capture] in the settings".to_owned());
        };
        let BodyRow { text, rules, lacks, .. } = body;
        if let Some(lacks) = lacks {
            return no(format!("not all of its body is there: {lacks}"));
        }
        let typed = !matches!(Endpoint::from_path(path), Endpoint::Other(_));
        if method != "POST" || text.is_empty() {
            return no(format!("{method} {path} asks no model"));
        }
        if terms.harmless && !typed {
            return no(format!("{path} may have effects of its own; replay it alone, by its id"));
        }
        if !rules.is_empty() && !terms.redacted {
            let rules = rules.join(", ");
            return no(format!("redaction changed its body ({rules}); send what is left with --redacted"));
        }
        let body =
            Json::parse(Bytes::copy_from_slice(text.as_bytes())).map_err(|error| Unrepeatable(error.to_string()))?;
        let body = match &terms.model {
            Some(model) => body.splice(&[Edit::set_str("model", model)]).into_iter().flatten().collect(),
            None => body.bytes().clone(),
        };
        let query = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(Placed { path: format!("{path}{query}"), headers: self.headers(headers, terms), body })
    }

    fn headers(&self, kept: &[(String, String)], terms: &Terms) -> HeaderMap {
        let again = |name: &str, value: &str| {
            !NOT_AGAIN.contains(&name)
                && !CREDENTIALS.contains(&name)
                && !NO_PREFIX.iter().any(|prefix| name.starts_with(prefix))
                && !value.contains("[redacted]")
        };
        let mut headers = HeaderMap::new();
        let mut put = |name: &str, value: &str| {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        };
        for (name, value) in kept {
            let name = name.to_ascii_lowercase();
            if again(&name, value) {
                put(&name, value);
            }
        }
        // a body that names no model was sent to a path or with a header that did
        if let Some(model) = &terms.model {
            put("x-keywheel-model", model);
        }
        self.id.iter().for_each(|id| put("x-keywheel-parent", id));
        self.project.iter().for_each(|project| put("x-keywheel-project", project));
        headers
    }
}

/// Places it again and reads the answer to its end.
pub async fn replay(operator: &dyn Operator, past: &Past, placed: Placed) -> Result<Compared, Refusal> {
    let began = Instant::now();
    let mut given = operator.call(placed).await?;
    let header = |name: &str| given.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (id, kind) = (header("x-keywheel-request-id"), header("content-type").unwrap_or_default());
    let (mut body, mut first, mut whole) = (Vec::new(), None, true);
    while let Some(piece) = given.body.next().await {
        first.get_or_insert_with(|| began.elapsed());
        match piece {
            Ok(piece) => body.extend_from_slice(&piece),
            Err(_) => {
                whole = false;
                break;
            }
        }
    }
    let answer = Some(said(&kind, &body)).filter(|_| whole);
    // what the ledger knows is exact; what we measured stands in where it does not answer
    let mut now = match &id {
        Some(id) => recorded(operator, id, answer.clone()).await,
        None => None,
    }
    .unwrap_or_else(|| Outcome {
        id,
        status: given.status.as_u16(),
        answer,
        first_byte_ms: first.map(millis),
        total_ms: millis(began.elapsed()),
        ..Outcome::default()
    });
    now.status = given.status.as_u16();
    let same_answer = past.then.answer.as_ref().zip(now.answer.as_ref()).map(|(then, now)| then == now);
    Ok(Compared { then: past.then.clone(), now, same_answer })
}

async fn recorded(operator: &dyn Operator, id: &str, answer: Option<String>) -> Option<Outcome> {
    match operator.ask(Ask::Exchange { id: id.to_owned() }).await {
        Ok(Reply::Exchanged(call)) => Some(outcome(call.call, call.first_byte_ms, answer)),
        _ => None,
    }
}

fn outcome(row: RequestRow, first_byte_ms: Option<u64>, answer: Option<String>) -> Outcome {
    let provider = row.provider.map(|provider| format!("{provider}/")).unwrap_or_default();
    Outcome {
        id: Some(row.id),
        model: format!("{provider}{}", row.model),
        status: row.status,
        answer,
        usage: row.usage,
        cost_usd: row.cost_usd,
        first_byte_ms,
        total_ms: row.total_ms,
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
