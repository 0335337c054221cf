//! What the tests of adapters against their strict personas share: one vendor's lab or two, and a gateway over the
//! shipped provider with nothing but its address changed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Method};
use keywheel::accounts::{Credentials, Lease, NotBefore, Pool, Row, Standing, Wanted};
use keywheel::catalog::prices::Prices;
use keywheel::config::{self, Account, Live, Strategy};
use keywheel::gateway::{Answer, Gate, Gateway, Parts};
use keywheel::kit::{CallId, Clock, Time};
use keywheel::redact::Known;
use keywheel::sim::{Lab, Persona, Script, Seen};
use keywheel::store::{Entry, Filter, Ledger, Memory};
use keywheel::vault::Source;
use keywheel::wire::{Call, Caller, Endpoint, Json, Payload};
use serde_json::Value;

/// 2026-11-20T10:00:17Z: where a rig's clock stands until a test moves it.
pub const NOW: Time = Time::from_micros(1_795_168_817_000_000);

/// A provider with the persona that stands in for it.
#[derive(Clone, Copy)]
pub struct Vendor {
    /// The provider's id.
    pub id: &'static str,
    /// What sentences call it.
    pub name: &'static str,
    /// Who answers.
    pub persona: Persona,
    /// One of the persona's models.
    pub model: &'static str,
    /// Lines of its stanza beside `base_url`; empty for what is shipped.
    pub stanza: &'static str,
}

pub const OPENAI: Vendor =
    Vendor { id: "openai", name: "OpenAI", persona: Persona::Openai, model: "gpt-4o-mini", stanza: "" };
pub const AZURE: Vendor =
    Vendor { id: "azure", name: "Azure OpenAI", persona: Persona::Azure, model: "gpt-4o-mini", stanza: "" };
pub const XAI: Vendor = Vendor { id: "xai", name: "xAI", persona: Persona::Xai, model: "grok-4.7", stanza: "" };
pub const DEEPSEEK: Vendor =
    Vendor { id: "deepseek", name: "DeepSeek", persona: Persona::Deepseek, model: "deepseek-flash", stanza: "" };
/// A user's own provider.
pub const OWN: Vendor = Vendor {
    id: "own",
    name: "My server",
    persona: Persona::Generic,
    model: "org/model-7b",
    stanza: "adapter = \"openai\"\nname = \"My server\"\nendpoints = [\"chat/completions\", \"completions\", \
             \"embeddings\", \"responses\"]",
};
pub const ALL: [Vendor; 5] = [OPENAI, AZURE, XAI, DEEPSEEK, OWN];

impl Vendor {
    /// The model as a client names it.
    pub fn full(&self) -> String {
        format!("{}/{}", self.id, self.model)
    }

    /// A small chat, as a client sends it.
    pub fn chat(&self) -> String {
        format!("{{\"model\":\"{}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hello there\"}}]}}", self.full())
    }

    /// The same, streamed.
    pub fn stream(&self) -> String {
        self.chat().replace("\"messages\"", "\"stream\":true,\"messages\"")
    }
}

/// Where the accounts `a`, `b` and `c` live: for Azure a resource for `a` and `c` and one for `b`, else one place.
pub struct Labs {
    vendor: Vendor,
    /// What people put behind the address of an Azure resource.
    pub path: &'static str,
    /// Another address, for accounts whose place is not there.
    pub elsewhere: Option<SocketAddr>,
    labs: Vec<Lab>,
    from: Vec<AtomicUsize>,
}

impl Labs {
    pub fn start(vendor: Vendor) -> Self {
        let count = if vendor.persona == Persona::Azure { 2 } else { 1 };
        let labs: Vec<Lab> = (0..count).map(|_| Lab::start(vendor.persona).expect("a lab")).collect();
        let from = labs.iter().map(|_| AtomicUsize::new(0)).collect();
        Self { vendor, path: "", elsewhere: None, labs, from }
    }

    /// The lab of an account.
    pub fn of(&self, account: &str) -> &Lab {
        if account == "b" { self.labs.last().expect("a lab") } else { &self.labs[0] }
    }

    /// The address of an account as people write it: Azure's portal shows the resource.
    pub fn address(&self, account: &str) -> String {
        if let Some(addr) = self.elsewhere {
            return format!("http://{addr}");
        }
        let lab = self.of(account);
        if self.vendor.persona == Persona::Azure { lab.origin() + self.path } else { lab.base_url() }
    }

    /// Every call of every account is answered so.
    pub fn always(&self, script: &Script) {
        self.labs.iter().for_each(|lab| drop(lab.on_any().always(script.clone())));
    }

    /// Forgets what was scripted and seen.
    pub fn reset(&self) {
        for (lab, from) in self.labs.iter().zip(&self.from) {
            lab.on_any().clear();
            ["a", "b", "c"].iter().for_each(|key| lab.on(key).clear());
            from.store(lab.seen().len(), Ordering::SeqCst);
        }
    }

    /// The calls that were seen since then, in the order in which they came; look-ups of models are none.
    pub fn seen(&self) -> Vec<Seen> {
        let new = |(lab, from): (&Lab, &AtomicUsize)| lab.seen().split_off(from.load(Ordering::SeqCst));
        let mut seen: Vec<Seen> = self.labs.iter().zip(&self.from).flat_map(new).collect();
        seen.retain(|seen| seen.method == Method::POST);
        seen.sort_by_key(|seen| seen.at);
        seen
    }

    /// The keys of what was seen.
    pub fn keys(&self) -> String {
        self.seen().into_iter().map(|seen| seen.key).collect::<Vec<_>>().join(" ")
    }
}

/// A gateway over the accounts `a`, `b` and `c`. `c` is in the quota group of `a`, and for other models only.
pub struct Rig {
    pub gateway: Gateway,
    pub pool: Arc<Pool>,
    pub ledger: Arc<Memory>,
    pub clock: Clock,
    vendor: Vendor,
}

impl Rig {
    /// Nobody waits for an account.
    pub fn new(labs: &Labs) -> Self {
        Self::with(labs, "")
    }

    /// With more settings, tables last.
    pub fn with(labs: &Labs, more: &str) -> Self {
        Self::keyed(labs, more, |name| Some(labs.of(name).key(name)))
    }

    /// With these keys; an account without one cannot be used.
    pub fn keyed(labs: &Labs, more: &str, key: impl Fn(&str) -> Option<String>) -> Self {
        // whichever test comes first chooses; all choose the same
        drop(rustls::crypto::ring::default_provider().install_default());
        let Vendor { id, stanza, .. } = labs.vendor;
        let per_account = labs.vendor.persona == Persona::Azure;
        let keys: HashMap<String, String> =
            ["a", "b", "c"].into_iter().filter_map(|name| Some((format!("KEY_{name}"), key(name)?))).collect();
        let mut text = format!("parking.max_wait = \"0s\"\n{more}\n[providers.{id}]\n{stanza}\n");
        if !per_account {
            text += &format!("base_url = \"{}\"\n", labs.address("a"));
        }
        for name in ["a", "b", "c"] {
            text +=
                &format!("[[accounts]]\nid = \"{name}\"\nprovider = \"{id}\"\nsecret = {{ env = \"KEY_{name}\" }}\n");
            text += if name == "b" { "" } else { "quota_group = \"team\"\n" };
            text += if name == "c" { "models = [\"other*\"]\n" } else { "" };
            if per_account {
                text += &format!("base_url = \"{}\"\n", labs.address(name));
            }
        }
        let settings = config::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
        let clock = Clock::manual(NOW);
        let pool = Pool::new(clock.clone());
        pool.apply(&settings);
        let ledger = Arc::new(Memory::default());
        let gateway = Gateway::new(Parts {
            settings: Live::new(settings),
            clock: clock.clone(),
            pool: Arc::clone(&pool),
            credentials: Credentials::new(Arc::new(Source::new(move |name| keys.get(name).cloned(), clock.clone()))),
            known: Arc::new(Known::default()),
            prices: Prices::shipped().expect("prices"),
            ledger: Arc::clone(&ledger) as Arc<dyn Ledger>,
            capture: keywheel::history::Capture::none(),
        });
        Self { gateway, pool, ledger, clock, vendor: labs.vendor }
    }

    /// A chat call, answered whole.
    pub async fn chat(&self, body: &str) -> Got {
        self.post(Endpoint::Chat, body).await
    }

    /// A JSON call, answered whole.
    pub async fn post(&self, endpoint: Endpoint, body: &str) -> Got {
        Got::read(self.gateway.call(call(endpoint, body)).await).await
    }

    /// The state of an account.
    pub fn row(&self, account: &str) -> Row {
        let found = self.pool.rows().into_iter().find(|row| row.account.id == account);
        found.unwrap_or_else(|| panic!("no account {account}"))
    }

    /// The accounts that are anything but ready, or still busy.
    pub fn ailing(&self) -> String {
        let ready = |row: &Row| row.standing == Standing::Ready && row.reason.is_empty() && row.busy == 0;
        let rows = self.pool.rows().into_iter().filter(|row| !ready(row));
        rows.map(|row| row.account.id.clone()).collect::<Vec<_>>().join(" ")
    }

    /// Takes this account and no other for a call of this model.
    pub fn lease(&self, account: &str, model: &str) -> Result<Lease, NotBefore> {
        let others: Vec<Arc<Account>> =
            self.pool.rows().into_iter().map(|row| row.account).filter(|other| other.id != account).collect();
        let provider = self.vendor.id;
        let wanted = Wanted { provider, model, strategy: Strategy::FillFirst, tried: &others, ..Wanted::default() };
        self.pool.try_lease(wanted)
    }

    /// The record of the last call.
    pub fn entry(&self) -> Entry {
        self.ledger.list(&Filter::default()).expect("the ledger").remove(0)
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether it ended as a whole answer does, and not in a reset.
    pub whole: bool,
}

impl Got {
    pub async fn read(answer: Answer) -> Self {
        let (mut bytes, mut whole, mut body) = (Vec::new(), true, answer.body);
        while let Some(chunk) = body.next().await {
            match chunk {
                Ok(chunk) => bytes.extend_from_slice(&chunk),
                Err(_) => whole = false,
            }
        }
        Self { status: answer.status.as_u16(), headers: answer.headers, body: bytes.into(), whole }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; `null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}

/// A call as the doors make it of a JSON body.
pub fn call(endpoint: Endpoint, body: &str) -> Call {
    let json = Json::parse(Bytes::from(body.to_owned())).expect("an object");
    Call {
        id: CallId::new(),
        at: NOW,
        endpoint,
        method: Method::POST,
        query: None,
        headers: HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/json".parse().expect("a value"))]),
        model: json.str("model"),
        stream: json.is_true("stream"),
        caller: caller(),
        patience: None,
        payload: Payload::Json(json),
    }
}

pub fn caller() -> Arc<Caller> {
    Arc::new(Caller { name: "tester".to_owned(), models: Vec::new(), hide_account: false })
}
