//! The parts of a split: as the planner says, else as the request itself falls apart.

use serde::Deserialize;

/// The parts that a planner wrote, one text for each leg at most; `None` where it did not keep to its form.
pub(super) fn planned(text: &str, legs: usize) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Plan {
        parts: Vec<String>,
    }
    let inside = text.get(text.find('{')?..=text.rfind('}')?)?;
    let Plan { parts } = serde_json::from_str(inside).ok()?;
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.trim().is_empty()).collect();
    (parts.len() >= 2).then(|| dealt(&parts, legs, "\n\n"))
}

/// Parts of a request without a plan: its lines, its sentences, else two ways to look at all of it.
pub(super) fn fallen_apart(question: &str, legs: usize) -> Vec<String> {
    let lines: Vec<String> = question.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    if lines.len() >= legs {
        return dealt(&lines, legs, "\n");
    }
    let mut sentences = Vec::new();
    let mut rest = question.trim();
    while let Some(at) = rest.find(['.', '?', '!']).map(|at| at + 1) {
        let (sentence, more) = rest.split_at(at);
        sentences.push(sentence.trim().to_owned());
        rest = more;
    }
    sentences.extend(Some(rest.trim().to_owned()).filter(|rest| !rest.is_empty()));
    if sentences.len() >= legs {
        return dealt(&sentences, legs, " ");
    }
    let sides = ["work out the answer itself", "look for what could be wrong or missing in the obvious answer"];
    let side = |at: usize| format!("{question}\n\nOf this request, {}.", sides[at % sides.len()]);
    (0..legs).map(side).collect()
}

/// Items in as many runs as there are legs, in their order.
fn dealt(items: &[String], legs: usize, between: &str) -> Vec<String> {
    let runs = legs.min(items.len());
    let run = |at: usize| items[items.len() * at / runs..items.len() * (at + 1) / runs].join(between);
    (0..runs).map(run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_dealt_to_the_legs_and_a_bad_one_is_none() {
        let plan = "Here it is: ```json\n{\"parts\": [\"a\", \"b\", \"c\"]}\n```";
        assert_eq!(planned(plan, 2), Some(vec!["a".to_owned(), "b\n\nc".to_owned()]));
        assert_eq!(planned(plan, 5).map(|parts| parts.len()), Some(3), "nobody is asked for nothing");
        for bad in ["", "no", "{}", "}{", "{\"parts\":[]}", "{\"parts\":[\"one\",\" \"]}", "{\"parts\":\"x\"}"] {
            assert_eq!(planned(bad, 2), None, "{bad}");
        }
    }

    #[test]
    fn without_a_plan_the_request_falls_apart_by_itself() {
        assert_eq!(fallen_apart("one\n\ntwo\nthree", 2), ["one", "two\nthree"]);
        assert_eq!(fallen_apart("Is it? It is. Why", 3), ["Is it?", "It is.", "Why"]);
        let sides = fallen_apart("Why", 2);
        assert!(sides.len() == 2 && sides[0] != sides[1] && sides.iter().all(|side| side.starts_with("Why")));
    }
}
