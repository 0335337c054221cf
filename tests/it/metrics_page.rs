//! A strict reader of the text format of Prometheus (version 0.0.4): what its own scraper would reject, it rejects.

use std::collections::{BTreeMap, BTreeSet};

/// Labels of a sample.
pub type Labels = BTreeMap<String, String>;

/// A page that was read.
#[derive(Debug, Default)]
pub struct Read {
    /// The type of each family.
    pub families: BTreeMap<String, String>,
    /// Every sample: its name, its labels, its value.
    pub samples: Vec<(String, Labels, f64)>,
}

impl Read {
    /// The sum of the samples of this name whose labels hold these.
    pub fn sum(&self, name: &str, with: &[(&str, &str)]) -> f64 {
        let fits = |labels: &Labels| with.iter().all(|(name, value)| labels.get(*name).is_some_and(|is| is == value));
        self.samples.iter().filter(|(of, labels, _)| of == name && fits(labels)).map(|(.., value)| value).sum()
    }

    /// The values of a label over all samples.
    pub fn values(&self, label: &str) -> BTreeSet<&str> {
        self.samples.iter().filter_map(|(_, labels, _)| labels.get(label).map(String::as_str)).collect()
    }
}

/// Reads a page; panics with the line that is wrong.
pub fn read(page: &str) -> Read {
    let mut read = Read::default();
    let (mut family, mut helped, mut seen) = (String::new(), String::new(), BTreeSet::new());
    assert!(page.ends_with('\n'), "the last line has no end");
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect(line);
            assert!(is_name(name) && !help.is_empty() && !read.families.contains_key(name), "{line}");
            helped = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect(line);
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(name, helped, "{line}: its help stands before its type");
            assert!(read.families.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}: twice");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            family = name.to_owned();
        } else {
            let (name, labels, value) = sample(line);
            let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("{line}: not of {family}"));
            match read.families[&family].as_str() {
                "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
                kind => assert!(suffix.is_empty() && (kind == "gauge" || value >= 0.0), "{line}"),
            }
            assert_eq!(suffix == "_bucket", labels.contains_key("le"), "{line}");
            assert!(seen.insert((name.clone(), labels.clone())), "{line}: twice");
            read.samples.push((name, labels, value));
        }
    }
    histograms(&read);
    read
}

/// Buckets grow along `le` up to `+Inf`, which is the count.
fn histograms(read: &Read) {
    for (family, _) in read.families.iter().filter(|(_, kind)| *kind == "histogram") {
        let of = |suffix: &str| {
            let name = format!("{family}{suffix}");
            read.samples.iter().filter(move |(is, ..)| *is == name).collect::<Vec<_>>()
        };
        let mut series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
        for (_, labels, value) in of("_bucket") {
            let mut labels = labels.clone();
            let bound = number(&labels.remove("le").expect("a bound"));
            series.entry(labels).or_default().push((bound, *value));
        }
        assert_eq!((of("_sum").len(), of("_count").len()), (series.len(), series.len()), "{family}");
        for (_, labels, count) in of("_count") {
            let buckets = &series[labels];
            assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{family}: {buckets:?}");
            assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)), "{family}");
        }
    }
}

fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).expect(line);
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").expect(line);
            assert!(is_name(label) && !label.contains(':') && !label.starts_with("__"), "{line}");
            let (value, after) = quoted(after, line);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}: a label twice");
            rest = after;
            match rest.split_at(1) {
                (",", more) => rest = more,
                ("}", more) => {
                    rest = more;
                    break;
                }
                _ => panic!("{line}"),
            }
        }
    }
    (name.to_owned(), labels, number(rest.strip_prefix(' ').expect(line)))
}

/// A label's value up to its closing quote, unescaped, and what follows.
fn quoted<'a>(text: &'a str, line: &str) -> (String, &'a str) {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match chars.next().map(|(_, c)| c) {
                Some('n') => '\n',
                Some(c @ ('\\' | '"')) => c,
                other => panic!("{line}: \\{other:?}"),
            }),
            c => value.push(c),
        }
    }
    panic!("{line}: no closing quote")
}

fn number(text: &str) -> f64 {
    if text == "+Inf" { f64::INFINITY } else { text.parse().unwrap_or_else(|_| panic!("{text:?} is no number")) }
}

fn is_name(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    text.starts_with(first) && text.chars().all(|c| first(c) || c.is_ascii_digit())
}
