//! How hard models think when they are told to, and in which fields: families as data, first match counts.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::glob::Glob;

/// The families that travel inside the binary.
const SHIPPED: &str = include_str!("../../providers/reasoning/families.toml");

/// How hard to think, from not at all to as hard as can be. Every provider's own words are mapped onto this scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Not at all.
    None,
    /// As little as can be.
    Minimal,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// More than that.
    Xhigh,
    /// As much as can be.
    Max,
}

/// The fields by which a family is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// `reasoning_effort`; `reasoning.effort` in the responses dialect.
    Effort,
    /// `thinking.type = "adaptive"` with `output_config.effort`.
    Adaptive,
    /// `thinking.budget_tokens`, which must stay below the longest answer.
    Budget,
    /// `thinkingConfig.thinkingLevel`; in the chat dialect `reasoning_effort`.
    ThinkingLevel,
    /// `thinkingConfig.thinkingBudget`; in the chat dialect `reasoning_effort`.
    ThinkingBudget,
    /// `thinking.type` with `reasoning_effort`.
    ThinkingEffort,
    /// `thinking.type`, on or off.
    Switch,
    /// `enable_thinking` with `thinking_budget`.
    EnableThinking,
    /// An argument of the chat template, on or off; `argument` names it.
    Template,
    /// `reasoning.effort`, or `reasoning.enabled = false`.
    Object,
    /// `reasoning.enabled`, on or off.
    ObjectSwitch,
    /// `think`: off, on, or a level.
    Think,
    /// `prompt_mode = "reasoning"`.
    PromptMode,
    /// The model's name says it, and any field for it is refused.
    Fixed,
}

/// The dialect of a request, as far as these fields differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// `chat/completions`
    Chat,
    /// `responses`
    Responses,
    /// `messages`
    Messages,
    /// `models/NAME:generateContent`
    Generate,
    /// `api/chat`
    Native,
}

/// Models that are told in the same way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Globs over the model's name as its provider knows it, without what stands before its last slash, in small letters.
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub models: Vec<Glob>,
    /// The ids of providers where this holds; empty means all.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub providers: Vec<Glob>,
    /// The dialects in which it holds; empty means all.
    #[serde(default)]
    pub forms: Vec<Form>,
    /// The fields by which it is told.
    pub control: Control,
    /// The levels that it knows; with `none` it can be switched off. A family that is only on or off knows `high`.
    #[serde(default)]
    pub levels: Vec<Level>,
    /// `template`: the argument's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub argument: String,
    /// Fields that are refused.
    #[serde(default)]
    pub refuses: Vec<String>,
    /// Fields that are refused while it thinks.
    #[serde(default)]
    pub refuses_thinking: Vec<String>,
    /// Fields that must have this value while it thinks, where the client sent them.
    #[serde(default)]
    pub fixed: BTreeMap<String, serde_json::Value>,
}

/// What becomes of reasoning on a route or for a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// At least this much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<Level>,
    /// At most this much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Level>,
    /// This much, whatever the client says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force: Option<Level>,
    /// This much where the client says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Level>,
    /// Whether a model that has no field for it is asked in words.
    pub instruct: bool,
}

impl Policy {
    /// This one where it says something, else another.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        Self {
            floor: self.floor.or(other.floor),
            ceiling: self.ceiling.or(other.ceiling),
            force: self.force.or(other.force),
            default: self.default.or(other.default),
            instruct: self.instruct || other.instruct,
        }
    }

    /// The level to ask for, with what the client wants. Where nobody says anything but there are bounds, it is the one
    /// within them that is nearest to `medium`: what the model would do by itself is not known.
    pub fn level(self, wanted: Option<Level>) -> Option<Level> {
        let bound = self.floor.is_some() || self.ceiling.is_some();
        let wanted = self.force.or(wanted).or(self.default).or(bound.then_some(Level::Medium))?;
        let (floor, ceiling) = (self.floor.unwrap_or(Level::None), self.ceiling.unwrap_or(Level::Max));
        Some(if self.force.is_some() { wanted } else { wanted.max(floor).min(ceiling) })
    }
}

/// What a client sees of a model's reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Show {
    /// All that the provider sends.
    #[default]
    Pass,
    /// The provider's own summary where it makes one, else the first sentence of each paragraph.
    Summary,
    /// Nothing.
    Hide,
}

/// A word that is no level.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no level of reasoning; write none, minimal, low, medium, high, xhigh or max")]
pub struct NoLevel(pub String);

impl Level {
    /// All of them, the lowest first.
    pub const ALL: [Self; 7] = [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::Xhigh, Self::Max];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The one of these that comes nearest. A model that shall think is not told that it shall not; of two that are as
    /// near, the one nearer to `high` is taken, which is what most models do by themselves.
    pub fn nearest(self, known: impl Iterator<Item = Self>) -> Option<Self> {
        let apart = |one: Self, other: Self| (one as u8).abs_diff(other as u8);
        known.min_by_key(|level| {
            let silences = *level == Self::None && self != Self::None;
            (silences, apart(*level, self), apart(*level, Self::High))
        })
    }

    /// How many tokens of thought stand for it, where a provider counts in tokens.
    pub const fn tokens(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal => 128,
            Self::Low => 1024,
            Self::Medium => 2048,
            Self::High => 4096,
            Self::Xhigh => 8192,
            Self::Max => 16384,
        }
    }

    /// The level that so many tokens of thought stand for.
    pub fn of_tokens(tokens: u64) -> Self {
        Self::ALL.into_iter().rev().find(|level| level.tokens() <= tokens).unwrap_or(Self::None)
    }
}

impl FromStr for Level {
    type Err = NoLevel;

    fn from_str(word: &str) -> Result<Self, NoLevel> {
        let found = Self::ALL.into_iter().find(|level| level.word().eq_ignore_ascii_case(word));
        found.ok_or_else(|| NoLevel(word.to_owned()))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Family {
    /// Whether a model of a provider belongs to it, in this dialect; the model by its bare name, in small letters.
    fn holds(&self, provider: &str, bare: &str, form: Form) -> bool {
        let any = |globs: &[Glob], text: &str| globs.iter().any(|glob| glob.fits(text));
        (self.providers.is_empty() || any(&self.providers, provider))
            && (self.forms.is_empty() || self.forms.contains(&form))
            && any(&self.models, bare)
    }

    /// The level to send for the one that is wanted: the nearest that the family knows, within the policy's bounds
    /// where it knows any there.
    pub fn level(&self, wanted: Level, policy: Policy) -> Option<Level> {
        let (floor, ceiling) = (policy.floor.unwrap_or(Level::None), policy.ceiling.unwrap_or(Level::Max));
        let inside = self.levels.iter().copied().filter(|level| (floor..=ceiling).contains(level));
        wanted.nearest(inside).or_else(|| wanted.nearest(self.levels.iter().copied()))
    }

    /// Whether it can only be switched on or off.
    pub const fn is_switch(&self) -> bool {
        matches!(self.control, Control::Switch | Control::Template | Control::ObjectSwitch | Control::PromptMode)
    }
}

/// The family of a provider's model in this dialect, by the user's own families and then those that are shipped.
pub fn family<'a>(own: &'a [Family], provider: &str, model: &str, form: Form) -> Option<&'a Family> {
    let bare = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    own.iter().chain(families()).find(|family| family.holds(provider, &bare, form))
}

/// The families that are shipped; a user's own go before them.
pub fn families() -> &'static [Family] {
    static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| read(SHIPPED).unwrap_or_default());
    &FAMILIES
}

/// Reads a file of families.
pub fn read(text: &str) -> Result<Vec<Family>, toml::de::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        family: Vec<Family>,
    }
    toml::from_str::<File>(text).map(|file| file.family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_right() {
        let families = read(SHIPPED).expect("families");
        assert!(families.len() > 25, "{}", families.len());
        for family in &families {
            assert!(!family.models.is_empty(), "{family:?}");
            assert_eq!(family.levels.is_empty(), family.control == Control::Fixed, "{family:?}");
            assert!(family.levels.is_sorted(), "{family:?}");
            assert_eq!(family.argument.is_empty(), family.control != Control::Template, "{family:?}");
        }
    }

    #[test]
    fn the_nearest_level_is_found_and_nobody_who_wants_thought_is_silenced() {
        use Level::{High, Low, Max, Medium, Minimal, None, Xhigh};
        let cases: [(Level, &[Level], Option<Level>); 7] = [
            (Max, &[Low, Medium, High], Some(High)),
            (Minimal, &[None, Low], Some(Low)),
            (Minimal, &[None, High], Some(High)),
            (None, &[Low, High], Some(Low)),
            (Medium, &[Low, High], Some(High)),
            (Xhigh, &[Low, High, Max], Some(High)),
            (High, &[], Option::None),
        ];
        for (asked, known, nearest) in cases {
            assert_eq!(asked.nearest(known.iter().copied()), nearest, "{asked} of {known:?}");
        }
        assert_eq!([0, 500, 1024, 5000, 99_999].map(Level::of_tokens), [None, Minimal, Low, High, Max]);
        assert_eq!("XHigh".parse(), Ok(Xhigh));
        assert_eq!("ultra".parse::<Level>(), Err(NoLevel("ultra".to_owned())));
    }
}
