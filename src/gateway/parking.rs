//! The only place that waits: for an account, or for a moment before the same one is tried again.
//!
//! Calls of one plan form a line. Its head alone asks for an account, sleeping until one can be free; the others sleep
//! until they are the head, so a reset releases them one by one and not as a herd. The next head comes from the
//! clients in turn, within one client in order of arrival. A call that leaves costs nothing: its place is passed over.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::accounts::{NotBefore, Pool};
use crate::kit::Clock;

/// The waiting room of all plans.
#[derive(Default)]
pub(super) struct Parking {
    lines: Mutex<HashMap<String, Line>>,
    parked: AtomicUsize,
    places: AtomicU64,
}

/// Those who wait for the same plan, behind its head.
#[derive(Default)]
struct Line {
    /// When the head expects an account.
    expected: NotBefore,
    /// The place of its head. Kept here and not with the head, which may leave before it hears of its turn.
    head: u64,
    /// Clients with somebody in line, in turn.
    turns: VecDeque<String>,
    waiting: HashMap<String, VecDeque<(u64, oneshot::Sender<()>)>>,
}

/// Who waits, for what, and until when.
pub(super) struct Ticket<'a> {
    /// What the line is for.
    pub(super) plan: &'a str,
    /// The client key's name.
    pub(super) client: &'a str,
    /// After this it is better to say no.
    pub(super) deadline: Instant,
    /// The most that may wait at once.
    pub(super) room: usize,
    /// Whether it has been at the head before, and was sent away by the provider: it does not lose its turn.
    pub(super) returns: bool,
}

/// One of those who wait, until it is dropped.
struct Counted<'a>(&'a AtomicUsize);

/// A place in a line, given up on drop.
struct Place<'a> {
    _counted: Counted<'a>,
    parking: &'a Parking,
    plan: &'a str,
    number: u64,
}

impl Parking {
    /// How many calls wait.
    pub(super) fn parked(&self) -> usize {
        self.parked.load(Ordering::Acquire)
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
        let (_place, turn) = self.join(&ticket, &not);
        if let Some(turn) = turn {
            tokio::select! {
                biased;
                _ = turn => {}
                () = sleep_until(ticket.deadline) => return Err(not),
            }
        }
        loop {
            let mut changed = std::pin::pin!(pool.changed());
            // registered before looking, so that nothing is missed in between
            changed.as_mut().enable();
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
        let number = self.places.fetch_add(1, Ordering::Relaxed);
        let place = Place { _counted: Counted::by(&self.parked), parking: self, plan: ticket.plan, number };
        let mut lines = self.lock();
        let Some(line) = lines.get_mut(ticket.plan) else {
            lines.insert(ticket.plan.to_owned(), Line { expected: not.clone(), head: number, ..Line::default() });
            return (place, None);
        };
        let (signal, turn) = oneshot::channel();
        if !line.waiting.contains_key(ticket.client) {
            line.turns.push_back(ticket.client.to_owned());
        }
        let queue = line.waiting.entry(ticket.client.to_owned()).or_default();
        if ticket.returns {
            queue.push_front((number, signal));
        } else {
            queue.push_back((number, signal));
        }
        (place, Some(turn))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Tells the next in line that it is the head; false when nobody is left.
    fn promote(&mut self) -> bool {
        while let Some(client) = self.turns.pop_front() {
            let Some(queue) = self.waiting.get_mut(&client) else { continue };
            let woken = std::iter::from_fn(|| queue.pop_front())
                .find_map(|(number, signal)| signal.send(()).is_ok().then_some(number));
            if queue.is_empty() {
                self.waiting.remove(&client);
            } else {
                self.turns.push_back(client);
            }
            if let Some(number) = woken {
                self.head = number;
                return true;
            }
        }
        false
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
        if lines.get_mut(self.plan).is_some_and(|line| line.head == self.number && !line.promote()) {
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
            Ticket { plan: "m", client: "c", deadline, room: 10, returns: false }
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
}
