//! `cargo xtask gpt2`: GPT-2 → parts under `weights/gpt2/` and an entry in the catalog.

mod download;
mod files;
mod publish;
mod vocabulary;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use files::Model;
use peargpt::app::protocol::TransferPolicy;
use peargpt::checkpoint::{Checkpoint, random};

use download::Host;

/// Put GPT-2 (124M) into weights/, so that the site serves it itself: OpenAI's weights from Hugging Face, in 8 bits.
#[derive(Parser)]
#[command(name = "cargo xtask gpt2")]
struct Arguments {
    /// Take model.safetensors, vocab.json and merges.txt from this folder instead of fetching them (550 MB).
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// With --from: take files that are not OpenAI's too, such as a fine-tune of the same shape.
    #[arg(long, requires = "from")]
    unverified: bool,
    /// Make random weights of the same shape instead, for benchmarks.
    #[arg(long, value_name = "SEED", conflicts_with = "from")]
    random: Option<u64>,
    /// Put no weights there: only note in the catalog, whose GPT-2 is fetched from Hugging Face, what becomes of it.
    #[arg(long, conflicts_with_all = ["random", "unverified"])]
    converted: bool,
    /// The folder of the catalog [default: the project's weights/].
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("gpt2: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<String> {
    let into = arguments.into.clone().unwrap_or_else(|| root().join("weights"));
    let (mut model, source) = obtain(arguments)?;
    match arguments.converted {
        true => publish::note(&mut model, &into, &files::FILES.map(|file| file.sha256)),
        false => publish::publish(&mut model, &into, source),
    }
}

/// The project's folder.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."))
}

/// The model, and where it is from, for the catalog.
fn obtain(arguments: &Arguments) -> Result<(Model, String)> {
    if let Some(seed) = arguments.random {
        let config = files::config();
        let tokenizer = vocabulary::gpt2(config.vocabulary_size)?;
        let source = format!("Random weights of GPT-2's shape (seed {seed}), for benchmarks; they write nonsense.");
        let weights = random::weights(&config, seed)?;
        return Ok((Model::held(&Checkpoint { config, tokenizer, weights })?, source));
    }
    match &arguments.from {
        Some(folder) => {
            let is_openais = files::check_all(folder, arguments.unverified)?;
            let own = "Converted from files of one's own, in the shape of GPT-2.".to_string();
            Ok((Model::read(folder)?, if is_openais { files::PAGE.to_string() } else { own }))
        }
        None => {
            let folder = root().join("target/gpt2");
            fetch(&folder)?;
            Ok((Model::read(&folder)?, files::PAGE.to_string()))
        }
    }
}

/// Sees to it that all of GPT-2's files are in the folder, each verified.
fn fetch(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let host = Host { address: files::address(), retry: TransferPolicy::default() };
    for file in &files::FILES {
        host.fetch(file, folder)?;
    }
    // So that `convert target/gpt2` reads it like any model's folder.
    std::fs::write(folder.join("config.json"), files::CONFIG).context("config.json")
}
