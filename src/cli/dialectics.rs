//! `dialectics`: its flags.

use clap::Args;

use super::Format;

/// `dialectics`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Dialectics {
    /// The question; `-` reads it from stdin
    #[arg(value_name = "PROMPT")]
    pub prompt: String,
    /// debate, split, panel, or the name of one of your own
    #[arg(long, value_name = "NAME", default_value = "debate")]
    pub mode: String,
    /// The models that answer, with commas between them; without it, the best-ranked ones that can be called
    #[arg(long, value_name = "MODELS", value_delimiter = ',')]
    pub legs: Vec<String>,
    /// The model that judges and writes the answer
    #[arg(long, value_name = "MODEL")]
    pub synthesis: Option<String>,
    /// How often the sides of a debate speak
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5))]
    pub rounds: Option<u32>,
    /// Do not begin when it could cost more than this, in USD
    #[arg(long, value_name = "USD")]
    pub max_cost: Option<String>,
    /// How to write: with --json one object with the answer, what each leg said, a report and the cost
    #[command(flatten)]
    pub format: Format,
}
