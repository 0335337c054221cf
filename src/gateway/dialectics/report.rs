//! The report of a dialectic: what was agreed and what disputed, as the synthesis model says it in strict JSON. One that
//! does not keep to the form gives no report, and that is what the client reads.

use serde::Deserialize;
use serde_json::{Value, json};

use super::brief::REPORT_MARK;

/// Takes the report out of the text of the synthesis while it is written.
#[derive(Default)]
pub(super) struct Sieve {
    /// What could be the beginning of the mark.
    held: String,
    /// What came behind the mark.
    report: Option<String>,
}

impl Sieve {
    /// What of the text so far the client may read.
    pub(super) fn pass(&mut self, text: &str) -> String {
        if let Some(report) = &mut self.report {
            report.push_str(text);
            return String::new();
        }
        self.held.push_str(text);
        if let Some(at) = self.held.find(REPORT_MARK) {
            let behind = self.held.split_off(at);
            self.report = Some(behind[REPORT_MARK.len()..].to_owned());
            return std::mem::take(&mut self.held).trim_end().to_owned();
        }
        // white space is kept back too: it may stand before the mark
        let open = (0..=self.held.len())
            .find(|&at| self.held.is_char_boundary(at) && REPORT_MARK.starts_with(self.held[at..].trim_start()));
        let open = self.held.split_off(open.unwrap_or(self.held.len()));
        std::mem::replace(&mut self.held, open)
    }

    /// What was kept back and is no report after all.
    pub(super) fn rest(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// The report for the client.
    pub(super) fn report(&self, legs: &[&str]) -> Value {
        let read = match &self.report {
            None => Err("the synthesis model wrote no report".to_owned()),
            Some(text) => read(text, legs),
        };
        match read {
            Ok(report) => report,
            Err(why) => {
                json!({"complied": false, "why": why, "agreed": [], "disputed": [], "confidence": null})
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    agreed: Vec<String>,
    disputed: Vec<Dispute>,
    confidence: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dispute {
    point: String,
    positions: Vec<Position>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    leg: String,
    says: String,
}

fn read(text: &str, legs: &[&str]) -> Result<Value, String> {
    let inside = text.split("```").next().unwrap_or_default().trim();
    let report: Report = serde_json::from_str(inside)
        .map_err(|error| format!("the report of the synthesis model does not have its form: {error}"))?;
    if !(0.0..=1.0).contains(&report.confidence) {
        return Err(format!("the report states a confidence of {}, which is not between 0 and 1", report.confidence));
    }
    let positions = report.disputed.iter().flat_map(|dispute| &dispute.positions);
    if let Some(stranger) = positions.clone().find(|position| !legs.contains(&position.leg.as_str())) {
        return Err(format!("the report tells what {:?} said, which took no part", stranger.leg));
    }
    let disputed = report.disputed.iter().map(|dispute| {
        let positions = dispute.positions.iter().map(|position| json!({"leg": position.leg, "says": position.says}));
        json!({"point": dispute.point, "positions": positions.collect::<Vec<_>>()})
    });
    Ok(json!({"complied": true, "why": null, "agreed": report.agreed, "disputed": disputed.collect::<Vec<_>>(),
        "confidence": report.confidence}))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"agreed":["it rains"],"disputed":[{"point":"how long","positions":[{"leg":"thesis","says":"an hour"}]}],"confidence":0.7}"#;

    fn sieved(text: &str, size: usize) -> (String, Value) {
        let (mut sieve, mut read) = (Sieve::default(), String::new());
        let letters: Vec<char> = text.chars().collect();
        for piece in letters.chunks(size) {
            read += &sieve.pass(&piece.iter().collect::<String>());
        }
        read += &sieve.rest();
        (read, sieve.report(&["thesis", "antithesis"]))
    }

    #[test]
    fn a_report_is_taken_out_of_the_answer_however_it_is_cut() {
        let text = format!("The ünswer, with `code` and ``` a fence.\n\n{REPORT_MARK}\n{GOOD}\n```\n");
        for size in 1..60 {
            let (read, report) = sieved(&text, size);
            assert_eq!(read.trim_end(), "The ünswer, with `code` and ``` a fence.", "cut every {size}");
            assert_eq!((&report["complied"], &report["agreed"][0]), (&json!(true), &json!("it rains")), "{report}");
            assert_eq!(report["disputed"][0]["positions"][0]["leg"], "thesis");
        }
    }

    #[test]
    fn a_model_that_does_not_comply_is_told_of_and_its_answer_stays() {
        let bad = |text: &str| format!("yes\n{REPORT_MARK}\n{text}\n```");
        for (text, why) in [
            ("yes ```rust\nx```\n".to_owned(), "wrote no report"),
            (bad("{}"), "does not have its form"),
            (bad("{\"agreed\":[],"), "does not have its form"),
            (bad(&GOOD.replace("0.7", "7")), "not between 0 and 1"),
            (bad(&GOOD.replace("thesis", "a stranger")), "took no part"),
            (bad(&GOOD.replace("\"agreed\"", "\"extra\":1,\"agreed\"")), "does not have its form"),
        ] {
            let (read, report) = sieved(&text, 3);
            assert!(read.starts_with("yes"), "{read}");
            assert_eq!(report["complied"], false);
            assert!(report["why"].as_str().is_some_and(|said| said.contains(why)), "{report}");
        }
        let plain = "yes ```rust\nx```\n";
        assert_eq!(sieved(plain, 4).0, plain, "without a report every byte is passed on");
    }
}
