//! What counts as a secret or as personal: a table of rules, each found by a short text that every match holds.

mod cloud;
mod fields;
mod forge;
mod ids;
mod labs;
mod logins;
mod more;
mod people;
mod shape;
pub(super) mod sums;

use std::ops::Range;

use shape::Run;

/// One row: how a secret is recognised, and what stands in its place.
#[derive(Debug)]
pub struct Rule {
    /// Its name in refusals, in the ledger and in exports: `stripe-key`.
    pub id: &'static str,
    /// What it finds.
    pub kind: Kind,
    /// The word in its placeholder: `[key-1]`.
    pub word: &'static str,
    /// Texts of which every match holds one, found without regard to case. Empty where a sign of its own is looked for.
    pub(super) anchors: &'static [&'static str],
    /// What the text around an anchor must look like.
    shape: Shape,
    /// An example that must match. `{a20}` stands for 20 letters and digits, `{x32}` for hexadecimal ones, and so on: no
    /// text in this table passes for a secret itself.
    pub hit: &'static str,
    /// A text much like it that must not match.
    pub miss: &'static str,
}

/// What a rule finds, the most certain first: where two rules find the same text, the earlier kind names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A private key.
    Private,
    /// A key or token with its issuer's mark.
    Key,
    /// A signed token, or a credential behind the word that announces one.
    Token,
    /// A password in an address or a field.
    Password,
    /// A number or an address of a person, with its checksum where it has one.
    Person,
    /// A national number of a person; looked for only where the settings say so.
    National,
    /// A random text beside a word such as `secret`.
    Entropy,
}

/// What the text around an anchor must look like.
#[derive(Debug)]
enum Shape {
    /// The anchor, then a run of characters of one set.
    Run(Run),
    /// What this function makes of the text and the place of the anchor: the place of the secret.
    Find(fn(&[u8], Range<usize>) -> Option<Range<usize>>),
}

impl Rule {
    /// The place of the secret, where the text around this anchor is one.
    pub(super) fn at(&self, text: &[u8], anchor: Range<usize>) -> Option<Range<usize>> {
        match &self.shape {
            Shape::Run(run) => run.at(text, anchor),
            Shape::Find(find) => find(text, anchor),
        }
    }
}

/// Every rule that is found by an anchor.
pub fn anchored() -> impl Iterator<Item = &'static Rule> {
    [labs::RULES, cloud::RULES, forge::RULES, more::RULES, logins::RULES, fields::RULES].into_iter().flatten()
}

/// Every rule that is found by digits or by a sign.
pub fn personal() -> impl Iterator<Item = &'static Rule> {
    people::RULES.iter().chain(ids::RULES)
}

pub(super) use fields::is_random;
pub(super) use ids::{Nation, of as national};
pub(super) use people::{CARD, EMAIL, IBAN, PHONE};
