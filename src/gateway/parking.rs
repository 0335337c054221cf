//! The only place that waits: for an account, or for a moment before the same one is tried again.
//!
//! Calls of one plan form a line. Its head alone asks for an account, sleeping until one can be free; the others sleep
//! until they are the head, so a reset releases them one by one and not as a herd. A call that leaves takes its place
//! with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::line::Line;
use crate::accounts::{NotBefore, Pool};
use crate::kit::{CallId, Clock, Time};

/// Between two looks of one head, once it was woken so often in a row. A look that takes an account and has to give it
/// back wakes every head, its own included.
const LOOK: Duration = Duration::from_millis(1);
const HASTY: u32 = 8;

/// The waiting room of all plans.
#[derive(Default)]
pub(super) struct Parking {
    // a std mutex: it is held to join, to leave or to note an expectation
    lines: Mutex<HashMap<String, Line>>,
    parked: AtomicUsize,
}

/// Who waits, for what, and until when.
#[derive(Clone, Copy)]
pub(super) struct Ticket<'a> {
    /// What the line is for.
    pub(super) plan: &'a str,
    /// The client key's name.
    pub(super) client: &'a str,
    /// After this it is better to say no.
    pub(super) deadline: Instant,
    /// The most that may wait at once.
    pub(super) room: usize,
    /// The call. Ids sort by arrival, so one that a provider sends away does not lose its place.
    pub(super) call: CallId,
}

/// A line, for people.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The model as clients name it.
    pub plan: String,
    /// How many calls wait.
    pub calls: usize,
    /// When the first of them expects an account; `None` when one may come back any moment.
    pub first: Option<Time>,
    /// When the last of them can expect one, as those before it went.
    pub last: Option<Time>,
}

/// One of those who wait, until it is dropped.
struct Counted<'a>(&'a AtomicUsize);

/// A place in a line, given up on drop.
struct Place<'a> {
    _counted: Counted<'a>,
    parking: &'a Parking,
    plan: &'a str,
    client: &'a str,
    call: CallId,
}

impl Parking {
    /// How many calls wait.
    pub(super) fn parked(&self) -> usize {
        self.parked.load(Ordering::Acquire)
    }

    /// Every line.
    pub(super) fn lines(&self, now: Time) -> Vec<Waiting> {
        let lines = self.lock();
        let mut all: Vec<Waiting> = lines
            .iter()
            .map(|(plan, line)| {
                let first = line.expected.at;
                let last = line.tail().map(|tail| first.unwrap_or(now).max(now).after(tail));
                Waiting { plan: plan.clone(), calls: line.len(), first, last }
            })
            .collect();
        all.sort_by(|a, b| a.plan.cmp(&b.plan));
        all
    }

    /// Takes what `seek` finds; waits for it in line where that can help before the deadline.
    pub(super) async fn enter<T>(
        &self,
        pool: &Pool,
        clock: &Clock,
        ticket: Ticket<'_>,
        seek: impl Fn() -> Result<T, NotBefore>,
    ) -> Result<T, NotBefore> {
        let mut not = match self.expected(ticket.plan) {
            // whoever comes now stands behind those who wait
            Some(not) => not,
            None => match seek() {
                Ok(found) => return Ok(found),
                Err(not) => not,
            },
        };
        if !in_time(&not, clock, ticket.deadline) || self.parked() >= ticket.room {
            return Err(not);
        }
        let (_place, mut turn) = self.join(&ticket, &not);
        let mut hasty = 0;
        loop {
            if let Some(turn) = turn.take() {
                tokio::select! {
                    biased;
                    _ = turn => {}
                    () = sleep_until(ticket.deadline) => return Err(not),
                }
            }
            let mut changed = std::pin::pin!(pool.changed());
            // registered before looking, so that nothing is missed in between
            changed.as_mut().enable();
            turn = self.give_way(&ticket);
            if turn.is_some() {
                continue;
            }
            let looked = Instant::now();
            not = match seek() {
                Ok(found) => return Ok(found),
                Err(not) => not,
            };
            if !in_time(&not, clock, ticket.deadline) {
                return Err(not);
            }
            if let Some(line) = self.lock().get_mut(ticket.plan) {
                line.expected = not.clone();
            }
            let wake = not.at.map_or(ticket.deadline, |at| Instant::now() + at.since(clock.now())).min(ticket.deadline);
            tokio::select! {
                () = sleep_until(wake) => {}
                () = changed => {}
            }
            hasty = if looked.elapsed() < LOOK { hasty + 1 } else { 0 };
            if hasty > HASTY {
                sleep_until(looked + LOOK).await;
            }
            if Instant::now() >= ticket.deadline {
                return Err(not);
            }
        }
    }

    /// Waits for a moment, counted among those who wait. False, and at once, where the moment would outlast the deadline
    /// or nobody more may wait.
    pub(super) async fn pause(&self, moment: Duration, deadline: Instant, room: usize) -> bool {
        let end = Instant::now() + moment;
        if end >= deadline || self.parked() >= room {
            return false;
        }
        let _counted = Counted::by(&self.parked);
        sleep_until(end).await;
        true
    }

    /// What the head of a line expects; `None` when nobody waits.
    fn expected(&self, plan: &str) -> Option<NotBefore> {
        self.lock().get(plan).map(|line| line.expected.clone())
    }

    /// Becomes the head of a new line, or takes a place in one with the signal of its turn.
    fn join<'a>(&'a self, ticket: &Ticket<'a>, not: &NotBefore) -> (Place<'a>, Option<oneshot::Receiver<()>>) {
        let Ticket { plan, client, call, .. } = *ticket;
        let place = Place { _counted: Counted::by(&self.parked), parking: self, plan, client, call };
        let mut lines = self.lock();
        let Some(line) = lines.get_mut(plan) else {
            lines.insert(plan.to_owned(), Line::new(call, not.clone()));
            return (place, None);
        };
        let turn = line.join(client, call);
        (place, Some(turn))
    }

    fn give_way(&self, ticket: &Ticket<'_>) -> Option<oneshot::Receiver<()>> {
        self.lock().get_mut(ticket.plan)?.give_way(ticket.client, ticket.call)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Counted<'a> {
    fn by(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut lines = self.parking.lock();
        if lines.get_mut(self.plan).is_some_and(|line| !line.leave(self.client, self.call)) {
            lines.remove(self.plan);
        }
    }
}

/// Whether waiting can help before the deadline.
fn in_time(not: &NotBefore, clock: &Clock, deadline: Instant) -> bool {
    not.busy || not.at.is_some_and(|at| Instant::now() + at.since(clock.now()) < deadline)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::Poll;

    use super::*;

    /// Lets a call go on as far as it comes at once.
    async fn step<F: Future>(call: &mut Pin<Box<F>>) -> Option<F::Output> {
        std::future::poll_fn(|cx| match call.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_leaves_before_it_hears_of_its_turn_passes_it_on() {
        let (parking, clock) = (Parking::default(), Clock::system());
        let pool = Pool::new(clock.clone());
        let busy = || Err::<(), _>(NotBefore { busy: true, ..NotBefore::default() });
        let ticket = || {
            let deadline = Instant::now() + Duration::from_secs(60);
            Ticket { plan: "m", client: "c", deadline, room: 10, call: CallId::new() }
        };
        let enter = || Box::pin(parking.enter(&pool, &clock, ticket(), busy));
        let (mut head, mut second, mut third) = (enter(), enter(), enter());
        for call in [&mut head, &mut second, &mut third] {
            assert!(step(call).await.is_none());
        }
        drop(head);
        // the second has its turn now, and never looks
        drop(second);
        assert!(step(&mut third).await.is_none(), "it is the head, and all accounts are busy");
        drop(third);
        assert_eq!((parking.parked(), parking.lock().len()), (0, 0));
        let mut next = Box::pin(parking.enter(&pool, &clock, ticket(), || Ok(())));
        assert!(step(&mut next).await.is_some_and(|found| found.is_ok()), "nobody stands in its way");
    }

    #[tokio::test(start_paused = true)]
    async fn the_only_account_cools_for_twenty_seconds_and_the_call_waits_and_succeeds() {
        let (parking, clock) = (Parking::default(), Clock::system());
        let pool = Pool::new(clock.clone());
        let began = Instant::now();
        let cool = Duration::from_secs(20);
        let seek = || {
            let left = cool.saturating_sub(began.elapsed());
            let at = (!left.is_zero()).then(|| clock.now().after(left));
            at.map_or(Ok(()), |at| Err(NotBefore { at: Some(at), ..NotBefore::default() }))
        };
        let ticket = |wait| {
            let deadline = Instant::now() + Duration::from_secs(wait);
            Ticket { plan: "m", client: "c", deadline, room: 10, call: CallId::new() }
        };
        assert!(parking.enter(&pool, &clock, ticket(19), seek).await.is_err(), "in vain for one who cannot wait");
        assert!(began.elapsed() < Duration::from_millis(1), "and so it is told at once");
        assert!(parking.enter(&pool, &clock, ticket(60), seek).await.is_ok());
        assert!((cool..cool + Duration::from_millis(50)).contains(&began.elapsed()), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn looks_that_wake_each_other_do_not_become_a_storm() {
        let (parking, clock) = (Parking::default(), Clock::system());
        let pool = Pool::new(clock.clone());
        let settings = crate::config::parse("").expect("the built-in settings");
        let looks = std::cell::Cell::new(0);
        let seek = || {
            looks.set(looks.get() + 1);
            // as a lease does that was taken and given back
            pool.apply(&settings);
            Err::<(), _>(NotBefore { busy: true, ..NotBefore::default() })
        };
        let deadline = Instant::now() + Duration::from_secs(1);
        let ticket = Ticket { plan: "m", client: "c", deadline, room: 10, call: CallId::new() };
        assert!(parking.enter(&pool, &clock, ticket, seek).await.is_err());
        assert!((500..1100).contains(&looks.get()), "{}", looks.get());
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_call_of_a_client_goes_before_its_later_ones() {
        let (parking, clock) = (Parking::default(), Clock::system());
        let pool = Pool::new(clock.clone());
        let free = std::cell::Cell::new(false);
        let seek = || if free.get() { Ok(()) } else { Err(NotBefore { busy: true, ..NotBefore::default() }) };
        let deadline = Instant::now() + Duration::from_secs(60);
        let [first, second] = [CallId::new(), CallId::new()];
        let enter = |call| {
            let ticket = Ticket { plan: "m", client: "c", deadline, room: 10, call };
            Box::pin(parking.enter(&pool, &clock, ticket, seek))
        };
        // the earlier one was sent away by a provider, and comes back when the later one waits already
        let mut later = enter(second);
        assert!(step(&mut later).await.is_none());
        let mut earlier = enter(first);
        assert!(step(&mut earlier).await.is_none());
        free.set(true);
        pool.apply(&crate::config::parse("").expect("the built-in settings"));
        assert!(step(&mut later).await.is_none(), "it lets the other one go first");
        assert!(step(&mut earlier).await.is_some());
        assert!(step(&mut later).await.is_some());
        assert_eq!(parking.lock().len(), 0);
    }
}
