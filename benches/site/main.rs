//! What the site must reach, measured in headless Chromium, beside its rivals. `cargo xtask bench` builds what this
//! takes and runs it.

#[allow(dead_code)] // the tests use the rest
#[path = "../../tests/site/browser/mod.rs"]
mod browser;
#[allow(dead_code)]
#[path = "../../tests/site/fault.rs"]
mod fault;
#[allow(dead_code)]
#[path = "../../tests/site/reader.rs"]
mod reader;
#[allow(dead_code)]
#[path = "../../tests/site/release.rs"]
mod release;
#[allow(dead_code)]
#[path = "../../tests/site/request.rs"]
mod request;
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
mod paste;
mod peargpt;
mod rivals;
mod start;
mod threads;
mod training;
mod visit;
mod words;

// Two sites in turn.
mod against;
mod parts;
mod sites;
mod stop;
mod turn;

// What becomes of it.
mod machine;
mod pairs;
mod samples;
mod table;
mod targets;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::builder::PossibleValuesParser;
use clap::{Parser, ValueEnum};

use against::{Comparison, Found};
use gpt2::Gpt2;
use peargpt::PearGpt;
use rivals::Peers;
use samples::Figures;

/// One of the site's models.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Model {
    Gpt2,
    Peargpt,
    /// Not a model: the program that makes one.
    Trainer,
}

/// Measure the site against its targets.
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Arguments {
    /// What is measured; without it, both models.
    model: Option<Model>,
    /// 10⁹ multiplications and additions per second that fused 128-bit vectors of this core can do in the browser.
    #[arg(long, value_name = "NUMBER")]
    peak: Option<f64>,
    /// Of these the trainer's products.
    #[arg(long, value_name = "NUMBER")]
    products: Option<f64>,
    /// A folder of rivals, run in turn with GPT-2.
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
    /// Another built site, run in turn with this one.
    #[arg(long, value_name = "DIR", conflicts_with = "peers")]
    against: Option<PathBuf>,
    /// The parts that are compared; without it, all.
    #[arg(long, requires = "against", value_delimiter = ',', value_parser = PossibleValuesParser::new(parts::PARTS))]
    only: Vec<String>,
    /// Whether `dist/` was taken as it was, which the table says.
    #[arg(long)]
    skip_build: bool,
    /// Rounds or pairs; the medians count.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
}

/// Rounds where nobody says how many.
const ROUNDS: u32 = 5;

impl Arguments {
    fn rounds(&self) -> u32 {
        self.runs.unwrap_or(ROUNDS)
    }

    /// What the numbers are of.
    fn site(&self) -> &'static str {
        if self.skip_build { "dist/ as it was found, not built (`--skip-build`)" } else { "dist/" }
    }

    fn wants(&self, model: Model) -> bool {
        self.model.map_or(model != Model::Trainer, |wanted| wanted == model)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (arguments, mut figures) = (Arguments::parse(), Figures::default());
    if let Some(old) = &arguments.against {
        return compare(&arguments, old).await;
    }
    let outcome = measure(&arguments, &mut figures).await;
    // What was measured before something failed is shown all the same.
    let mut found = Vec::new();
    if arguments.wants(Model::Gpt2) {
        found.extend(targets::gpt2(&figures, &rivals::names()));
    }
    if arguments.wants(Model::Peargpt) {
        found.extend(targets::peargpt(&figures));
    }
    if arguments.wants(Model::Trainer) {
        found.extend(targets::trainer(&figures, arguments.peak, arguments.products));
    }
    let (site, rounds, kernels) = (arguments.site(), arguments.rounds(), figures.kernels());
    println!("Medians of {site}, rounds: {rounds}; {}; {kernels}\n", machine::describe());
    println!("{}\n{}", table::markdown(&found), figures.markdown());
    outcome
}

/// Two sites in turn, whatever comes of it shown.
async fn compare(arguments: &Arguments, old: &Path) -> Result<()> {
    let subjects = [(Model::Gpt2, &turn::GPT2), (Model::Peargpt, &turn::PEARGPT)];
    let subjects = subjects.into_iter().filter(|(model, _)| arguments.wants(*model)).map(|(_, subject)| subject);
    let wanted = |part: &&str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == part);
    let comparison = Comparison {
        folders: [old.to_path_buf(), server::dist()],
        subjects: subjects.collect(),
        parts: parts::PARTS.into_iter().filter(wanted).collect(),
        pairs: arguments.runs.unwrap_or(pairs::PAIRS),
        weights: built("weights"),
    };
    let mut found = Found::default();
    let outcome = comparison.run(&mut found).await;
    println!("{}", found.markdown(comparison.pairs, [&old.display().to_string(), arguments.site()]));
    outcome
}

async fn measure(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    if arguments.wants(Model::Gpt2) {
        gpt2(arguments, figures).await?;
    }
    if arguments.wants(Model::Peargpt) {
        peargpt(arguments, figures).await?;
    }
    if arguments.wants(Model::Trainer) {
        trainer(arguments, figures).await?;
    }
    Ok(())
}

async fn gpt2(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let peers = arguments.peers.as_deref().map(|folder| Peers::open(folder, figures)).transpose()?;
    if peers.is_none() {
        figures.note("The rivals are not measured: `--peers DIR` says where they are.".to_string());
    }
    let gpt2 = Gpt2::stored(&built("weights")).await?;
    let host = |reader: &reader::Reader| gpt2::host(&reader.server, &server::dist(), &built("weights"));
    for run in 1..=arguments.rounds() {
        let round = format!("GPT-2, round {run} of {}", arguments.rounds());
        eprintln!("{round}");
        machine::others(&round).await.into_iter().for_each(|sentence| figures.note(sentence));
        gpt2.round(peers.as_ref(), figures).await?;
        start::round("gpt2", host, figures).await?;
    }
    Ok(())
}

async fn peargpt(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let compressed = Arc::new(files::compressed(&server::dist())?);
    files::measure(&compressed, figures)?;
    let peargpt = PearGpt::new(&built("candle")).await?;
    for run in 1..=arguments.rounds() {
        let round = format!("pearGPT, round {run} of {}", arguments.rounds());
        eprintln!("{round}");
        machine::others(&round).await.into_iter().for_each(|sentence| figures.note(sentence));
        peargpt.round(figures).await?;
        visit::round(&compressed, figures).await?;
        start::round("peargpt", |_| Ok(vec![reader::WEIGHTS.to_string()]), figures).await?;
    }
    Ok(())
}

async fn trainer(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let reader = reader::Reader::new().await?;
    if let Some(peers) = &arguments.peers {
        training::host_jax(&reader, peers)?;
    }
    for run in 1..=arguments.rounds() {
        let round = format!("training, round {run} of {}", arguments.rounds());
        eprintln!("{round}");
        machine::others(&round).await.into_iter().for_each(|sentence| figures.note(sentence));
        training::round(&reader, figures).await?;
        if arguments.peers.is_some() {
            training::jax(&reader, figures).await?;
        }
    }
    Ok(())
}

/// What `cargo xtask bench` has made for this.
fn built(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench").join(name)
}
