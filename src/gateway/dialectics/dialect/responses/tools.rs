//! The tools of a request as functions of chat, and the calls of such functions as calls of those tools.
//!
//! Chat knows functions. A custom tool becomes one whose only argument is its input; one in a namespace has the
//! namespace in its name. What runs at a provider, or has no form in chat, is left out and named.

use serde_json::{Value, json};

use super::super::wrong;
use crate::kit::Fault;

/// The most tools of one request, namespaces counted; no provider takes more.
const MOST: usize = 512;

/// The most types that are named as left out, and the most characters of each: they go out in a header.
const MOST_NAMED: usize = 16;
const LONGEST_NAME: usize = 64;

/// The tools of one request.
#[derive(Default)]
pub(super) struct Tools {
    callees: Vec<Callee>,
    /// As chat has them.
    functions: Vec<Value>,
    /// The types of those that are left out.
    pub(super) left_out: Vec<String>,
}

/// A tool as its client knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Callee {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    /// Whether it takes text and not JSON.
    pub(super) custom: bool,
}

impl Callee {
    /// The type of an item that calls it, and the member that holds what it is called with.
    pub(super) const fn kind(&self) -> (&'static str, &'static str) {
        if self.custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") }
    }

    /// What it is called with, of the arguments of a function.
    pub(super) fn said(&self, arguments: &str) -> String {
        if !self.custom {
            return arguments.to_owned();
        }
        let read: Value = serde_json::from_str(arguments).unwrap_or_default();
        // a model that wrote the bare text meant it
        read["input"].as_str().unwrap_or(arguments).to_owned()
    }
}

/// The name of a function that stands for a tool.
pub(super) fn function_name(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}__{name}"))
}

impl Tools {
    /// Reads the list.
    pub(super) fn read(list: &Value) -> Result<Self, Fault> {
        let mut tools = Self::default();
        match list {
            Value::Null => {}
            Value::Array(list) if counted(list) > MOST => {
                return Err(wrong("tools", format!("a dialectic takes at most {MOST} tools; send fewer")));
            }
            Value::Array(list) => list.iter().for_each(|tool| tools.take(tool, None)),
            _ => return Err(wrong("tools", "`tools` is an array")),
        }
        Ok(tools)
    }

    /// As chat has them.
    pub(super) fn functions(&self) -> &[Value] {
        &self.functions
    }

    /// The tool behind the name of a function.
    pub(super) fn callee(&self, function: &str) -> Callee {
        let own = |callee: &&Callee| function_name(callee.namespace.as_deref(), &callee.name) == function;
        let known = self.callees.iter().find(own).cloned();
        known.unwrap_or_else(|| Callee { name: function.to_owned(), ..Callee::default() })
    }

    /// Chat's words for which tool shall be called. Of a list of those that may be, only these stay.
    pub(super) fn choice(&mut self, choice: &Value) -> Result<Value, Fault> {
        let named = |choice: &Value| function_name(choice["namespace"].as_str(), choice["name"].as_str().unwrap_or(""));
        match choice["type"].as_str() {
            None => Ok(choice.clone()),
            Some("function" | "custom") => {
                Ok(json!({"type": "function", "function": {"name": self.offered(&named(choice))?}}))
            }
            Some("allowed_tools") => {
                let allowed: Vec<String> = choice["tools"].as_array().into_iter().flatten().map(named).collect();
                self.functions.retain(|function| allowed.iter().any(|name| function["function"]["name"] == **name));
                Ok(choice["mode"].clone())
            }
            Some(other) => Err(self::choice(format!("a dialectic cannot be told to call a tool of the type {other}"))),
        }
    }

    fn offered<'a>(&self, name: &'a str) -> Result<&'a str, Fault> {
        let known = self.functions.iter().any(|function| function["function"]["name"] == name);
        known.then_some(name).ok_or_else(|| choice(format!("`tool_choice` names {name:?}, which is not among `tools`")))
    }

    fn take(&mut self, tool: &Value, namespace: Option<&str>) {
        let kind = tool["type"].as_str().unwrap_or_default();
        let Some(name) = tool["name"].as_str() else { return self.leave_out(kind) };
        let mut function = json!({"name": function_name(namespace, name)});
        match kind {
            "namespace" => {
                let inner = tool["tools"].as_array().into_iter().flatten();
                return inner.for_each(|inner| self.take(inner, Some(name)));
            }
            "function" => {
                for member in ["description", "parameters", "strict"] {
                    if !tool[member].is_null() {
                        function[member] = tool[member].clone();
                    }
                }
            }
            "custom" => {
                function["description"] = described(tool).into();
                function["parameters"] = json!({"type": "object", "properties": {"input": {"type": "string"}},
                    "required": ["input"], "additionalProperties": false});
            }
            _ => return self.leave_out(kind),
        }
        let namespace = namespace.map(str::to_owned);
        self.callees.push(Callee { name: name.to_owned(), namespace, custom: kind == "custom" });
        self.functions.push(json!({"type": "function", "function": function}));
    }

    fn leave_out(&mut self, kind: &str) {
        let kind: String = kind.chars().filter(char::is_ascii_graphic).take(LONGEST_NAME).collect();
        if self.left_out.len() < MOST_NAMED && !self.left_out.contains(&kind) {
            self.left_out.push(kind);
        }
    }
}

/// How many there are, those inside of namespaces too.
fn counted(list: &[Value]) -> usize {
    list.iter().map(|tool| 1 + tool["tools"].as_array().map_or(0, |inner| counted(inner))).sum()
}

fn choice(words: String) -> Fault {
    wrong("tool_choice", words)
}

/// What a custom tool is for, and the form of its input.
fn described(tool: &Value) -> String {
    let mut text = tool["description"].as_str().unwrap_or_default().to_owned();
    let format = &tool["format"];
    if let Some(grammar) = format["definition"].as_str() {
        let syntax = format["syntax"].as_str().unwrap_or("formal");
        text += &format!("\n\n`input` is text in this {syntax} grammar:\n{grammar}");
    }
    text
}
