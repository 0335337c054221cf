//! Keys of those who serve models, by the marks that their documents state.

use super::Rule;
use super::shape::{ALNUM, ANY, HEX, LOWER, NAME, TOKEN, key, mixed};

pub(super) const RULES: &[Rule] = &[
    key(
        "openai-key",
        &["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"],
        (NAME, 20, ANY),
        "sk-proj-{u74}T3BlbkFJ{u74}",
        "sk-proj-name-of-it",
    ),
    key(
        "anthropic-key",
        &["sk-ant-api03-", "sk-ant-admin01-", "sk-ant-oat01-", "sk-ant-ort01-", "sk-ant-sid01-"],
        (NAME, 40, ANY),
        "sk-ant-api03-{u93}AA",
        "sk-ant-api03-the-key",
    ),
    key("openrouter-key", &["sk-or-v1-"], (HEX, 64, 64), "sk-or-v1-{x64}", "sk-or-v1-{x63}"),
    key("langfuse-key", &["sk-lf-"], (NAME, 36, 36), "sk-lf-{x8}-{x4}-{x4}-{x4}-{x12}", "sk-lf-{x8}-{x4}"),
    // also DeepSeek, Moonshot, Qwen and everybody who copied the mark
    mixed("sk-key", &["sk-"], (NAME, 20, ANY), "sk-{x32}", "sk-folding-cube-animation-delay"),
    key("xai-key", &["xai-"], (ALNUM, 40, ANY), "xai-{a80}", "xai-grok"),
    key("xai-token", &["xai-token-"], (ALNUM, 40, ANY), "xai-token-{a80}", "xai-token-count"),
    key("google-api-key", &["AIza"], (NAME, 35, 35), "AIza{u35}", "AIza{u20}"),
    key("groq-key", &["gsk_"], (ALNUM, 40, ANY), "gsk_{a52}", "gsk_widget_show"),
    key("cerebras-key", &["csk-"], (LOWER, 40, ANY), "csk-{z48}", "csk-{z12}"),
    key("huggingface-token", &["hf_", "api_org_"], (ALNUM, 30, 40), "hf_{l34}", "hf_hub_download"),
    key("replicate-token", &["r8_"], (ALNUM, 37, 37), "r8_{a37}", "r8_unorm"),
    key("perplexity-key", &["pplx-"], (ALNUM, 40, ANY), "pplx-{a48}", "pplx-70b-online"),
    key("together-key", &["tgp_v1_"], (NAME, 40, ANY), "tgp_v1_{u43}", "tgp_v1_key"),
    mixed("fireworks-key", &["fw_"], (ALNUM, 22, 40), "fw_{a24}", "fw_update"),
    key("nvidia-key", &["nvapi-"], (NAME, 60, ANY), "nvapi-{u64}", "nvapi-sys"),
    key("langsmith-key", &["lsv2_pt_", "lsv2_sk_"], (NAME, 32, ANY), "lsv2_pt_{x32}_{x10}", "lsv2_pt_key"),
    key("tavily-key", &["tvly-"], (NAME, 20, ANY), "tvly-{a32}", "tvly-search"),
    key("jina-key", &["jina_"], (NAME, 40, ANY), "jina_{a60}", "jina_embeddings_v3"),
    key("firecrawl-key", &["fc-"], (HEX, 32, 32), "fc-{x32}", "fc-cache"),
    key("voyage-key", &["pa-"], (NAME, 40, 50), "pa-{u43}", "pa-rt"),
    key("elevenlabs-key", &["sk_"], (HEX, 48, 48), "sk_{x48}", "sk_buff_head"),
    // a client key of this gateway
    key("keywheel-key", &["kw-"], (TOKEN, 50, 70), "kw-{z8}-{z52}", "kw-argument"),
];
