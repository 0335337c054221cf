//! How fast a model may be called after its provider said that it was called too fast: learnt from what went through.
//!
//! A 429 with a hint tells when its window ends; what was let through since that window began is what fits into one.
//! From then on calls are spaced, so that a reset does not release a herd that meets the next 429.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::kit::Time;

/// The windows in which providers count; a hint beyond the last is a quota's and no tempo.
const WINDOWS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];
/// Calls remembered of one model: beyond so many in a minute, single ones do not matter.
const MOST_CALLS: usize = 4096;
/// Models remembered at the same time; whoever asks for made-up names could fill the memory otherwise.
const MOST_MODELS: usize = 256;
/// Where fewer went through, it was not their number that was too much: long prompts, or others who use the same key.
const FEWEST: usize = 5;
/// Two calls need not lie further apart, however few fit into a window.
const WIDEST: Duration = Duration::from_millis(100);
/// A pace that met no 429 for so many windows, and so long, is tried a little faster.
const PATIENT_WINDOWS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// The tempos of all models of an account or quota group.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Tempos {
    /// Whether any pace has been learnt, so that those who are never throttled are passed without a lock.
    learnt: AtomicBool,
    // a std mutex: it is held for a look-up and a push, never across I/O
    models: Mutex<HashMap<Box<str>, Tempo>>,
}

/// The calls of one model within the last minute, and the pace that was learnt of them.
#[derive(Debug, Default)]
struct Tempo {
    admitted: VecDeque<Time>,
    lesson: Option<Lesson>,
}

/// So many calls fit into one window.
#[derive(Clone, Copy, Debug)]
struct Lesson {
    calls: usize,
    window: Duration,
    /// When the window began in which it was learnt.
    from: Time,
    /// When it was learnt or last loosened.
    at: Time,
    /// When the next call is due, so that calls are evenly spaced.
    due: Time,
}

impl Tempos {
    /// Whether no pace has been learnt.
    pub(super) fn is_free(&self) -> bool {
        !self.learnt.load(Ordering::Acquire)
    }

    /// Until when the model's pace holds the next call back.
    pub(super) fn holds(&self, model: &str, now: Time) -> Option<Time> {
        if self.is_free() {
            return None;
        }
        self.lock().get(model)?.holds(now)
    }

    /// Notes a call that is let through; false, and nothing is noted, when the pace holds it back.
    pub(super) fn admit(&self, model: &str, now: Time) -> bool {
        let mut models = self.lock();
        if !models.contains_key(model) {
            if models.len() >= MOST_MODELS {
                let recent = |tempo: &Tempo| tempo.admitted.back().is_some_and(|last| now.since(*last) < PATIENCE);
                models.retain(|_, tempo| recent(tempo));
            }
            if models.len() >= MOST_MODELS {
                return true;
            }
            models.insert(model.into(), Tempo::default());
        }
        let admitted = models.get_mut(model).is_none_or(|tempo| tempo.admit(now));
        if !self.is_free() && models.values().all(|tempo| tempo.lesson.is_none()) {
            self.learnt.store(false, Ordering::Release);
        }
        admitted
    }

    /// Learns from a call that was let through at `admitted` and refused at `now`; the provider says that its window
    /// ends after `wait`.
    pub(super) fn refused(&self, model: &str, admitted: Time, wait: Option<Duration>, now: Time) {
        let mut models = self.lock();
        if let Some(tempo) = models.get_mut(model) {
            tempo.refused(admitted, wait, now);
            if tempo.lesson.is_some() {
                self.learnt.store(true, Ordering::Release);
            }
        }
    }

    /// Forgets every pace, on a person's word.
    pub(super) fn clear(&self) {
        let mut models = self.lock();
        models.clear();
        self.learnt.store(false, Ordering::Release);
    }

    #[cfg(test)]
    pub(super) fn hot(&self) -> usize {
        std::ptr::from_ref(&self.learnt).addr()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Tempo>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tempo {
    fn holds(&self, now: Time) -> Option<Time> {
        let lesson = self.lesson?;
        let first = self.admitted.len().checked_sub(lesson.calls).and_then(|at| self.admitted.get(at));
        let full = first.map_or(lesson.due, |first| first.after(lesson.span()));
        Some(full.max(lesson.due)).filter(|at| *at > now)
    }

    fn admit(&mut self, now: Time) -> bool {
        self.loosen(now);
        if self.holds(now).is_some() {
            return false;
        }
        if let Some(lesson) = &mut self.lesson {
            // whoever woke late is made up for, but never by more than the window itself allows
            let late = now.since(lesson.due).min(lesson.span() / 10);
            lesson.due = now.after(lesson.space().saturating_sub(late));
        }
        while self.admitted.len() >= MOST_CALLS
            || self.admitted.front().is_some_and(|first| now.since(*first) > WINDOWS[2] * 2)
        {
            self.admitted.pop_front();
        }
        self.admitted.push_back(now);
        true
    }

    fn refused(&mut self, admitted: Time, wait: Option<Duration>, now: Time) {
        // it was not let through after all
        if let Some(at) = self.admitted.iter().rposition(|time| *time == admitted) {
            self.admitted.remove(at);
        }
        if let Some(lesson) = self.lesson.as_mut().filter(|lesson| admitted <= lesson.at) {
            // the same window taught it; what it let through is known better with each refusal
            lesson.calls = lesson.calls.min(count(&self.admitted, lesson.from));
            self.lesson = self.lesson.filter(|lesson| lesson.calls >= FEWEST);
            return;
        }
        let Some((wait, window)) = wait.and_then(|wait| Some((wait, *WINDOWS.iter().find(|w| **w >= wait)?))) else {
            return;
        };
        let window = self.lesson.map_or(window, |old| old.window.max(window));
        // calls were let through here before they were counted there: by as long as they were on their way, and those
        // that first had to connect were on it for longer than this one
        let way = now.since(admitted).max((window / 4).min(WINDOWS[0])).min(window / 2);
        let begun = i64::try_from((window + way).as_micros()).unwrap_or(i64::MAX);
        let from = Time::from_micros(now.after(wait).as_micros().saturating_sub(begun));
        let most = self.lesson.filter(|old| old.window == window).map_or(usize::MAX, |old| old.calls * 19 / 20);
        let calls = count(&self.admitted, from).min(most);
        let lesson = Lesson { calls, window, from, at: now, due: now };
        self.lesson = Some(lesson).filter(|lesson| lesson.calls >= FEWEST);
    }

    /// What was right an hour ago need not be right now: a pace that holds well is tried a little faster, and one that
    /// nobody keeps any more is forgotten.
    fn loosen(&mut self, now: Time) {
        let Some(lesson) = &mut self.lesson else { return };
        if now.since(lesson.at) < PATIENCE.max(lesson.window * PATIENT_WINDOWS) {
            return;
        }
        if self.admitted.back().is_none_or(|last| now.since(*last) > lesson.window) {
            self.lesson = None;
            return;
        }
        lesson.calls += (lesson.calls / 8).max(1);
        lesson.at = now;
        // more than is remembered cannot be held back
        if lesson.calls > MOST_CALLS {
            self.lesson = None;
        }
    }
}

impl Lesson {
    /// The window with a margin, for calls that take a little longer on their way than the one before them.
    fn span(&self) -> Duration {
        self.window + self.window / 50
    }

    fn space(&self) -> Duration {
        (self.span() / u32::try_from(self.calls).unwrap_or(u32::MAX)).min(WIDEST)
    }
}

fn count(admitted: &VecDeque<Time>, from: Time) -> usize {
    admitted.iter().rev().take_while(|time| **time >= from).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_micros(1_800_000_000_000_000);

    fn at(millis: u64) -> Time {
        START.after(Duration::from_millis(millis))
    }

    /// A thousand calls at once at a provider that lets 50 through and refuses the rest.
    fn taught() -> Tempos {
        let tempos = Tempos::default();
        for micros in 0..1000 {
            assert!(tempos.admit("m", START.after(Duration::from_micros(micros))));
        }
        for micros in 50..1000 {
            let admitted = START.after(Duration::from_micros(micros));
            tempos.refused("m", admitted, Some(Duration::from_millis(995)), at(5));
        }
        tempos
    }

    #[test]
    fn what_went_through_in_a_window_is_the_pace_after_it() {
        let tempos = taught();
        let mut passed = Vec::new();
        for millis in 1000..11_000 {
            if tempos.admit("m", at(millis)) {
                passed.push(millis);
            }
        }
        assert!((485..=500).contains(&passed.len()), "97 % of the rate, and never over it: {}", passed.len());
        for from in 1000..10_000 {
            let inside = passed.iter().filter(|at| (from..from + 1000).contains(*at)).count();
            assert!(inside <= 50, "{inside} in the second from {from}");
        }
    }

    #[test]
    fn a_sleeper_who_wakes_late_is_made_up_for() {
        let tempos = taught();
        let mut passed = 0;
        let mut now = at(1020);
        while now < at(11_020) {
            now = tempos.holds("m", now).unwrap_or(now).after(Duration::from_millis(3));
            passed += usize::from(tempos.admit("m", now));
        }
        assert!(passed >= 475, "95 % of the rate: {passed}");
    }

    #[test]
    fn another_refusal_slows_down_and_long_peace_speeds_up() {
        let tempos = taught();
        let calls = || tempos.lock()["m"].lesson.map(|lesson| lesson.calls);
        let mut last = START;
        for millis in 1000..2000 {
            if tempos.admit("m", at(millis)) {
                last = at(millis);
            }
        }
        tempos.refused("m", last, Some(Duration::from_millis(100)), at(2000));
        assert_eq!(calls(), Some(47), "a twentieth less");
        for millis in (2500..63_000).step_by(10) {
            tempos.admit("m", at(millis));
        }
        assert_eq!(calls(), Some(52));
        assert!(tempos.admit("m", at(400_000)));
        assert_eq!(calls(), None, "nobody called for minutes");
    }

    #[test]
    fn a_hint_of_hours_none_at_all_and_a_single_refusal_teach_no_pace() {
        for (wait, calls) in [(None, 50), (Some(Duration::from_secs(7200)), 50), (Some(Duration::from_secs(1)), 4)] {
            let tempos = Tempos::default();
            for _ in 0..calls {
                assert!(tempos.admit("m", START));
            }
            tempos.refused("m", START, wait, at(1));
            assert!(tempos.admit("m", at(2)) && tempos.admit("m", at(2)) && tempos.holds("m", at(2)).is_none());
        }
    }
}
