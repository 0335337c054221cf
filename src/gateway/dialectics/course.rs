//! The course of a dialectic: the legs speak at the same time, round by round, then the synthesis hears what they said.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use super::body::{self, Role, Told};
use super::brief::{self, Outcome};
use super::cast::Cast;
use super::parts;
use super::voice::{self, Absence, Voice, Wanted};
use crate::config::{Mode, ToolsFor};
use crate::gateway::Inner;
use crate::kit::{Fault, Kind, Usage};
use crate::wire::{Call, Caller, Endpoint, Json};

/// What happens on the way, for whoever shows it.
pub(super) enum Event {
    /// A leg says something.
    Said { leg: usize, round: u32, text: String },
    /// A leg has ended its answer, or gives none.
    Ended { leg: usize, round: u32, absent: Option<Absence> },
    /// Something that the client should know.
    Note(String),
    /// The synthesis begins.
    Judging(String),
    /// A chunk of the synthesis.
    Answer(Value),
    /// What one of the calls took, as its model told it.
    Spent(Box<Usage>),
}

/// A dialectic under way. Dropping its future ends every call.
pub(super) struct Course {
    pub(super) inner: Arc<Inner>,
    pub(super) cast: Arc<Cast>,
    pub(super) body: Json,
    /// What every leg's call carries: the client's own headers, and whose leg it is.
    pub(super) headers: HeaderMap,
    pub(super) caller: Arc<Caller>,
    pub(super) patience: Option<Duration>,
    pub(super) out: Sender<Event>,
}

/// What is known of a leg after the rounds so far.
#[derive(Default)]
struct Heard {
    text: Option<String>,
    absent: Option<Absence>,
}

impl Course {
    /// Runs to the end; the answer goes out as events. A fault means that there is none, or not the whole of it.
    pub(super) async fn run(self) -> Result<(), Fault> {
        let parts = if self.cast.mode == Mode::Split { self.plan().await } else { Vec::new() };
        let legs = if parts.is_empty() { self.cast.legs.len() } else { parts.len().min(self.cast.legs.len()) };
        let mut heard: Vec<Heard> = (0..legs).map(|_| Heard::default()).collect();
        for round in 1..=self.cast.rounds {
            let speaking = |heard: &Heard| heard.absent.is_none();
            // one who is alone has nobody to answer
            if round > 1 && heard.iter().filter(|heard| speaking(heard)).count() < 2 {
                break;
            }
            let turns = (0..legs).map(|leg| self.turn(leg, round, &heard, parts.get(leg)));
            let said = join_all(turns).await;
            for (heard, said) in heard.iter_mut().zip(said) {
                match said {
                    Some(Ok(text)) => heard.text = Some(text),
                    Some(Err(absence)) => heard.absent = Some(absence),
                    None => {}
                }
            }
        }
        if heard.iter().all(|heard| heard.text.is_none()) {
            return Err(self.nobody(&heard));
        }
        self.judge(&heard, &parts).await
    }

    /// One leg's words in one round; `None` where it has gone before.
    async fn turn(
        &self,
        leg: usize,
        round: u32,
        heard: &[Heard],
        part: Option<&String>,
    ) -> Option<Result<String, Absence>> {
        if heard[leg].absent.is_some() {
            return None;
        }
        let own = &self.cast.legs[leg];
        let mut after = Vec::new();
        after.extend(part.map(|part| (Role::User, brief::part(part))));
        if let Some(text) = &heard[leg].text {
            let others: Vec<Outcome<'_>> = (0..heard.len())
                .filter(|&other| other != leg)
                .map(|other| self.outcome(other, &heard[other], None))
                .collect();
            after.extend([(Role::Assistant, text.clone()), (Role::User, brief::rejoinder(&others))]);
        }
        let system = brief::leg(self.cast.mode, own);
        let tools = self.cast.tools == ToolsFor::All;
        let told = Told { model: &own.model, system: &system, after: &after, tools, shaped: false };
        let wait = self.cast.leg_timeout;
        let said = timeout(wait, self.speak(leg, round, &told)).await.unwrap_or_else(|_| Err(Absence::late(wait)));
        let said = said.map_err(|absence| self.cleaned(absence));
        self.tell(Event::Ended { leg, round, absent: said.as_ref().err().cloned() }).await;
        Some(said)
    }

    async fn speak(&self, leg: usize, round: u32, told: &Told<'_>) -> Result<String, Absence> {
        let mut voice = self.open(told, Some(self.cast.leg_timeout)).await?;
        let (mut all, mut wanted) = (String::new(), Wanted::default());
        while let Some(chunk) = voice.next().await? {
            wanted.take(&chunk);
            if let Some(text) = voice::text(&chunk) {
                all += text;
                self.tell(Event::Said { leg, round, text: text.to_owned() }).await;
            }
        }
        self.spent(voice.spent()).await;
        let calls = wanted.said();
        if !calls.is_empty() {
            all += &calls;
            self.tell(Event::Said { leg, round, text: calls }).await;
        }
        if all.trim().is_empty() { Err(Absence::empty()) } else { Ok(all) }
    }

    /// The parts for the legs.
    async fn plan(&self) -> Vec<String> {
        let count = self.cast.legs.len();
        let after = [(Role::User, brief::plan(count))];
        let model = &self.cast.synthesis;
        let told = Told { model, system: brief::PLANNER, after: &after, tools: false, shaped: false };
        let planned = timeout(self.cast.leg_timeout, async {
            let (mut voice, mut all) = (self.open(&told, Some(self.cast.leg_timeout)).await.ok()?, String::new());
            while let Some(chunk) = voice.next().await.ok()? {
                all += voice::text(&chunk).unwrap_or_default();
            }
            self.spent(voice.spent()).await;
            parts::planned(&all, count)
        });
        let (parts, whose) = match planned.await.ok().flatten() {
            Some(parts) => (parts, format!("plan by {model}")),
            None => {
                let parts = parts::fallen_apart(&body::question(&self.body), count);
                (parts, format!("{model} gave no plan that can be read; the request was split as it stands"))
            }
        };
        let list = parts.iter().zip(&self.cast.legs).map(|(part, leg)| format!("- {}: {part}\n", leg.named()));
        self.tell(Event::Note(format!("{whose}\n{}", list.collect::<String>()))).await;
        parts
    }

    /// The synthesis; where its model fails before the first word, that of a leg which answered takes over.
    async fn judge(&self, heard: &[Heard], parts: &[String]) -> Result<(), Fault> {
        let outcomes: Vec<Outcome<'_>> =
            heard.iter().enumerate().map(|(leg, heard)| self.outcome(leg, heard, parts.get(leg))).collect();
        let after = [(Role::User, brief::answers(&outcomes))];
        let system = brief::synthesis(&self.cast);
        let mut judges = vec![self.cast.synthesis.as_str()];
        for (leg, _) in self.cast.legs.iter().zip(heard).filter(|(_, heard)| heard.text.is_some()) {
            if !judges.contains(&leg.model.as_str()) {
                judges.push(&leg.model);
            }
        }
        let mut failed: Option<Absence> = None;
        for model in judges {
            if let Some(absence) = &failed {
                self.tell(Event::Note(format!("the synthesis failed ({}); {model} takes over", absence.words))).await;
            }
            self.tell(Event::Judging(model.to_owned())).await;
            let told = Told { model, system: &system, after: &after, tools: true, shaped: true };
            match self.answer(&told).await {
                Ok(()) => return Ok(()),
                Err((absence, false)) => failed = Some(self.cleaned(absence)),
                Err((absence, true)) => return Err(Fault::new(Kind::Broken, self.cleaned(absence).words)),
            }
        }
        let why = failed.map(|absence| absence.words).unwrap_or_default();
        let words = format!("the legs answered, but no model could write the synthesis: {why}; send the request again");
        Err(Fault::new(Kind::Upstream(502), words).code("synthesis_failed"))
    }

    /// Passes one synthesis on; a failure says whether words of it have gone out.
    async fn answer(&self, told: &Told<'_>) -> Result<(), (Absence, bool)> {
        let mut voice = self.open(told, self.patience).await.map_err(|absence| (absence, false))?;
        let mut begun = false;
        while let Some(chunk) = voice.next().await.map_err(|absence| (absence, begun))? {
            begun |= voice::settles(&chunk);
            self.tell(Event::Answer(chunk)).await;
        }
        self.spent(voice.spent()).await;
        if begun { Ok(()) } else { Err((Absence::empty(), false)) }
    }

    async fn open(&self, told: &Told<'_>, patience: Option<Duration>) -> Result<Voice, Absence> {
        let body = body::told(&self.body, told).map_err(|_| Absence::empty())?;
        let now = self.inner.clock.now();
        let mut call = Call::placed(now, Endpoint::Chat, self.headers.clone(), body, Arc::clone(&self.caller));
        call.patience = patience;
        Voice::open(&self.inner, call).await
    }

    fn outcome<'a>(&'a self, leg: usize, heard: &'a Heard, part: Option<&'a String>) -> Outcome<'a> {
        let absent = heard.absent.as_ref().map_or("absent", |absence| absence.reason);
        Outcome { leg: &self.cast.legs[leg], said: heard.text.as_deref().ok_or(absent), part: part.map(String::as_str) }
    }

    /// No leg answered: the client's own mistake where all say so, a wait where all are at their limits.
    fn nobody(&self, heard: &[Heard]) -> Fault {
        let absences: Vec<&Absence> = heard.iter().filter_map(|heard| heard.absent.as_ref()).collect();
        let why = self.cast.legs.iter().zip(&absences);
        let why: Vec<String> = why.map(|(leg, absence)| format!("{}: {}", leg.named(), absence.words)).collect();
        let all = |reason: &str| absences.iter().all(|absence| absence.reason == reason);
        let kind = match absences.first() {
            Some(first) if all("refused") => Kind::Invalid(first.status),
            _ if all("rate_limited") => Kind::Exhausted(None),
            _ => Kind::Upstream(502),
        };
        let words = format!("no leg of this dialectic answered, so there is nothing to judge ({})", why.join("; "));
        Fault::new(kind, words).code("no_leg_answered")
    }

    /// An error inside a stream is its provider's own, and may repeat what it was sent.
    fn cleaned(&self, absence: Absence) -> Absence {
        let fault = self.inner.known.clean_fault(Fault::new(Kind::Broken, absence.words));
        Absence { words: fault.message.into_owned(), ..absence }
    }

    async fn spent(&self, usage: Option<Usage>) {
        if let Some(usage) = usage {
            self.tell(Event::Spent(Box::new(usage))).await;
        }
    }

    async fn tell(&self, event: Event) {
        // nobody listens any more: then this future is about to be dropped
        drop(self.out.send(event).await);
    }
}

/// The headers of every leg's call.
pub(super) fn headers(client: &HeaderMap, parent: &str) -> HeaderMap {
    let mut headers = super::wishes::passed_on(client);
    if let Ok(parent) = HeaderValue::from_str(parent) {
        headers.insert("x-keywheel-parent", parent);
    }
    headers
}
