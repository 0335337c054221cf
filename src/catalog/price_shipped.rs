//! The price files that travel inside the binary.

/// Id and text of every file in `pricing/`; a test compares this list with the folder.
pub const SHIPPED: &[(&str, &str)] = &[
    ("anthropic", include_str!("../../pricing/anthropic.toml")),
    ("azure", include_str!("../../pricing/azure.toml")),
    ("cerebras", include_str!("../../pricing/cerebras.toml")),
    ("dashscope", include_str!("../../pricing/dashscope.toml")),
    ("deepseek", include_str!("../../pricing/deepseek.toml")),
    ("gemini", include_str!("../../pricing/gemini.toml")),
    ("groq", include_str!("../../pricing/groq.toml")),
    ("llamacpp", include_str!("../../pricing/llamacpp.toml")),
    ("lmstudio", include_str!("../../pricing/lmstudio.toml")),
    ("minimax", include_str!("../../pricing/minimax.toml")),
    ("mistral", include_str!("../../pricing/mistral.toml")),
    ("moonshot", include_str!("../../pricing/moonshot.toml")),
    ("ollama", include_str!("../../pricing/ollama.toml")),
    ("openai", include_str!("../../pricing/openai.toml")),
    ("openrouter", include_str!("../../pricing/openrouter.toml")),
    ("sim", include_str!("../../pricing/sim.toml")),
    ("together", include_str!("../../pricing/together.toml")),
    ("vllm", include_str!("../../pricing/vllm.toml")),
    ("xai", include_str!("../../pricing/xai.toml")),
    ("zai", include_str!("../../pricing/zai.toml")),
];
