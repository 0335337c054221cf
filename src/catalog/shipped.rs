//! The provider files that travel inside the binary.

/// Id and text of every file in `providers/`; a test compares this list with the folder.
pub const SHIPPED: &[(&str, &str)] = &[
    ("azure", include_str!("../../providers/azure.toml")),
    ("cerebras", include_str!("../../providers/cerebras.toml")),
    ("deepseek", include_str!("../../providers/deepseek.toml")),
    ("github-models", include_str!("../../providers/github-models.toml")),
    ("groq", include_str!("../../providers/groq.toml")),
    ("llamacpp", include_str!("../../providers/llamacpp.toml")),
    ("lmstudio", include_str!("../../providers/lmstudio.toml")),
    ("mistral", include_str!("../../providers/mistral.toml")),
    ("ollama", include_str!("../../providers/ollama.toml")),
    ("openai", include_str!("../../providers/openai.toml")),
    ("openrouter", include_str!("../../providers/openrouter.toml")),
    ("sim", include_str!("../../providers/sim.toml")),
    ("together", include_str!("../../providers/together.toml")),
    ("vllm", include_str!("../../providers/vllm.toml")),
    ("xai", include_str!("../../providers/xai.toml")),
];
