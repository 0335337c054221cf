//! Calls as HAR 1.2 (<http://www.softwareishard.com/blog/har-12-spec/>): written, and read for a replay.

use http::StatusCode;
use serde_json::{Value, json};

use crate::operator::exchanged::{BodyRow, Exchanged, GotRow, SentRow};
use crate::wire::said;
use crate::workflows::replay::{Outcome, Past};

/// What stands before the first entry, and behind the last: entries are written one by one, however many there are.
pub fn frame() -> (String, &'static str) {
    let creator = json!({"name": "keywheel", "version": env!("CARGO_PKG_VERSION")});
    (format!("{{\"log\":{{\"version\":\"1.2\",\"creator\":{creator},\"entries\":["), "]}}")
}

/// A call as an entry. `base` is the gateway's address, `http://127.0.0.1:4141`.
pub fn entry(call: &Exchanged, base: &str) -> Value {
    let row = &call.call;
    let (wait, receive) = (
        call.first_byte_ms.unwrap_or(row.total_ms),
        call.first_byte_ms.map_or(0, |first| row.total_ms.saturating_sub(first)),
    );
    json!({
        "startedDateTime": row.at,
        "time": row.total_ms,
        "request": request(call, base),
        "response": response(call),
        "cache": {},
        "timings": {"send": 0, "wait": wait, "receive": receive},
        "_id": row.id,
        "_provider": row.provider,
        "_account": row.account,
        "_model": row.model,
        "_outcome": row.outcome,
        "_usage": row.usage,
        "_cost_usd": row.cost_usd,
        "_first_byte_ms": call.first_byte_ms,
        "_tries": call.tries,
    })
}

/// The entries of anybody's HAR file, as far as a replay needs them.
pub fn read(text: &[u8]) -> Result<Vec<Past>, String> {
    let har: Value = serde_json::from_slice(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let entries = har["log"]["entries"].as_array().ok_or("it is no HAR file: it has no log.entries")?;
    Ok(entries.iter().map(read_entry).collect())
}

fn read_entry(entry: &Value) -> Past {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (request, response) = (&entry["request"], &entry["response"]);
    let url = text(&request["url"]);
    let target = url.split_once("/v1/").map_or(url.as_str(), |(_, target)| target);
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query.to_owned())));
    let pair = |pair: &Value| (text(&pair["name"]), text(&pair["value"]));
    let (posted, content) = (&request["postData"], &response["content"]);
    let rules = posted["_rules"].as_array().into_iter().flatten().map(text).collect();
    let sent = text(&posted["text"]);
    let answer = content["text"].as_str().filter(|_| content["encoding"].is_null() && content["_lacks"].is_null());
    let number = |value: &Value| value.as_f64().filter(|ms| *ms >= 0.0).map(|ms| ms.round() as u64);
    let id = entry["_id"].as_str().map(str::to_owned);
    let request = SentRow {
        method: text(&request["method"]),
        path: path.to_owned(),
        query,
        headers: request["headers"].as_array().into_iter().flatten().map(pair).collect(),
        body: BodyRow {
            kind: text(&posted["mimeType"]),
            size: sent.len() as u64,
            digest: None,
            text: sent,
            rules,
            lacks: posted["_lacks"].as_str().map(str::to_owned),
        },
    };
    let then = Outcome {
        id: id.clone(),
        model: match (entry["_provider"].as_str(), entry["_model"].as_str()) {
            (Some(provider), Some(model)) => format!("{provider}/{model}"),
            (None, model) => model.unwrap_or("–").to_owned(),
            (Some(provider), None) => provider.to_owned(),
        },
        status: response["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default(),
        answer: answer.map(|answer| said(&text(&content["mimeType"]), answer.as_bytes())),
        usage: serde_json::from_value(entry["_usage"].clone()).ok(),
        cost_usd: entry["_cost_usd"].as_str().map(str::to_owned),
        first_byte_ms: number(&entry["_first_byte_ms"]),
        total_ms: number(&entry["time"]).unwrap_or_default(),
    };
    Past { id, request: Some(request), project: None, then }
}

fn request(call: &Exchanged, base: &str) -> Value {
    let sent = call.request.as_ref();
    let path = sent.map_or(call.call.endpoint.as_str(), |sent| &sent.path);
    let query = sent.and_then(|sent| sent.query.as_deref()).filter(|query| !query.is_empty());
    let url = format!("{base}/v1/{path}{}", query.map(|query| format!("?{query}")).unwrap_or_default());
    let pairs =
        query.into_iter().flat_map(|query| query.split('&')).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query: Vec<Value> = pairs.map(|(name, value)| json!({"name": name, "value": value})).collect();
    let mut request = json!({
        "method": sent.map_or("POST", |sent| &sent.method),
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": sent.map(|sent| headers(&sent.headers)).unwrap_or_default(),
        "queryString": query,
        "headersSize": -1,
        "bodySize": sent.map_or(-1, |sent| size(&sent.body)),
    });
    if let Some(SentRow { body, .. }) = sent {
        request["postData"] = json!({
            "mimeType": body.kind, "text": body.text, "_rules": body.rules, "_lacks": body.lacks, "_digest": body.digest,
        });
    }
    request
}

fn response(call: &Exchanged) -> Value {
    let got = call.answer.as_ref();
    let status = got.map_or(call.call.status, |got| got.status);
    let words = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let mut content = json!({"size": got.map_or(0, |got| size(&got.body)), "mimeType": "x-unknown"});
    if let Some(GotRow { body, pieces, .. }) = got {
        content["mimeType"] = json!(body.kind);
        content["text"] = json!(body.text);
        content["_rules"] = json!(body.rules);
        content["_lacks"] = json!(body.lacks);
        content["_pieces"] = json!(pieces);
    }
    json!({
        "status": status,
        "statusText": words.unwrap_or_default(),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": got.map(|got| headers(&got.headers)).unwrap_or_default(),
        "content": content,
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": got.map_or(-1, |got| size(&got.body)),
    })
}

fn headers(headers: &[(String, String)]) -> Vec<Value> {
    headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn size(body: &BodyRow) -> i64 {
    i64::try_from(body.size).unwrap_or(i64::MAX)
}
