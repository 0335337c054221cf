//! Every model of the catalogue, every way of billing it: our costs against those that a script in another language
//! worked out with fractions from another file.

use std::process::Command;

use keywheel::catalog::price::Certainty;
use keywheel::catalog::price_model::Billing;
use keywheel::catalog::prices::Prices;
use keywheel::kit::{Money, Time, Usage};

const EXPECTED: &str = include_str!("../data/expected_costs.tsv");

fn said(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn usage(columns: &[&str]) -> Usage {
    let count = |at: usize| columns[at].parse().expect("a count");
    Usage {
        input: count(0),
        cache_read: count(1),
        cache_read_audio: count(2),
        cache_write: count(3),
        cache_write_1h: count(4),
        cache_write_12h: count(5),
        audio_in: count(6),
        image_in: count(7),
        output: count(8),
        reasoning: count(9),
        audio_out: count(10),
        image_out: count(11),
        searches: count(12),
        maps: 0,
    }
}

#[test]
fn every_expected_cost_is_met_to_the_picodollar() {
    let prices = Prices::shipped().expect("the shipped prices are sound");
    let (mut lines, mut models, mut wrong) = (0, std::collections::BTreeSet::new(), Vec::new());
    for line in EXPECTED.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [provider, id, case, at, tier, region, speed] = columns[..7] else { panic!("short line {line:?}") };
        let (usage, at) = (usage(&columns[7..20]), at.parse::<jiff::Timestamp>().expect("a time"));
        let billing = Billing {
            at: Time::from_micros(at.as_microsecond()),
            service_tier: said(tier),
            region: said(region),
            speed: said(speed),
        };
        let model = prices.model(provider, id).unwrap_or_else(|| panic!("{provider}/{id} is not in the table"));
        assert_eq!(model.prices.id, id, "{provider} finds the model itself, not one whose pattern fits");
        let rates = model.rates(&billing, usage.total_input()).unwrap_or_else(|| panic!("no rates for {line:?}"));
        let expected = Money::from_pico(columns[20].parse().expect("picodollars"));
        let certainty = if columns[21] == "exact" { Certainty::Exact } else { Certainty::Estimated };
        if (rates.cost(&usage), rates.certainty(&usage)) != (expected, certainty) {
            let ours = (rates.cost(&usage).exact(), rates.certainty(&usage));
            wrong.push(format!(
                "{provider}/{id}, {case}: ours {ours:?}, expected {}, {}",
                expected.exact(),
                columns[21]
            ));
        }
        models.insert((provider, id));
        lines += 1;
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(lines, 88 * 38, "88 models in 38 cases each");
    // one router stands in the catalogue under two names, and one model once more for a region
    assert_eq!(models.len(), 86);
}

#[test]
fn the_committed_costs_are_those_that_the_script_prints() {
    if std::env::var_os("KEYWHEEL_TEST_ALL").is_none() {
        return;
    }
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
    let out = Command::new("python3").arg("expected_costs.py").arg("prices.json").current_dir(data).output();
    let out = out.expect("python3 runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stdout == EXPECTED.as_bytes(), "run the script again and commit what it prints");
}
