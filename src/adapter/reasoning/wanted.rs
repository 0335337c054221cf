//! How hard a client wants a model to think, in whichever dialect's field it says so.

use serde_json::Value;

use crate::catalog::reasoning::Level;
use crate::wire::Json;

/// What the body says, in the first of the known fields that says something.
pub fn wanted(body: &Json) -> Option<Level> {
    let value = |key: &str| body.get(key).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let word = |value: &Value| value.as_str().and_then(|word| word.parse::<Level>().ok());
    let tokens = |value: &Value| value.as_u64().map(Level::of_tokens);
    let switch = |value: &Value| value.as_bool().map(|on| if on { Level::High } else { Level::None });
    let effort = value("reasoning_effort").as_ref().and_then(word);
    let object = || {
        let reasoning = value("reasoning")?;
        let off = || switch(&reasoning["enabled"]);
        word(&reasoning["effort"]).or_else(|| tokens(&reasoning["max_tokens"])).or_else(off)
    };
    let thinking = || {
        let thinking = value("thinking")?;
        match thinking["type"].as_str()? {
            "disabled" => Some(Level::None),
            "enabled" => tokens(&thinking["budget_tokens"]).or(Some(Level::High)),
            _ => None,
        }
    };
    let output = || word(&value("output_config")?["effort"]);
    let adaptive = || value("thinking").filter(|thinking| thinking["type"] == "adaptive").map(|_| Level::High);
    let enable = || {
        let on = switch(&value("enable_thinking")?)?;
        value("thinking_budget").as_ref().and_then(tokens).filter(|_| on > Level::None).or(Some(on))
    };
    let template = || {
        let arguments = value("chat_template_kwargs")?;
        switch(&arguments["enable_thinking"]).or_else(|| switch(&arguments["thinking"]))
    };
    let think = || value("think").and_then(|think| word(&think).or_else(|| switch(&think)));
    let generate = || {
        let config = &value("generationConfig")?["thinkingConfig"];
        word(&config["thinkingLevel"]).or_else(|| match config["thinkingBudget"].as_i64()? {
            budget if budget < 0 => Some(Level::High),
            budget => u64::try_from(budget).ok().map(Level::of_tokens),
        })
    };
    let mode = || value("prompt_mode").filter(|mode| mode == "reasoning").map(|_| Level::High);
    effort
        .or_else(object)
        .or_else(thinking)
        .or_else(output)
        .or_else(adaptive)
        .or_else(enable)
        .or_else(template)
        .or_else(think)
        .or_else(generate)
        .or_else(mode)
}
