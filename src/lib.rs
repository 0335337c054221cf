//! Keywheel: one OpenAI-compatible endpoint in front of every AI account you own.
//!
//! The floor plan. A module imports only what its row lists, and a row lists only rows above it, so there are no
//! cycles; `tests/it/floor_plan.rs` reads this table and fails on any other import. A new module gets a row here.
//!
//! | module | may import | owns |
//! |---|---|---|
//! | kit | | Fault, Secret, Time and Clock, ids, private files, sealing |
//! | wire | kit | calls and their JSON bodies, frames of a reply, SSE, error bodies |
//! | sim | kit wire | the scripted upstream: behind `sim/*`, in the lab, in an example; a strict identity provider |
//! | operator | kit wire | trait Operator and its records: all that any face may ask for |
//! | catalog | kit | providers |
//! | config | kit catalog | settings: layered, validated once, immutable snapshots, one writer |
//! | redact | kit wire config | rules, masks, known secrets: Call → Redacted and back, anybody's words → safe words |
//! | import | kit catalog config | accounts that other programs keep: variables, dotenv, LiteLLM, CLIProxyAPI |
//! | vault | kit config | secrets: env, command, the sealed file and what opens it |
//! | store | kit wire config | Ledger (durable): memory, sqlite |
//! | history | kit wire config redact store | exchanges: captured, without secrets, sealed, for a while |
//! | telemetry | kit wire config vault store | what is told of calls: counters for `/metrics`, spans for a collector, a line in the log |
//! | adapter | kit wire catalog redact | dialects and vendors: no I/O, no clock, no secret |
//! | accounts | kit wire catalog config vault store | pool, lease, cooldowns, tokens that renew themselves; port Exchange, which gateway implements |
//! | gateway | kit wire sim catalog config redact store history telemetry adapter accounts | router, dialectics, dispatch, parking, upstream, relay, exchange |
//! | ops | kit wire operator catalog config redact vault store history accounts gateway | Operator, in process |
//! | serve | kit wire operator config telemetry gateway | doors: tcp, tls, unix, pipe; auth; dialect routes, admin |
//! | client | kit wire operator config | Operator over the socket |
//! | workflows | kit wire operator config redact | hook, commit, review, ask, dialectics: what is built on calls |
//! | cli | kit wire operator catalog config workflows | parses to a Command, which main hands to app |
//! | app | kit wire sim operator catalog config redact vault store history telemetry adapter accounts gateway ops serve client workflows cli import | wiring: the only module that knows every concrete type |
//!
//! A request's way: `serve` tags the dialect and authenticates → `gateway::Gateway::call` → `router` → `dispatch`
//! (park, lease, redact, encode, send, classify) → `upstream` → `relay` hands the bytes back untouched.

pub mod accounts;
pub mod adapter;
pub mod app;
pub mod catalog;
pub mod cli;
pub mod client;
pub mod config;
pub mod gateway;
pub mod history;
pub mod import;
pub mod kit;
pub mod operator;
pub mod ops;
pub mod redact;
pub mod serve;
pub mod sim;
pub mod store;
pub mod telemetry;
pub mod vault;
pub mod wire;
pub mod workflows;
