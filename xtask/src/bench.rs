//! `cargo xtask bench`: the site against its targets, in headless Chromium.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::{command, root, run};
use crate::{checks, gpt2, site, tools, train_bench};

#[path = "../../benches/site/parts.rs"]
mod parts;

const USAGE: &str = "cargo xtask bench [gpt2|peargpt] [--runs N] [--skip-build] \
                     [--peers DIR | --against DIR [--only PART,…]], or bench train";
const MODELS: [&str; 2] = ["gpt2", "peargpt"];

/// What is asked for.
#[derive(Debug, Default, PartialEq)]
struct Arguments {
    /// Both models without it.
    model: Option<String>,
    peers: Option<PathBuf>,
    /// Another built site.
    against: Option<PathBuf>,
    /// Parts of the comparison with it; all without it.
    only: Vec<String>,
    runs: Option<u32>,
    /// `dist/` is taken as it is.
    skip_build: bool,
}

/// Builds the site and what it is compared with, and prints a table of targets.
pub fn bench(arguments: &[String]) -> Result<()> {
    if let Some(("train", words)) = arguments.split_first().map(|(first, words)| (first.as_str(), words)) {
        return train_bench::bench(words);
    }
    let arguments = Arguments::parse(arguments)?;
    let dist = Some(root().join("dist")).filter(|_| !arguments.skip_build);
    let against = arguments.against.as_deref().map(|folder| other_site(folder, dist.as_deref())).transpose()?;
    match against.is_some() {
        true => tools::ensure_browser()?,
        false => tools::ensure_all_browsers()?,
    }
    if !arguments.skip_build {
        site::dist(&[])?;
    }
    let built = root().join("target/bench");
    if arguments.wants("gpt2") {
        make_weights(&built.join("weights"))?;
    }
    if arguments.wants("peargpt") && against.is_none() {
        build_candle(&built.join("candle"))?;
    }
    let mut bench = checks::whole_site("--bench");
    bench.arg("--").args(arguments.model);
    if let Some(peers) = arguments.peers {
        // Where the reader is, so that relative paths are theirs.
        bench.arg("--peers").arg(std::env::current_dir()?.join(peers));
    }
    if let Some(against) = against {
        bench.arg("--against").arg(against);
    }
    bench.args(arguments.only.iter().map(|part| format!("--only={part}")));
    bench.args(arguments.runs.map(|runs| format!("--runs={runs}")));
    bench.args(arguments.skip_build.then_some("--skip-build"));
    run(bench)
}

/// The folder of another built site, seen from where the reader is; not the folder that is about to be built into.
fn other_site(folder: &Path, built: Option<&Path>) -> Result<PathBuf> {
    let shown = folder.display();
    let folder = std::env::current_dir()?.join(folder);
    if !folder.join("index.html").is_file() {
        bail!("`--against` expects the folder of a built site, found no index.html in {shown}");
    }
    if built.is_some_and(|built| built.canonicalize().ok() == folder.canonicalize().ok()) {
        bail!("{shown} is where the site is built to; copy it to another folder before it changes, and name that");
    }
    Ok(folder)
}

impl Arguments {
    /// Before minutes of building.
    fn parse(words: &[String]) -> Result<Self> {
        let (mut arguments, mut words) = (Arguments::default(), words.iter());
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("`{word}` expects a value; {USAGE}"));
            match word.as_str() {
                "--peers" => arguments.peers = Some(value()?.into()),
                "--against" => arguments.against = Some(value()?.into()),
                "--only" => arguments.only = only(value()?)?,
                "--skip-build" => arguments.skip_build = true,
                "--runs" => arguments.runs = Some(runs(value()?)?),
                "gpt2" | "peargpt" if arguments.model.is_none() => arguments.model = Some(word.clone()),
                _ => bail!("bench does not know what to do with `{word}`; {USAGE}"),
            }
        }
        arguments.check()?;
        Ok(arguments)
    }

    /// Whether they go together.
    fn check(&self) -> Result<()> {
        if self.peers.is_some() && !self.wants("gpt2") {
            bail!("the rivals of `--peers` run GPT-2, and `peargpt` leaves it out; {USAGE}");
        }
        if self.peers.is_some() && self.against.is_some() {
            bail!("`--peers` compares with rivals and `--against` with another build: one at a time; {USAGE}");
        }
        if !self.only.is_empty() && self.against.is_none() {
            bail!("`--only` names parts of a comparison with another site, which `--against` names; {USAGE}");
        }
        let models: Vec<_> = MODELS.into_iter().filter(|model| self.wants(model)).collect();
        let is_measured = |part: &String| models.iter().any(|model| parts::is_measured(part, model));
        if let Some(part) = self.only.iter().find(|part| !is_measured(part)) {
            bail!("`{part}` is not measured with {}; {USAGE}", models.join(" and "));
        }
        Ok(())
    }

    fn wants(&self, model: &str) -> bool {
        self.model.as_ref().is_none_or(|wanted| wanted == model)
    }
}

fn only(words: &str) -> Result<Vec<String>> {
    let unknown = words.split(',').find(|word| !parts::PARTS.contains(word));
    match unknown {
        Some(word) => bail!("`--only` expects some of {}, found `{word}`", parts::PARTS.join(", ")),
        None => Ok(words.split(',').map(String::from).collect()),
    }
}

pub fn runs(word: &str) -> Result<u32> {
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
        let rivals = Arguments {
            model: Some("gpt2".into()),
            peers: Some("a/b".into()),
            runs: Some(3),
            skip_build: true,
            ..Arguments::default()
        };
        assert_eq!(parse("--runs 3 gpt2 --skip-build --peers a/b"), Ok(rivals));
        let sites = Arguments {
            against: Some("a/b".into()),
            only: vec!["stop".into(), "decode".into()],
            ..Arguments::default()
        };
        assert_eq!(parse("--only stop,decode --against a/b"), Ok(sites));
        let only = parse("peargpt").unwrap();
        assert!(only.wants("peargpt") && !only.wants("gpt2"));
    }

    #[test]
    fn another_site_is_a_built_one_and_not_the_one_that_is_about_to_be_built() {
        let folder = std::env::temp_dir().join(format!("xtask-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let found = |built: Option<&Path>| other_site(&folder, built).map_err(|error| error.to_string());
        let none = found(None).unwrap_err();
        std::fs::write(folder.join("index.html"), "").unwrap();
        let (same, other, kept) = (found(Some(&folder)), found(Some(Path::new("dist"))), found(None));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(none.contains("no index.html"), "{none}");
        assert!(same.is_err_and(|error| error.contains("copy it")));
        assert_eq!((other, kept), (Ok(folder.clone()), Ok(folder.clone())));
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
            ("--peers a --against b", "one at a time"),
            ("--against", "`--against` expects a value"),
            ("--only decode", "`--against`"),
            ("--against a --only", "`--only` expects a value"),
            ("--against a --only decode,speed", "found `speed`"),
            ("--against a --only sizes,", "found ``"),
            ("peargpt --against a --only stop", "`stop` is not measured with peargpt"),
            ("gpt2 --against a --only visit", "`visit` is not measured with gpt2"),
        ] {
            let error = parse(words).unwrap_err();
            assert!(error.contains(part), "{words}: {error}");
        }
    }
}
