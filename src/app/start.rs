//! `serve`: builds the gateway from its rooms, opens the doors, and takes care until it is told to stop.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::announce::{self, Announcement};
use super::failure::Failure;
use super::reload::{Governed, Sources, Wheel};
use super::rests::Rests;
use super::secrets::Watch;
use super::signals::{Signals, Wish};
use super::{detach, env, history, leader, logs, overrides, tokens};
use crate::accounts::{Credentials, Pool, Refresher};
use crate::catalog::prices::Prices;
use crate::cli::{Lines, Serve};
use crate::config::{Live, Paths, watch};
use crate::gateway::{Gate, Gateway};
use crate::history::Capture;
use crate::kit::Clock;
use crate::ops::{self, Desk};
use crate::redact::Known;
use crate::serve::keys::{First, KEY_FILE, Keys, STORE_FILE, ensure_first};
use crate::serve::{Bounds, Doors, Front, Serving};
use crate::store::{Ledger, Sqlite};
use crate::telemetry::Exporter;
use crate::vault::home::Home;
use crate::vault::{Source, Strongbox};
use crate::wire::Caller;

/// The ledger's file in the data folder.
pub(super) const LEDGER_FILE: &str = "ledger.sqlite";
/// How long calls under way may take to finish after the order to stop.
pub(super) const GRACE: Duration = Duration::from_secs(30);
/// How long what a collector was not yet told may take to be sent then.
const FLUSH: Duration = Duration::from_secs(5);
/// How long the first words wait for the providers' lists of models.
const LISTS: Duration = Duration::from_secs(2);
/// Between two looks whether a provider's list of models is due.
const LOOK: Duration = Duration::from_secs(300);

/// Runs the gateway until it is told to stop.
pub(super) async fn serve(serve: &Serve, paths: Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    if serve.detached {
        detach::leave_session();
        // nobody reads stderr but the log; the one who waits for us reads stdout
        let (mut nothing, mut waiting) = (io::sink(), io::stdout());
        return attend(serve, paths, &mut Lines::new(&mut nothing, &mut waiting)).await;
    }
    attend(serve, paths, lines).await
}

async fn attend(serve: &Serve, paths: Paths, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let signals = Signals::listen().map_err(|error| Failure::new(format_args!("signals cannot be heard: {error}")))?;
    let known = Known::default();
    if let Some(words) = logs::start(serve.log, known.clone()) {
        lines
            .say(format_args!("warning: KEYWHEEL_LOG={words} is not understood; write it like info or keywheel=debug"));
    }
    raise_descriptors();
    let _leader = leader::claim(&paths.state).await?;
    let house = House::build(serve, paths, known, lines).await?;
    house.live(signals, serve, lines).await
}

/// What remains of calls.
#[derive(Clone)]
struct Records {
    ledger: Arc<dyn Ledger>,
    capture: Capture,
}

/// A gateway with its doors open.
struct House {
    paths: Paths,
    settings: Live,
    gateway: Gateway,
    refresher: Refresher,
    wheel: Arc<Wheel>,
    records: Records,
    keys: Arc<Keys>,
    rests: Arc<Rests>,
    serving: Serving,
    exporter: Exporter,
    secrets: Watch,
    doors: Vec<String>,
    first: First,
}

impl House {
    async fn build(serve: &Serve, paths: Paths, known: Known, lines: &mut Lines<'_>) -> Result<Self, Failure> {
        let clock = Clock::system();
        let started = clock.now();
        let first = ensure_first(&paths.state).map_err(Failure::new)?;
        let keys = Arc::new(Keys::open(&paths.state.join(STORE_FILE)).map_err(Failure::new)?);
        let sources = Sources { paths: paths.clone(), overrides: overrides(serve) };
        let (loaded, prices) = sources.read().await.map_err(Failure::bad_config)?;
        for warning in &loaded.warnings {
            lines.say(format_args!("warning: {warning}"));
        }
        let ledger: Arc<dyn Ledger> = Arc::new(Sqlite::open(&paths.data.join(LEDGER_FILE)).map_err(Failure::new)?);
        let doors = Doors::open(&loaded.settings, &paths.socket()).map_err(Failure::new)?;
        let urls = doors.urls();

        let home = Home::of(&loaded.settings.vault, &paths.data, &paths.state);
        let vault = Arc::new(Strongbox::new(home, clock.clone()));
        let pool = Pool::new(clock.clone());
        pool.apply(&loaded.settings);
        let (rests, damage) = Rests::open(&paths.state, Arc::clone(&pool));
        damage.into_iter().for_each(|damage| lines.say(format_args!("warning: {damage}")));
        let settings = Live::new(loaded.settings);
        let wires = wires(&settings, &vault, known, &clock, &pool);
        let (capture, shelf) = history::open(&wires, &paths)?;
        let records = Records { ledger: Arc::clone(&ledger), capture };
        let (gateway, refresher, exporter) = gateway(wires, &pool, prices, &records);
        open_books(&gateway, &settings, lines).await?;
        let over = Governed { pool: Arc::clone(&pool), gateway: gateway.clone(), ledger };
        let secrets = Watch::new(&gateway, &pool, &settings, &vault, &clock);
        let wheel = Arc::new(Wheel::new(sources, settings.clone(), over, loaded.warnings));
        let desk = Desk::new(ops::Parts {
            settings: settings.clone(),
            pool,
            gateway: gateway.clone(),
            ledger: Arc::clone(&records.ledger),
            shelf,
            vault,
            helm: Arc::clone(&wheel) as Arc<dyn ops::Helm>,
            doors: urls.clone(),
            clock: clock.clone(),
            started,
        });
        let front = Front::new(Arc::new(gateway.clone()), Arc::new(desk), Arc::clone(&keys), settings.clone(), clock);
        let serving = doors.serve(front, Bounds::default());
        Ok(Self {
            paths,
            settings,
            gateway,
            refresher,
            wheel,
            records,
            keys,
            rests: Arc::new(rests),
            serving,
            exporter,
            secrets,
            doors: urls,
            first,
        })
    }

    /// Says that it is there, serves, and ends in order.
    async fn live(self, mut signals: Signals, serve: &Serve, lines: &mut Lines<'_>) -> Result<(), Failure> {
        let _follow = self.keys.follow();
        let (changed, mut changes) = tokio::sync::mpsc::channel(1);
        // a full channel means that a reload is due already
        let changed = move || changed.try_send(()).unwrap_or_default();
        let _watch = watch(&self.paths, changed).map_err(|error| tracing::warn!("{error}"));
        self.announce(serve, lines).await;
        let _kept = AbortOnDrop(tokio::spawn(Arc::clone(&self.rests).keep()));
        let _lists = AbortOnDrop(tokio::spawn(keep_lists(self.gateway.clone(), Arc::clone(&self.wheel))));
        let _secrets = AbortOnDrop(tokio::spawn(self.secrets.keep()));
        let tokens = AbortOnDrop(tokio::spawn(tokens::keep(self.refresher.clone(), self.settings.clone())));
        loop {
            tokio::select! {
                () = self.wheel.stopped() => break,
                wish = signals.next() => match wish {
                    Wish::Stop => break,
                    Wish::Reload => self.wheel.reload_and_log().await,
                },
                Some(()) = changes.recv() => self.wheel.reload_and_log().await,
            }
        }
        tracing::info!("stopping: {} calls under way", self.gateway.in_flight());
        tokio::select! {
            () = self.serving.close(GRACE) => {}
            // asked a second time
            () = stop_again(&mut signals) => tracing::warn!("calls under way are cut"),
        }
        self.exporter.stop(FLUSH).await;
        // a refresh that is cut off here would lose its token, so none begins any more
        drop(tokens);
        drop(tokio::time::timeout(GRACE, self.refresher.settle()).await);
        let (records, rests, gateway) = (self.records, self.rests, self.gateway);
        let flush = move || {
            if let Err(error) = rests.write(None) {
                tracing::warn!("why accounts rest is not kept: {error}");
            }
            gateway.settle();
            records.ledger.flush();
            records.capture.flush();
        };
        let flushed = tokio::task::spawn_blocking(flush).await;
        flushed.map_err(|error| Failure::new(format_args!("the ledger could not be closed: {error}")))
    }

    async fn announce(&self, serve: &Serve, lines: &mut Lines<'_>) {
        let settings = self.settings.now();
        let key_file = self.paths.state.join(KEY_FILE);
        let mut about = Announcement { settings: &settings, doors: &self.doors, models: 0, key_file: &key_file };
        announce::found(&about, lines);
        // the doors are open already; what has not answered by then is asked for later
        drop(tokio::time::timeout(LISTS, self.gateway.refresh_models()).await);
        about.models = models(&self.gateway);
        announce::invite(&about, lines);
        if self.first == First::Made {
            announce::offer(&about, lines);
        }
        if serve.detached {
            self.doors.iter().for_each(|door| tracing::info!("listening on {door}"));
            lines.say(detach::READY);
        }
    }
}

/// What tokens and history are wired from.
fn wires(settings: &Live, vault: &Arc<Strongbox>, known: Known, clock: &Clock, pool: &Arc<Pool>) -> tokens::Wires {
    tokens::Wires {
        settings: settings.clone(),
        vault: Arc::clone(vault),
        source: Arc::new(Source::new(env, clock.clone()).with(Arc::clone(vault))),
        known: Arc::new(known),
        clock: clock.clone(),
        pool: Some(Arc::clone(pool)),
    }
}

/// The request path, what renews its tokens, and what tells a collector of its calls.
fn gateway(
    wires: tokens::Wires,
    pool: &Arc<Pool>,
    prices: Prices,
    records: &Records,
) -> (Gateway, Refresher, Exporter) {
    let (settings, known, clock) = (wires.settings.clone(), Arc::clone(&wires.known), wires.clock.clone());
    let source = Arc::clone(&wires.source);
    let refresher = wires.refresher();
    let credentials = Credentials::new(Arc::clone(&source)).with_tokens(refresher.clone());
    let live = settings.clone();
    let Records { ledger, capture } = records.clone();
    let pool = Arc::clone(pool);
    let gateway =
        Gateway::new(crate::gateway::Parts { settings, clock, pool, credentials, known, prices, ledger, capture });
    let exporter = Exporter::start(gateway.telemetry(), live, source);
    (gateway, refresher, exporter)
}

/// Enters what an earlier process left open, and counts what budgets have spent.
async fn open_books(gateway: &Gateway, settings: &Live, lines: &mut Lines<'_>) -> Result<(), Failure> {
    let own = gateway.clone();
    let recovered = tokio::task::spawn_blocking(move || own.recover()).await;
    let count = recovered.map_err(Failure::new)?.map_err(Failure::new)?;
    if count > 0 {
        lines.say(format_args!(
            "{count} calls were interrupted when the gateway last ended; they are charged at their worst case"
        ));
    }
    gateway.budget(&settings.now()).await;
    Ok(())
}

/// How many models can be called.
fn models(gateway: &Gateway) -> usize {
    gateway.models(&Caller::owner()).len()
}

/// Keeps the providers' lists of models fresh.
async fn keep_lists(gateway: Gateway, wheel: Arc<Wheel>) {
    loop {
        gateway.refresh_models().await;
        drop(tokio::time::timeout(LOOK, wheel.turned()).await);
    }
}

async fn stop_again(signals: &mut Signals) {
    while signals.next().await != Wish::Stop {}
}

/// A task that ends with what it serves.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// As many connections as the system lets us have: each client and each upstream takes a descriptor.
fn raise_descriptors() {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
            && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
        {
            tracing::debug!("the limit of open files stays as it is: {error}");
        }
    }
}
