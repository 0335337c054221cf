//! Runs the lab on a port, for people who want to try a client or the gateway against a vendor's manners without a
//! key, a network or a bill: `cargo run --example lab -- --persona openai --port 9100`

use std::io::{self, Write};
use std::time::Duration;

use clap::Parser;
use keywheel::sim::lab::{Keys, Setup};
use keywheel::sim::{Lab, Persona};

/// An upstream that answers from a script, with a vendor's manners.
#[derive(Parser)]
struct Args {
    /// Whose manners: openai, azure, xai, deepseek or generic.
    #[arg(long, default_value = "openai")]
    persona: Persona,
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 9100)]
    port: u16,
    /// A model to offer beside echo, tools, slow, limited and the vendor's own; may be repeated.
    #[arg(long = "model")]
    models: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let Args { persona, port, models } = Args::parse();
    let lab = Lab::start_with(Setup { port, models, keys: Keys::Any, ..Setup::new(persona) })?;
    let mut out = io::stderr();
    writeln!(out, "base url {}, any key; models echo, tools, slow, limited and the vendor's own", lab.base_url())?;
    for shown in 0.. {
        let seen = loop {
            if let Some(mut all) = lab.wait_seen(shown + 1, Duration::from_secs(3600)).await {
                break all.swap_remove(shown);
            }
        };
        writeln!(out, "{} {} ({} bytes, {:?})", seen.method, seen.path_and_query, seen.body.len(), seen.http_version)?;
    }
    Ok(())
}
