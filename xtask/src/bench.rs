//! `cargo xtask bench`: the site against its targets, in headless Chromium.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::{command, root, run};
use crate::{checks, gpt2, site, tools};

const USAGE: &str = "cargo xtask bench [gpt2|peargpt] [--peers DIR] [--runs N]";

/// What is asked for.
#[derive(Debug, Default, PartialEq)]
struct Arguments {
    /// Both models without it.
    model: Option<String>,
    peers: Option<PathBuf>,
    runs: Option<u32>,
}

/// Builds the site and what it is compared with, and prints a table of targets.
pub fn bench(arguments: &[String]) -> Result<()> {
    let arguments = Arguments::parse(arguments)?;
    tools::ensure_browser()?;
    site::dist(&[])?;
    let built = root().join("target/bench");
    if arguments.wants("gpt2") {
        make_weights(&built.join("weights"))?;
    }
    if arguments.wants("peargpt") {
        build_candle(&built.join("candle"))?;
    }
    let mut bench = checks::whole_site("--bench");
    bench.arg("--").args(arguments.model);
    if let Some(peers) = arguments.peers {
        // Where the reader is, so that relative paths are theirs.
        bench.arg("--peers").arg(std::env::current_dir()?.join(peers));
    }
    bench.args(arguments.runs.map(|runs| format!("--runs={runs}")));
    run(bench)
}

impl Arguments {
    /// Before minutes of building.
    fn parse(words: &[String]) -> Result<Self> {
        let (mut arguments, mut words) = (Arguments::default(), words.iter());
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("`{word}` expects a value; {USAGE}"));
            match word.as_str() {
                "--peers" => arguments.peers = Some(value()?.into()),
                "--runs" => arguments.runs = Some(runs(value()?)?),
                "gpt2" | "peargpt" if arguments.model.is_none() => arguments.model = Some(word.clone()),
                _ => bail!("bench does not know what to do with `{word}`; {USAGE}"),
            }
        }
        if arguments.peers.is_some() && !arguments.wants("gpt2") {
            bail!("the rivals of `--peers` run GPT-2, and `peargpt` leaves it out; {USAGE}");
        }
        Ok(arguments)
    }

    fn wants(&self, model: &str) -> bool {
        self.model.as_ref().is_none_or(|wanted| wanted == model)
    }
}

fn runs(word: &str) -> Result<u32> {
    match word.parse() {
        Ok(runs) if runs > 0 => Ok(runs),
        _ => bail!("`--runs` expects a number of rounds from 1 on, found `{word}`"),
    }
}

/// GPT-2's shape with random weights, made once.
fn make_weights(folder: &Path) -> Result<()> {
    if folder.join("catalog.json").is_file() {
        return Ok(());
    }
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let into = folder.to_str().context("the repository's path is not UTF-8")?;
    gpt2(&["--random".into(), "1".into(), "--into".into(), into.into()])
}

/// candle's plain layers, as a module that a worker loads.
fn build_candle(folder: &Path) -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    eprintln!("xtask: building candle's plain layers in release mode (minutes the first time)");
    run(command("cargo", &["build", "--release", "--quiet", "--target", TARGET, "--package", "candle-rival"]))?;
    let built = format!("target/{TARGET}/release/candle_rival.wasm");
    let mut bindgen = command("wasm-bindgen", &["--target", "no-modules", "--no-typescript", "--out-name", "candle"]);
    bindgen.arg("--out-dir").arg(folder).arg(built);
    run(bindgen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Arguments, String> {
        let words: Vec<String> = words.split_whitespace().map(String::from).collect();
        Arguments::parse(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        assert_eq!(parse(""), Ok(Arguments::default()));
        let all = Arguments { model: Some("gpt2".into()), peers: Some("a/b".into()), runs: Some(3) };
        assert_eq!(parse("--runs 3 gpt2 --peers a/b"), Ok(all));
        let only = parse("peargpt").unwrap();
        assert!(only.wants("peargpt") && !only.wants("gpt2"));
    }

    #[test]
    fn what_is_not_understood_is_named_before_anything_is_built() {
        for (words, part) in [
            ("gpt3", "`gpt3`"),
            ("gpt2 peargpt", "`peargpt`"),
            ("--peers", "`--peers` expects a value"),
            ("--runs 0", "found `0`"),
            ("--runs many", "found `many`"),
            ("peargpt --peers a", "the rivals"),
        ] {
            let error = parse(words).unwrap_err();
            assert!(error.contains(part), "{words}: {error}");
        }
    }
}
