//! What the site must reach, measured in headless Chromium, beside its rivals. `cargo xtask bench` builds what this
//! takes and runs it.

#[allow(dead_code)] // the tests use the rest
#[path = "../../tests/site/browser.rs"]
mod browser;
#[allow(dead_code)]
#[path = "../../tests/site/reader.rs"]
mod reader;
#[allow(dead_code)]
#[path = "../../tests/site/server.rs"]
mod server;
#[allow(dead_code)]
#[path = "../../tests/site/trap.rs"]
mod trap;

// What is measured.
mod files;
mod gpt2;
mod line;
mod link;
mod page;
mod peargpt;
mod rivals;
mod visit;
mod words;

// What becomes of it.
mod machine;
mod samples;
mod table;
mod targets;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use gpt2::Gpt2;
use peargpt::PearGpt;
use rivals::Peers;
use samples::Figures;

/// One of the site's models.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Model {
    Gpt2,
    Peargpt,
}

/// Measure the site against its targets.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Arguments {
    /// The model that is measured; without it, both.
    model: Option<Model>,
    /// A folder of rivals, run in turn with GPT-2.
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
    /// Rounds; the medians count.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

impl Arguments {
    fn wants(&self, model: Model) -> bool {
        self.model.is_none_or(|wanted| wanted == model)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (arguments, mut figures) = (Arguments::parse(), Figures::default());
    let outcome = measure(&arguments, &mut figures).await;
    // What was measured before something failed is shown all the same.
    let mut found = Vec::new();
    if arguments.wants(Model::Gpt2) {
        found.extend(targets::gpt2(&figures, &rivals::names()));
    }
    if arguments.wants(Model::Peargpt) {
        found.extend(targets::peargpt(&figures));
    }
    println!("Medians, rounds: {}; {}\n", arguments.runs, machine::describe());
    println!("{}\n{}", table::markdown(&found), figures.markdown());
    outcome
}

async fn measure(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    if arguments.wants(Model::Gpt2) {
        gpt2(arguments, figures).await?;
    }
    if arguments.wants(Model::Peargpt) {
        peargpt(arguments, figures).await?;
    }
    Ok(())
}

async fn gpt2(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let peers = arguments.peers.as_deref().map(|folder| Peers::open(folder, figures)).transpose()?;
    if peers.is_none() {
        figures.note("The rivals are not measured: `--peers DIR` says where they are.".to_string());
    }
    let gpt2 = Gpt2::stored(&built("weights")).await?;
    for run in 1..=arguments.runs {
        let round = format!("GPT-2, round {run} of {}", arguments.runs);
        eprintln!("{round}");
        machine::note_others(&round, figures).await;
        gpt2.round(peers.as_ref(), figures).await?;
    }
    Ok(())
}

async fn peargpt(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let compressed = Arc::new(files::compressed()?);
    files::measure(&compressed, figures)?;
    let peargpt = PearGpt::new(&built("candle")).await?;
    for run in 1..=arguments.runs {
        let round = format!("pearGPT, round {run} of {}", arguments.runs);
        eprintln!("{round}");
        machine::note_others(&round, figures).await;
        peargpt.round(figures).await?;
        visit::round(&compressed, figures).await?;
    }
    Ok(())
}

/// What `cargo xtask bench` has made for this.
fn built(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench").join(name)
}
