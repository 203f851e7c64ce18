//! What the site measures of itself in headless Chromium: medians of several runs of its bench page.
//! `cargo xtask bench` builds the site, installs the browser and runs this.

#[allow(dead_code)] // the tests use the rest
#[path = "../tests/site/browser.rs"]
mod browser;
#[allow(dead_code)]
#[path = "../tests/site/reader.rs"]
mod reader;
#[allow(dead_code)]
#[path = "../tests/site/server.rs"]
mod server;
#[allow(dead_code)]
#[path = "../tests/site/trap.rs"]
mod trap;

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use reader::Reader;

/// How often the bench page runs, each time in a browser of its own.
const RUNS: usize = 5;

type Report = Map<String, Value>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut reports = Vec::new();
    for run in 1..=RUNS {
        eprintln!("run {run} of {RUNS}");
        reports.push(measure("#/bench?model=peargpt&prompt_tokens=64&tokens=128").await?);
    }
    println!("{} runs of the bench page, {}; medians, and from the least to the most\n", RUNS, machine());
    for (name, _) in &reports[0] {
        println!("{name:<26}{}", summary(&reports, name));
    }
    Ok(())
}

async fn measure(route: &str) -> Result<Report> {
    let reader = Reader::at(route).await?;
    reader.wait_for("done").await?;
    let json = reader.text("bench-json").await?;
    serde_json::from_str(&json).with_context(|| format!("the bench page left no report: {json}"))
}

/// The median of a number and its range, or a text as it is.
fn summary(reports: &[Report], name: &str) -> String {
    let mut numbers: Vec<f64> = reports.iter().filter_map(|report| report.get(name)?.as_f64()).collect();
    if numbers.is_empty() {
        return reports[0].get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    }
    numbers.sort_by(f64::total_cmp);
    let (least, median, most) = (numbers[0], numbers[numbers.len() / 2], numbers[numbers.len() - 1]);
    if least == most { round(median) } else { format!("{:<12} {} … {}", round(median), round(least), round(most)) }
}

/// Four significant digits, whole numbers whole.
fn round(number: f64) -> String {
    if number.fract() == 0.0 {
        return number.to_string();
    }
    let digits = (3.0 - number.abs().log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{number:.digits$}")
}

/// Processor, cores, browser, day.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let processor = model.map_or("unknown processor", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).lines().next().unwrap_or_default().trim().to_string()
    };
    format!("{processor}, {cores} cores, {}, {}", said("chromium", "--version"), said("date", "+%Y-%m-%d"))
}
