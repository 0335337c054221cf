//! What the legs say, as text that can be read: one speaks at a time, the others' words wait until it has ended. A client
//! that tells legs apart gets them as they come.

use std::sync::Arc;

use serde_json::{Value, json};

use super::cast::Cast;
use super::course::Event;

/// A stretch of the minutes: text for people, and whose it is for programs.
pub(super) struct Entry {
    /// What is added to the reasoning; empty where only programs are told.
    pub(super) text: String,
    /// The member `keywheel` beside it.
    pub(super) tag: Value,
}

/// Keeps the minutes of one dialectic.
pub(super) struct Minutes {
    cast: Arc<Cast>,
    /// Who speaks; nobody at first, and between two.
    floor: Option<usize>,
    legs: Vec<Waiting>,
    /// The legs that gave no answer, `role (model): words`.
    pub(super) absent: Vec<String>,
}

#[derive(Default)]
struct Waiting {
    text: String,
    round: u32,
    begun: bool,
    ended: bool,
}

impl Minutes {
    pub(super) fn new(cast: Arc<Cast>) -> Self {
        let legs = cast.legs.iter().map(|_| Waiting::default()).collect();
        Self { cast, floor: None, legs, absent: Vec::new() }
    }

    /// What of an event can be written now. The synthesis' own words are nobody's minutes.
    pub(super) fn take(&mut self, event: &Event) -> Vec<Entry> {
        match event {
            Event::Said { leg, round, text } => self.said(*leg, *round, text),
            Event::Ended { leg, round, absent } => {
                let mut out = Vec::new();
                let named = self.cast.legs[*leg].named();
                if let Some(absence) = absent {
                    let when = if *round > 1 { format!(" in round {round}") } else { String::new() };
                    self.absent.push(format!("{named}: {}", absence.reason));
                    out = self.said(*leg, *round, &format!("[{named} is absent{when}: {}]", absence.words));
                }
                out.extend(self.ended(*leg, absent.as_ref().map(|absence| absence.reason)));
                out
            }
            Event::Note(text) => vec![Entry { text: format!("{text}\n\n"), tag: json!({"note": text}) }],
            Event::Judging(model) => {
                let text = format!("## synthesis · {model}\n\n");
                vec![Entry { text, tag: json!({"leg": "synthesis", "model": model, "state": "began"}) }]
            }
            Event::Answer(_) | Event::Spent(_) => Vec::new(),
        }
    }

    fn said(&mut self, leg: usize, round: u32, text: &str) -> Vec<Entry> {
        let waiting = &mut self.legs[leg];
        if !waiting.begun || waiting.round != round {
            (waiting.begun, waiting.round, waiting.ended) = (true, round, false);
            if !self.cast.live {
                waiting.text += &heading(&self.cast, leg, round);
            }
        }
        waiting.text += text;
        if self.cast.live || *self.floor.get_or_insert(leg) == leg {
            return self.write(leg, None).into_iter().collect();
        }
        Vec::new()
    }

    fn ended(&mut self, leg: usize, absent: Option<&str>) -> Vec<Entry> {
        self.legs[leg].ended = true;
        if !self.cast.live {
            self.legs[leg].text += "\n\n";
        }
        let state = if absent.is_some() { "absent" } else { "done" };
        if self.cast.live {
            return self.write(leg, Some((state, absent))).into_iter().collect();
        }
        if self.floor.is_some_and(|holder| holder != leg) {
            return Vec::new();
        }
        let mut out: Vec<Entry> = self.write(leg, Some((state, absent))).into_iter().collect();
        self.floor = None;
        // those who have ended meanwhile, then whoever is speaking
        for at in 0..self.legs.len() {
            if self.legs[at].ended {
                out.extend(self.write(at, None));
            }
        }
        if let Some(next) = (0..self.legs.len()).find(|&at| !self.legs[at].text.is_empty()) {
            self.floor = Some(next);
            out.extend(self.write(next, None));
        }
        out
    }

    /// What waits of a leg; nothing where that is empty and its state has not changed.
    fn write(&mut self, leg: usize, state: Option<(&str, Option<&str>)>) -> Option<Entry> {
        let waiting = &mut self.legs[leg];
        let text = std::mem::take(&mut waiting.text);
        if text.is_empty() && state.is_none() {
            return None;
        }
        let own = &self.cast.legs[leg];
        let mut tag = json!({"leg": own.role, "model": own.model, "round": waiting.round.max(1)});
        if let Some((state, why)) = state {
            tag["state"] = Value::from(state);
            why.into_iter().for_each(|why| tag["reason"] = Value::from(why));
        }
        Some(Entry { text, tag })
    }
}

fn heading(cast: &Cast, leg: usize, round: u32) -> String {
    let own = &cast.legs[leg];
    let round = if cast.rounds > 1 { format!(", round {round}") } else { String::new() };
    format!("## {} · {}{round}\n\n", own.role, own.model)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Mode, ToolsFor};
    use crate::gateway::dialectics::cast::Leg;
    use crate::gateway::dialectics::voice::Absence;

    fn minutes(live: bool) -> Minutes {
        let leg = |role: &str| Leg { role: role.to_owned(), model: format!("lab/{role}") };
        Minutes::new(Arc::new(Cast {
            mode: Mode::Panel,
            legs: vec![leg("a"), leg("b"), leg("c")],
            synthesis: "lab/a".to_owned(),
            rounds: 1,
            leg_timeout: Duration::from_secs(1),
            max_cost: None,
            tools: ToolsFor::Synthesis,
            report: false,
            live,
        }))
    }

    fn said(leg: usize, text: &str) -> Event {
        Event::Said { leg, round: 1, text: text.to_owned() }
    }

    fn ended(leg: usize) -> Event {
        Event::Ended { leg, round: 1, absent: None }
    }

    #[test]
    fn legs_that_speak_at_once_are_read_one_after_the_other() {
        let mut minutes = minutes(false);
        let gone = Event::Ended { leg: 2, round: 1, absent: Some(Absence::late(Duration::from_secs(1))) };
        let mut text = String::new();
        for event in
            [said(1, "b1 "), said(0, "a1 "), said(1, "b2"), gone, said(0, "a2"), ended(1), said(0, " a3"), ended(0)]
        {
            minutes.take(&event).iter().for_each(|entry| text += &entry.text);
        }
        assert_eq!(
            text,
            "## b · lab/b\n\nb1 b2\n\n## c · lab/c\n\n[c (lab/c) is absent: it had not answered after 1 s]\n\n## a · \
             lab/a\n\na1 a2 a3\n\n"
        );
        assert_eq!(minutes.absent, ["c (lab/c): late"]);
    }

    #[test]
    fn a_client_that_tells_legs_apart_gets_their_words_as_they_come() {
        let mut minutes = minutes(true);
        let mut got = Vec::new();
        for event in [said(1, "b1"), said(0, "a1"), ended(1), said(0, "a2")] {
            got.extend(minutes.take(&event).into_iter().map(|entry| (entry.tag["leg"].clone(), entry.text)));
        }
        assert_eq!(
            got,
            [("b", "b1"), ("a", "a1"), ("b", ""), ("a", "a2")].map(|(leg, text)| (leg.into(), text.into()))
        );
    }
}
