//! The members of a body in which dialects say how hard to think: cleared of what stood there, and filled for one family.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::catalog::reasoning::{Control, Family, Form, Level};
use crate::wire::{Edit, Json};

/// Members that say nothing else.
const OWN: [&str; 6] = ["reasoning_effort", "thinking", "enable_thinking", "thinking_budget", "think", "prompt_mode"];
/// Members that also say other things, and their parts that are about this.
const SHARED: [(&str, &[&str]); 4] = [
    ("reasoning", &["effort", "max_tokens", "enabled"]),
    ("output_config", &["effort"]),
    ("chat_template_kwargs", &["enable_thinking", "thinking"]),
    ("generationConfig", &[]),
];
/// The members that bound the answer with its thoughts, in the order in which they are looked for.
const LONGEST: [&str; 2] = ["max_completion_tokens", "max_tokens"];
/// No provider takes a smaller budget.
const LEAST: u64 = 1024;

/// Those members: as they were, and as they shall be.
pub(super) struct Fields {
    before: BTreeMap<&'static str, Value>,
    after: BTreeMap<&'static str, Value>,
}

impl Fields {
    /// The members of a body, without what it says about reasoning.
    pub(super) fn cleared(body: &Json) -> Self {
        let read = |key: &'static str| Some((key, serde_json::from_str::<Value>(body.get(key)?).ok()?));
        let names = OWN.into_iter().chain(SHARED.map(|(name, _)| name)).chain(LONGEST);
        let before: BTreeMap<_, _> = names.filter_map(read).collect();
        let mut after = before.clone();
        OWN.iter().for_each(|name| drop(after.remove(name)));
        for (name, parts) in SHARED {
            let Some(Value::Object(object)) = after.get_mut(name) else { continue };
            parts.iter().for_each(|part| drop(object.remove(*part)));
            if let Some(Value::Object(thinking)) = object.get_mut("thinkingConfig") {
                ["thinkingLevel", "thinkingBudget"].iter().for_each(|part| drop(thinking.remove(*part)));
            }
        }
        Self { before, after }
    }

    /// Says a level as the family is told.
    pub(super) fn tell(&mut self, family: &Family, form: Form, level: Level) {
        let (on, word) = (level > Level::None, Value::from(level.word()));
        let kind = |on: bool| Value::from(if on { "enabled" } else { "disabled" });
        match (family.control, form) {
            (Control::Effort | Control::ThinkingLevel | Control::ThinkingBudget, Form::Responses) => {
                self.put("reasoning", &["effort"], word);
            }
            (Control::ThinkingLevel, Form::Generate) => {
                self.put("generationConfig", &["thinkingConfig", "thinkingLevel"], word);
            }
            (Control::ThinkingBudget, Form::Generate) => {
                self.put("generationConfig", &["thinkingConfig", "thinkingBudget"], level.tokens().into());
            }
            (Control::Effort | Control::ThinkingLevel | Control::ThinkingBudget, _) => {
                self.put("reasoning_effort", &[], word);
            }
            (Control::Adaptive, _) => {
                self.think(Value::from(if on { "adaptive" } else { "disabled" }));
                if on {
                    self.put("output_config", &["effort"], word);
                }
            }
            (Control::Budget, _) => {
                self.think(kind(on));
                if on {
                    self.put("thinking", &["budget_tokens"], level.tokens().max(LEAST).into());
                }
            }
            (Control::ThinkingEffort, _) => {
                self.think(kind(on));
                if on {
                    self.put("reasoning_effort", &[], word);
                }
            }
            (Control::Switch, _) => self.think(kind(on)),
            (Control::EnableThinking, _) => {
                self.put("enable_thinking", &[], on.into());
                if on {
                    self.put("thinking_budget", &[], level.tokens().into());
                }
            }
            (Control::Template, _) => self.put("chat_template_kwargs", &[&family.argument], on.into()),
            (Control::Object, _) if on => self.put("reasoning", &["effort"], word),
            (Control::Object | Control::ObjectSwitch, _) => self.put("reasoning", &["enabled"], on.into()),
            (Control::Think, _) => self.put("think", &[], if on { word } else { false.into() }),
            (Control::PromptMode, _) if on => self.put("prompt_mode", &[], "reasoning".into()),
            (Control::PromptMode | Control::Fixed, _) => {}
        }
    }

    /// Sees to it that thoughts leave room for an answer: they are cut to half of what the client allows, and where
    /// that is less than a provider takes, the client's bound is raised. Says what it was raised to.
    pub(super) fn make_room(&mut self, family: &Family, form: Form) -> Option<u64> {
        let native = family.control == Control::ThinkingBudget && form == Form::Generate;
        if !(native || family.control == Control::Budget) {
            return None;
        }
        let (member, path): (_, &[&str]) = match native {
            true => ("generationConfig", &["thinkingConfig", "thinkingBudget"]),
            false => ("thinking", &["budget_tokens"]),
        };
        let budget = path.iter().try_fold(self.after.get(member)?, |value, part| value.get(part))?.as_u64()?;
        let longest = match native {
            true => self.after.get("generationConfig")?.get("maxOutputTokens")?.as_u64()?,
            false => LONGEST.iter().find_map(|name| self.after.get(name)?.as_u64())?,
        };
        if budget == 0 || longest > budget {
            return None;
        }
        let cut = (longest / 2).max(LEAST);
        self.put(member, path, cut.into());
        if longest > cut {
            return None;
        }
        let raised = cut.saturating_add(longest);
        if native {
            self.put("generationConfig", &["maxOutputTokens"], raised.into());
        } else if let Some(name) = LONGEST.into_iter().find(|name| self.after.contains_key(name)) {
            self.put(name, &[], raised.into());
        }
        Some(raised)
    }

    /// The changes between what was and what shall be.
    pub(super) fn edits(self) -> Vec<Edit> {
        let Self { before, mut after } = self;
        for (name, _) in SHARED {
            let hollow = |value: &Value| value.as_object().is_some_and(Map::is_empty);
            if after.get(name).is_some_and(hollow) && !before.get(name).is_some_and(hollow) {
                after.remove(name);
            }
        }
        let gone = before.keys().filter(|name| !after.contains_key(*name)).map(|name| Edit::Drop((*name).into()));
        let new = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
        gone.chain(new.map(|(name, value)| Edit::Set((*name).into(), value.to_string()))).collect()
    }

    /// `thinking`, with what else the client said there about how thoughts are shown.
    fn think(&mut self, kind: Value) {
        let display = self.before.get("thinking").and_then(|thinking| thinking.get("display")).cloned();
        let mut thinking = json!({ "type": kind });
        if let Some(display) = display.filter(|_| kind != "disabled") {
            thinking["display"] = display;
        }
        self.after.insert("thinking", thinking);
    }

    /// Puts a value, at a path inside the member where one is given.
    fn put(&mut self, member: &'static str, path: &[&str], value: Value) {
        let mut place = self.after.entry(member).or_insert_with(|| json!({}));
        for part in path {
            if !place.is_object() {
                *place = json!({});
            }
            place = &mut place[*part];
        }
        *place = value;
    }
}
