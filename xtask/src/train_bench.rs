//! `cargo xtask bench train`: training steps natively, beside PyTorch's, or in the tab.

use std::path::{MAIN_SEPARATOR, PathBuf};
use std::thread::available_parallelism;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench::runs;
use crate::run::{command, output, run};
use crate::{checks, site, tools};

const USAGE: &str = "cargo xtask bench train [--python PROGRAM | --tab [--peers DIR] [--skip-build]] [--runs N]";
const SHAPES: [(&str, &str); 2] = [("pear", "8 × 320, T 256, B 8"), ("small", "4 × 128, T 64, B 12")];

/// The number that lines of the native bench are read for.
const RATE: &str = "tokens_per_second";

/// What is asked for.
#[derive(Debug, PartialEq)]
struct Arguments {
    /// A Python that has torch.
    python: Option<String>,
    runs: u32,
    /// In headless Chromium, of `dist/`, which is built before, or taken as it is.
    tab: bool,
    skip_build: bool,
    /// Where jax-js is installed.
    peers: Option<PathBuf>,
}

/// Prints the products' share of the peak, and a table of tokens per second with AdamW: ours and, run in turn with it,
/// PyTorch's.
pub fn bench(words: &[String]) -> Result<()> {
    let arguments = Arguments::parse(words)?;
    if arguments.tab {
        return in_the_tab(&arguments);
    }
    eprintln!("xtask: building the bench of training in release mode (minutes the first time)");
    run(command("cargo", &["bench", "--quiet", "--bench", "train", "--no-run"]))?;
    run(command("cargo", &["bench", "--quiet", "--bench", "train", "--", "products"]))?;
    println!("\n| float32, AdamW, tokens/s | ours | PyTorch | ratio of the pairs |\n|---|---|---|---|");
    let cores = available_parallelism().map_or(1, usize::from);
    for (shape, title) in SHAPES {
        for threads in [1, 2].into_iter().filter(|threads| *threads <= cores) {
            let pairs = (0..arguments.runs).map(|_| pair(shape, &threads.to_string(), arguments.python.as_deref()));
            let pairs: Vec<(f64, Option<f64>)> = pairs.collect::<Result<_>>()?;
            let ours = median(pairs.iter().map(|(ours, _)| *ours));
            let theirs = median(pairs.iter().filter_map(|(_, theirs)| *theirs));
            let ratio = median(pairs.iter().filter_map(|(ours, theirs)| Some(ours / (*theirs)?)));
            let shown =
                |number: Option<f64>, digits: usize| number.map_or("–".into(), |number| format!("{number:.digits$}"));
            println!(
                "| {title}, {threads} thread{} | {} | {} | {} |",
                if threads == 1 { "" } else { "s" },
                shown(ours, 0),
                shown(theirs, 0),
                shown(ratio, 2)
            );
        }
    }
    Ok(())
}

/// Prints the products' share of the peak in a browser's worker, and the site's trainer against its targets.
fn in_the_tab(arguments: &Arguments) -> Result<()> {
    tools::ensure_browser()?;
    if !arguments.skip_build {
        site::dist(&[])?;
    }
    eprintln!("xtask: building the products for WebAssembly in release mode (minutes the first time)");
    let products =
        ["test", "--release", "--quiet", "--target", "wasm32-unknown-unknown", "--bench", "train", "--", "--nocapture"];
    let products = output("cargo", &products).context("the products could not be measured in the browser")?;
    let lines: Vec<&str> = products.lines().filter_map(|line| line.find('{').map(|at| &line[at..])).collect();
    lines.iter().for_each(|line| println!("{line}"));
    let mut bench = checks::whole_site("--bench");
    bench.args(["--", "trainer", &format!("--runs={}", arguments.runs)]);
    if let Some(relaxed) = lines.iter().find(|line| line.contains("\"relaxed SIMD\"")) {
        bench.arg(format!("--peak={}", number(relaxed, "peak")?));
        bench.arg(format!("--products={}", number(relaxed, "all")?));
    }
    if let Some(peers) = &arguments.peers {
        bench.arg("--peers").arg(std::env::current_dir()?.join(peers));
    }
    bench.args(arguments.skip_build.then_some("--skip-build"));
    run(bench)
}

/// Tokens per second of a run of ours and of PyTorch's, one right after the other.
fn pair(shape: &str, threads: &str, python: Option<&str>) -> Result<(f64, Option<f64>)> {
    let ours = output("cargo", &["bench", "--quiet", "--bench", "train", "--", shape, "adamw", threads]);
    let ours = number(&ours.context("the bench of training failed")?, RATE)?;
    let Some(python) = python else { return Ok((ours, None)) };
    let theirs = output(python, &["benches/train/pytorch.py", "--shape", shape, "--threads", threads]);
    let theirs = theirs.with_context(|| format!("`{python} benches/train/pytorch.py` failed: has it torch?"))?;
    Ok((ours, Some(number(&theirs, RATE)?)))
}

/// The number of that name in a line of JSON.
fn number(line: &str, name: &str) -> Result<f64> {
    let line: Value = serde_json::from_str(line).with_context(|| format!("expected a line of JSON, found {line}"))?;
    line[name].as_f64().with_context(|| format!("there is no {name} in {line}"))
}

fn median(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

impl Arguments {
    fn parse(words: &[String]) -> Result<Self> {
        let (mut arguments, mut words) = (Arguments::default(), words.iter());
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("`{word}` expects a value; {USAGE}"));
            match word.as_str() {
                "--python" => arguments.python = Some(program(value()?)?),
                "--runs" => arguments.runs = runs(value()?)?,
                "--tab" => arguments.tab = true,
                "--peers" => arguments.peers = Some(value()?.into()),
                "--skip-build" => arguments.skip_build = true,
                _ => bail!("bench train does not know what to do with `{word}`; {USAGE}"),
            }
        }
        if arguments.tab && arguments.python.is_some() {
            bail!("`--python` is PyTorch natively, and `--tab` a browser: one at a time; {USAGE}");
        }
        if (arguments.skip_build || arguments.peers.is_some()) && !arguments.tab {
            bail!("`--skip-build` and `--peers` are of the browser, which only `--tab` measures; {USAGE}");
        }
        Ok(arguments)
    }
}

impl Default for Arguments {
    fn default() -> Self {
        Arguments { python: None, runs: 3, tab: false, skip_build: false, peers: None }
    }
}

/// A program's name, or its path, seen from where the reader is.
fn program(word: &str) -> Result<String> {
    if !word.contains(MAIN_SEPARATOR) {
        return Ok(word.to_string());
    }
    let path = std::env::current_dir()?.join(word);
    path.to_str().map(String::from).with_context(|| format!("{} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_understood() {
        let parse = |words: &str| {
            let words: Vec<String> = words.split_whitespace().map(String::from).collect();
            Arguments::parse(&words).map_err(|error| error.to_string())
        };
        assert_eq!(parse(""), Ok(Arguments::default()));
        let own = std::env::current_dir().unwrap().join("venv/bin/python").to_str().map(String::from);
        let python = |python, runs| Ok(Arguments { python, runs, ..Arguments::default() });
        assert_eq!(parse("--runs 5 --python venv/bin/python"), python(own, 5));
        assert_eq!(parse("--python python3"), python(Some("python3".into()), 3));
        let tab = Arguments { tab: true, skip_build: true, runs: 2, ..Arguments::default() };
        assert_eq!(parse("--tab --runs 2 --skip-build"), Ok(tab));
        for (words, expected) in [
            ("--runs 0", "found `0`"),
            ("--python", "expects a value"),
            ("gpt2", "`gpt2`"),
            ("--tab --python python3", "one at a time"),
            ("--skip-build", "only `--tab`"),
            ("--peers a", "only `--tab`"),
        ] {
            assert!(parse(words).is_err_and(|error| error.contains(expected)), "{words}");
        }
    }

    #[test]
    fn a_line_of_the_bench_is_read() {
        assert_eq!(number("{\"threads\": 1, \"tokens_per_second\": 12.5}", RATE).ok(), Some(12.5));
        assert!(number("{}", RATE).is_err() && number("Traceback", RATE).is_err());
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([].into_iter()), None);
    }
}
