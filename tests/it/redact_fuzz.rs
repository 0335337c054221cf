//! Whatever stands in a text, searching it neither fails nor lies, and a masked prompt comes back as it was.

use std::time::{Duration, Instant};

use bytes::Bytes;
use keywheel::config::{Nation, Redact};
use keywheel::kit::Secret;
use keywheel::redact::{Flow, Known, Restorer, pass};
use keywheel::wire::{Call, Json, Payload};
use serde_json::{Value, json};

const SECRET: &str = "the known \"secret\" of 2026/é";

/// Texts that the mutator starts from: beginnings of all that the rules look for.
const KEPT: [&str; 16] = [
    "Authorization: Bearer abcDEF123456ghiJKL789 and Basic dXNlcjpwYXNzd29yZA==",
    "{\"password\": \"hunter2!\", \"api_key\": \"a1b2c3d4e5f6a7b8c9d0\", \"n\": [1, {}]}",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAabcdefghijklmnopqrstuvwxyz0123456789\n-----END",
    "jane.doe+x@mail.example.org, mailto:a@b.co, git@host.org:x, %40 a%40b.de @ @@ x@",
    "4111 1111 1111 1111 / 378282246310005 / DE89 3704 0044 0532 0130 00 / GB82WEST12345698765432",
    "+49 30 901820-33 (415) 555-0132 415.555.0132 +1-415-555-0132 ++ +4",
    "postgres://user:p4ss@host/db?sig=abc https://x:y@[::1]/ ://:@ amqp://a:b:c@d",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghijk SG.x.y 12345678:AAx ",
    "sk-ant-api03-x SK0123456789abcdef0123456789abcdef AKIAIOSFODNN7EXAMPLE x.atlasv1.y 8Q~ JQQJ99 -us1",
    "AccountKey=x==;SharedAccessKey=y; hooks.slack.com/services/T/B/c /api/webhooks/123/x",
    "\\n\\u00e9\\\"\\\\ [email-1] [card-12] [secret-1] [ [e ]",
    "{\"messages\":[{\"role\":\"user\",\"content\":\"a \\ud83d\\ude00 \\n b@c.de\"}]}",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"[emai\"}}]}\n\ndata: [DONE]\n\n",
    "the known \"secret\" of 2026/é and more",
    "529.982.247-25 046 454 286 12345678Z 536-90-4399 2 55 08 14 168 025 38",
    "secret: token= password := '' pwd=\" cookie:\u{0} é\u{10FFFF}",
];

struct Mutator(u64);

impl Mutator {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below.max(1)
    }

    /// Cuts, joins, repeats and disturbs what is kept.
    fn text(&mut self) -> String {
        let mut text: Vec<char> = Vec::new();
        for _ in 0..1 + self.next(3) {
            let kept: Vec<char> = KEPT[self.next(KEPT.len())].chars().collect();
            let from = if self.next(2) == 0 { 0 } else { self.next(kept.len()) };
            text.extend(&kept[from..]);
            if self.next(3) == 0 {
                text.extend(SECRET.chars());
            }
        }
        for _ in 0..self.next(6) {
            let at = self.next(text.len());
            match self.next(5) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, char::from(self.next(128) as u8)),
                2 => text.truncate(at + 1),
                3 => text[at] = ['"', '\\', '@', '+', '-', '4', ' ', 'é'][self.next(8)],
                _ => {
                    let part = text[at..(at + 9).min(text.len())].to_vec();
                    text.splice(at..at, part);
                }
            }
            if text.is_empty() {
                text.push('x');
            }
        }
        text.into_iter().collect()
    }
}

fn known() -> Known {
    let known = Known::default();
    known.learn(&Secret::new(SECRET));
    known.heed(&[Nation::Br, Nation::Ca, Nation::De, Nation::Es, Nation::Fr, Nation::Nl, Nation::Pl, Nation::Us]);
    known
}

fn searched(known: &Known, text: &str, cut: usize) {
    let hits = known.hits(text.as_bytes()).expect("searched");
    let in_order = hits.windows(2).all(|pair| pair[0].end <= pair[1].start);
    assert!(in_order && hits.iter().all(|hit| hit.start < hit.end && hit.end <= text.len()), "{hits:?}");
    let clean = known.clean_str(text);
    assert!(!clean.contains(SECRET), "{clean}");
    let mut flow = Flow::new(known.clone());
    let (head, tail) = text.as_bytes().split_at(cut % (text.len() + 1));
    let out = [flow.push(head), flow.push(tail), flow.end()].concat();
    assert_eq!(String::from_utf8_lossy(&out), clean);
}

/// Masks a prompt that holds the text, lets a lab repeat it in pieces, and listens.
fn repeated(known: &Known, text: &str, mutator: &mut Mutator) {
    let body = json!({"messages": [{"role": "user", "content": text}]});
    let payload = Payload::Json(Json::parse(Bytes::from(body.to_string())).expect("an object"));
    let call = Call { stream: true, payload, ..crate::redact::plain() };
    let call = pass(call, Redact::Mask, known).expect("masked");
    let sent: Value = serde_json::from_slice(&call.splice(&[]).joined()).expect("JSON");
    let sent = sent["messages"][0]["content"].as_str().expect("text");
    assert!(!sent.contains(SECRET), "{sent}");
    let Some(masks) = call.masks() else { return assert_eq!(sent, text) };
    let (mut stream, mut rest) = (String::new(), sent.chars().peekable());
    while rest.peek().is_some() {
        let bit: String = rest.by_ref().take(1 + mutator.next(9)).collect();
        stream += &format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": bit}}]}));
    }
    let mut restorer = Restorer::events(masks);
    let size = 1 + mutator.next(200);
    let mut out: Vec<u8> = stream.as_bytes().chunks(size).flat_map(|chunk| restorer.push(chunk)).collect();
    out.extend(restorer.end());
    let out = String::from_utf8(out).expect("UTF-8");
    let datas = out.split("\n\n").filter_map(|frame| frame.strip_prefix("data: "));
    let bits = datas.map(|data| serde_json::from_str::<Value>(data).expect("JSON"));
    let said: String =
        bits.map(|bit| bit["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(said, text, "sent as {sent}");
    // no answer, however broken, stops it
    let mut restorer = Restorer::events(call.masks().expect("masks"));
    drop([restorer.push(text.as_bytes()), restorer.push(b"\n\n"), restorer.end()]);
    let mut restorer = Restorer::whole(call.masks().expect("masks"));
    drop([restorer.push(text.as_bytes()), restorer.end()]);
}

#[test]
fn nothing_that_is_searched_or_masked_breaks_or_gets_lost() {
    let seconds = std::env::var("KEYWHEEL_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let (end, known, mut mutator, mut rounds) =
        (Instant::now() + Duration::from_secs(seconds), known(), Mutator(20_261_121), 0);
    while Instant::now() < end || rounds < 200 {
        let (text, before) = (mutator.text(), mutator.0);
        let round = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            searched(&known, &text, mutator.next(1 << 20));
            repeated(&known, &text, &mut mutator);
        }));
        if let Err(panic) = round {
            eprintln!("round {rounds}, seed {before}: {text:?}");
            std::panic::resume_unwind(panic);
        }
        rounds += 1;
    }
    eprintln!("{rounds} rounds");
}
