//! Money: decimal strings in and out without losing a digit.

use keywheel::kit::decimal::{self, DecimalError, Kept};
use keywheel::kit::{Clock, Money, Time};
use proptest::prelude::*;

fn usd(text: &str) -> Money {
    Money::parse(text).expect("an amount")
}

#[test]
fn amounts_are_read_exactly() {
    for (text, pico) in [
        ("0", 0),
        ("1", 1_000_000_000_000),
        ("0.000000000001", 1),
        ("-0.5", -500_000_000_000),
        ("1.4e-05", 14_000_000),
        ("2.8e-08", 28_000),
        ("12E2", 1_200_000_000_000_000),
        ("100.", 100_000_000_000_000),
        (".25", 250_000_000_000),
        ("0e99999", 0),
    ] {
        assert_eq!(usd(text).pico(), pico, "{text}");
    }
}

#[test]
fn what_is_no_amount_is_refused_with_what_to_do() {
    for bad in ["", "-", ".", "1,5", "0x1", "1e", "e5", "NaN", "--1", "1.2.3", " 1", "+1", "1e5000000000"] {
        assert!(matches!(Money::parse(bad), Err(DecimalError::Syntax(_))), "{bad:?}");
    }
    assert!(matches!(Money::parse("0.0000000000001"), Err(DecimalError::TooFine(..))));
    assert!(matches!(Money::parse("1e40"), Err(DecimalError::TooLarge(_))));
    assert!(matches!(Money::parse(&"9".repeat(60)), Err(DecimalError::TooLarge(_))));
    assert_eq!(
        Money::parse("x").expect_err("no number").to_string(),
        "\"x\" is not a decimal number; write it like 0.25"
    );
}

#[test]
fn noise_of_floating_point_is_rounded_half_to_even() {
    let near = |text| Money::parse_near(text).map(|(money, kept)| (money.exact(), kept)).expect("an amount");
    assert_eq!(near("0.0049099999999999994"), ("0.00491".to_owned(), Kept::Rounded));
    assert_eq!(near("0.00491"), ("0.00491".to_owned(), Kept::Whole));
    assert_eq!(near("0.0000000000005"), ("0".to_owned(), Kept::Rounded));
    assert_eq!(near("0.0000000000015"), ("0.000000000002".to_owned(), Kept::Rounded));
    assert_eq!(near("-0.0000000000025"), ("-0.000000000002".to_owned(), Kept::Rounded));
    assert_eq!(near("1e-400"), ("0".to_owned(), Kept::Rounded));
}

#[test]
fn people_see_six_digits_and_machines_all() {
    let amount = usd("0.004910512345");
    assert_eq!(amount.to_string(), "$0.004911");
    assert_eq!(format!("{amount:.2}"), "$0.00");
    assert_eq!(format!("{amount:.12}"), "$0.004910512345");
    assert_eq!(format!("{:>12}", usd("-1.5")), "  -$1.500000");
    assert_eq!(usd("0.0000005").to_string(), "$0.000000", "half goes to even");
    assert_eq!(usd("0.0000015").to_string(), "$0.000002", "half goes to even");
    assert_eq!(amount.exact(), "0.004910512345");
    assert_eq!(serde_json::to_string(&amount).expect("JSON"), "\"0.004910512345\"");
    assert_eq!(serde_json::from_str::<Money>("\"0.004910512345\"").expect("money"), amount);
    assert!(serde_json::from_str::<Money>("0.25").is_err(), "a JSON number has been through floating point");
}

#[test]
fn sums_overflow_into_none_or_stay_at_the_end() {
    let most = Money::from_pico(i128::MAX);
    assert_eq!(most.checked_add(Money::from_pico(1)), None);
    assert_eq!(Money::from_pico(i128::MIN).checked_sub(Money::from_pico(1)), None);
    assert_eq!(most.checked_mul(2), None);
    assert_eq!(usd("0.25").checked_mul(4), Some(usd("1")));
    assert_eq!(most.saturating_add(most), most);
    assert_eq!([usd("0.1"), usd("0.2")].into_iter().sum::<Money>(), usd("0.3"));
    assert!(Money::ZERO < usd("0.000000000001"));
}

#[test]
fn a_manual_clock_can_stand_at_a_price_change() {
    let clock = Clock::manual(Time::from_micros(1_796_083_199_000_000));
    assert_eq!(clock.now().to_string(), "2026-11-30T23:59:59.000Z");
}

proptest! {
    #[test]
    fn every_amount_comes_back_from_its_text(pico in any::<i128>().prop_filter("room", |pico| pico.unsigned_abs() < 1 << 125)) {
        let money = Money::from_pico(pico);
        prop_assert_eq!(Money::parse(&money.exact()), Ok(money));
        prop_assert_eq!(Money::parse_near(&money.exact()), Ok((money, Kept::Whole)));
    }

    #[test]
    fn rounding_moves_an_amount_by_half_a_place_at_most(value in -(1i128 << 100)..(1i128 << 100), divisor in 1i128..(1 << 60)) {
        let rounded = decimal::divided(value, divisor);
        prop_assert!((rounded * divisor - value).unsigned_abs() * 2 <= divisor.unsigned_abs());
    }
}
