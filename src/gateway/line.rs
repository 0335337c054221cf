//! Those who wait for the same plan: clients in turn, within one client in order of arrival.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::accounts::NotBefore;
use crate::kit::CallId;

/// A line behind its head.
pub(super) struct Line {
    /// When the head expects an account.
    pub(super) expected: NotBefore,
    /// Its head. Kept here and not with the head, which may leave before it hears of its turn.
    head: CallId,
    /// Clients with somebody in line, in turn.
    turns: VecDeque<Arc<str>>,
    waiting: HashMap<Arc<str>, BTreeMap<CallId, oneshot::Sender<()>>>,
    /// When the head before this one left, and the usual time between two that leave.
    left: Option<Instant>,
    pace: Option<Duration>,
}

impl Line {
    /// A line that has only a head.
    pub(super) fn new(head: CallId, expected: NotBefore) -> Self {
        let (turns, waiting) = (VecDeque::new(), HashMap::new());
        Self { expected, head, turns, waiting, left: None, pace: None }
    }

    /// Takes a place behind the head; resolves when it is this call's turn. Ids sort by arrival: whoever
    /// was sent away by a provider and comes back has lost nothing.
    pub(super) fn join(&mut self, client: &str, call: CallId) -> oneshot::Receiver<()> {
        let (signal, turn) = oneshot::channel();
        if let Some(queue) = self.waiting.get_mut(client) {
            queue.insert(call, signal);
            return turn;
        }
        let client: Arc<str> = client.into();
        self.turns.push_back(Arc::clone(&client));
        self.waiting.insert(client, BTreeMap::from([(call, signal)]));
        turn
    }

    /// The head lets an earlier call of its own client go first, where there is one: then it waits again.
    pub(super) fn give_way(&mut self, client: &str, call: CallId) -> Option<oneshot::Receiver<()>> {
        let queue = self.waiting.get_mut(client)?;
        let first = queue.first_entry().filter(|first| *first.key() < call)?;
        let (earlier, signal) = first.remove_entry();
        // one that has left took its place with it, so this one is there
        signal.send(()).ok()?;
        self.head = earlier;
        let (signal, turn) = oneshot::channel();
        queue.insert(call, signal);
        Some(turn)
    }

    /// A call leaves, whichever place it has; false when it was the head and nobody is left.
    pub(super) fn leave(&mut self, client: &str, call: CallId) -> bool {
        if self.head == call {
            return self.promote();
        }
        if let Some(queue) = self.waiting.get_mut(client) {
            queue.remove(&call);
            if queue.is_empty() {
                self.waiting.remove(client);
                self.turns.retain(|other| **other != *client);
            }
        }
        true
    }

    /// How many wait, its head included.
    pub(super) fn len(&self) -> usize {
        1 + self.waiting.values().map(BTreeMap::len).sum::<usize>()
    }

    /// How long the last one waits after the head, as those before it went.
    pub(super) fn tail(&self) -> Option<Duration> {
        Some(self.pace? * u32::try_from(self.len() - 1).unwrap_or(u32::MAX))
    }

    /// Tells the next in line that it is the head; false when nobody is left.
    fn promote(&mut self) -> bool {
        let now = Instant::now();
        if let Some(left) = self.left.replace(now) {
            let took = now - left;
            self.pace = Some(self.pace.map_or(took, |pace| (pace * 7 + took) / 8));
        }
        while let Some(client) = self.turns.pop_front() {
            let Some(queue) = self.waiting.get_mut(&client) else { continue };
            let woken = std::iter::from_fn(|| queue.pop_first())
                .find_map(|(call, signal)| signal.send(()).is_ok().then_some(call));
            if queue.is_empty() {
                self.waiting.remove(&client);
            } else {
                self.turns.push_back(client);
            }
            if let Some(call) = woken {
                self.head = call;
                return true;
            }
        }
        false
    }
}
