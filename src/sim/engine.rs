//! The scripted upstream without sockets: a request in, an answer out, as the persona's vendor would give it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};

use super::answer::{Answer, Step};
use super::ask::Ask;
use super::chat::{self, Head};
use super::model::{self, Limits, Turn};
use super::persona::{At, Persona, Vendor};
use super::refusal::{Refusal, Throttle};
use super::responses;
use super::simple;
use super::{FILTERED, TOO_LONG};
use crate::kit::Clock;
use crate::wire::Endpoint;

/// Which keys the engine takes.
pub type Gate = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A scripted upstream.
pub struct Engine {
    vendor: &'static dyn Vendor,
    models: Vec<String>,
    any_model: bool,
    gate: Gate,
    limits: Limits,
    answered: AtomicU64,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("models", &self.models).finish_non_exhaustive()
    }
}

impl Engine {
    /// The offline provider: the models `echo`, `tools`, `slow` and `limited`, and no key needed. Paths may begin with
    /// `/v1` or not; models are named without `sim/`.
    pub fn offline() -> Self {
        Self::new(Persona::Generic, &[], Arc::new(|_| true))
    }

    /// An upstream with a vendor's manners. It offers the offline models, the persona's own, and `models`; a persona
    /// without models of its own takes any name when `models` is empty.
    pub fn with(persona: Persona, models: &[String], gate: Gate) -> Self {
        let mut engine = Self::new(persona, models, gate);
        engine.any_model = models.is_empty() && engine.vendor.models().is_empty();
        engine
    }

    fn new(persona: Persona, models: &[String], gate: Gate) -> Self {
        let vendor = persona.vendor();
        let names = model::NAMES.iter().chain(vendor.models()).map(|&name| name.to_owned());
        let models = names.chain(models.iter().cloned()).collect();
        Self { vendor, models, any_model: false, gate, limits: Limits::default(), answered: AtomicU64::new(0) }
    }

    /// Answers a request of `who`, whose limits are its own.
    pub fn answer(&self, who: &str, request: Request<Bytes>) -> Answer {
        let (parts, body) = request.into_parts();
        let at = At { method: &parts.method, path: parts.uri.path(), query: parts.uri.query() };
        self.serve(who, &at, &parts.headers, &body).unwrap_or_else(|refusal| self.vendor.refuse(&refusal, &at))
    }

    /// How the vendor refuses: for scripts that want its words.
    pub(crate) fn refuse(&self, refusal: &Refusal, at: &At<'_>) -> Answer {
        self.vendor.refuse(refusal, at)
    }

    /// A good answer with the vendor's words on where its caller stands in a window.
    pub(crate) fn counted(&self, answer: Answer, throttle: &Throttle) -> Answer {
        self.vendor.limits(answer, throttle)
    }

    fn serve(&self, who: &str, at: &At<'_>, headers: &HeaderMap, body: &[u8]) -> Result<Answer, Refusal> {
        match self.vendor.credential(headers)? {
            Some(key) if !(self.gate)(key) => return Err(Refusal::BadKey(key.to_owned())),
            _ => {}
        }
        let place = self.vendor.locate(at)?;
        match (&place.endpoint, at.method) {
            (Endpoint::Other(path), &Method::GET) => self.look_up(path),
            (Endpoint::Other(path), &Method::POST) if self.vendor.takes(path) => {
                Ok(Answer::json(StatusCode::OK, &simple::receipt(path, body.len())))
            }
            (Endpoint::Other(_), _) => Err(Refusal::NoPath),
            (_, &Method::POST) => self.ask(who, &Ask::read(place.endpoint, body, place.model)?),
            _ => Err(Refusal::NoPath),
        }
    }

    fn look_up(&self, path: &str) -> Result<Answer, Refusal> {
        let found = match path.strip_prefix("models") {
            Some("") => simple::models(&self.models, self.vendor.owner()),
            Some(name) => {
                let name = name.trim_start_matches('/');
                self.known(name)?;
                simple::model(name, self.vendor.owner())
            }
            None => self.vendor.page(path).ok_or(Refusal::NoPath)?,
        };
        Ok(Answer::json(StatusCode::OK, &found))
    }

    fn known(&self, name: &str) -> Result<(), Refusal> {
        if self.any_model || self.models.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(Refusal::NoModel(name.to_owned()))
    }

    fn ask(&self, who: &str, ask: &Ask) -> Result<Answer, Refusal> {
        self.vendor.check(ask)?;
        self.known(&ask.model)?;
        let question = ask.question();
        if question.contains(TOO_LONG) {
            return Err(Refusal::TooLong);
        }
        if question.contains(FILTERED) && self.vendor.filters() {
            return Err(Refusal::Filtered);
        }
        let throttle = if ask.model == "limited" { Some(self.limits.count(who)?) } else { None };
        let answer = self.vendor.sign(self.speak(ask));
        Ok(match throttle {
            Some(throttle) => self.vendor.limits(answer, &throttle),
            None => answer,
        })
    }

    fn speak(&self, ask: &Ask) -> Answer {
        if ask.endpoint == Endpoint::Embeddings {
            return Answer::json(StatusCode::OK, &simple::embeddings(ask));
        }
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        let head = Head { number, created: Clock::system().now().as_secs(), model: ask.model.clone() };
        let turn = model::speak(ask, self.vendor.thinking(ask), self.limit(ask));
        let mut answer = if ask.stream { self.stream(ask, &head, &turn) } else { self.whole(ask, &head, &turn) };
        answer.steps.splice(0..0, self.vendor.waiting(ask.stream).into_iter().map(Step::Bytes));
        answer.delay = turn.delay;
        answer
    }

    /// The limit on the answer, from the first field that the vendor honours.
    fn limit(&self, ask: &Ask) -> Option<usize> {
        let fields = self.vendor.limit_fields().iter().chain(&["max_output_tokens"]);
        let limit = fields.filter_map(|field| ask.body[*field].as_u64()).next()?;
        usize::try_from(limit).ok()
    }

    fn whole(&self, ask: &Ask, head: &Head, turn: &Turn) -> Answer {
        let usage = self.vendor.usage(turn.usage);
        let body = match ask.endpoint {
            Endpoint::Responses => responses::whole(head, turn),
            Endpoint::Completions => chat::plain::whole(head, turn, &usage),
            _ => {
                let mut whole = chat::whole(head, turn, &usage);
                self.vendor.dress_whole(&mut whole);
                whole
            }
        };
        Answer::json(StatusCode::OK, &body)
    }

    fn stream(&self, ask: &Ask, head: &Head, turn: &Turn) -> Answer {
        if ask.endpoint == Endpoint::Responses {
            return paced(responses::events(head, turn), turn);
        }
        let mut chunks = match ask.endpoint {
            Endpoint::Completions => chat::plain::chunks(head, turn),
            _ => chat::chunks(head, turn),
        };
        if ask.endpoint == Endpoint::Chat {
            self.vendor.dress(ask, head, &mut chunks);
        }
        if ask.usage_wanted() {
            let usage = self.vendor.usage(turn.usage);
            with_usage(head, &mut chunks, &usage);
        }
        let frames = chunks.iter().map(|chunk| format!("data: {chunk}\n\n").into());
        paced(frames.chain([Bytes::from_static(b"data: [DONE]\n\n")]).collect(), turn)
    }
}

/// Usage as OpenAI streams it: `null` in every chunk, then one chunk without choices.
fn with_usage(head: &Head, chunks: &mut Vec<Value>, usage: &Value) {
    for chunk in chunks.iter_mut() {
        chunk["usage"] = Value::Null;
    }
    let mut last = chunks.first().filter(|first| first["object"] == "text_completion").cloned();
    let last = last.get_or_insert_with(|| head.chunk(json!([])));
    last["choices"] = json!([]);
    last["usage"] = usage.clone();
    chunks.push(last.clone());
}

/// Frames as steps, with the turn's pause between two of them.
fn paced(frames: Vec<Bytes>, turn: &Turn) -> Answer {
    let mut steps = Vec::with_capacity(frames.len());
    for frame in frames {
        if !turn.pace.is_zero() && !steps.is_empty() {
            steps.push(Step::Wait(turn.pace));
        }
        steps.push(Step::Bytes(frame));
    }
    Answer::events(steps)
}

/// What the offline limits look like to a script that wants the vendor's 429.
pub(crate) const fn spent(reset: std::time::Duration) -> Throttle {
    Throttle { limit: 3, remaining: 0, reset }
}
