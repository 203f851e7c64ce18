//! `cargo xtask test`: every check there is, in the order in which they fail soonest.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::run::{command, find, run};
use crate::{site, tools};

const WASM: &str = "--target=wasm32-unknown-unknown";

/// Runs all checks and stops at the first that fails.
pub fn test() -> Result<()> {
    type Step = (&'static str, fn() -> Result<()>);
    let steps: [Step; 8] = [
        ("tools", ensure_tools),
        ("format", || run(command("cargo", &["fmt", "--all", "--check"]))),
        ("native lints", native_lints),
        ("wasm lints", wasm_lints),
        ("native tests", || run(command("cargo", &["test", "--workspace"]))),
        ("wasm tests in Chromium", wasm_tests),
        ("site", || site::dist(&[])),
        ("whole-site tests in Chromium", || run(whole_site("--test"))),
    ];
    let start = Instant::now();
    for (index, (name, step)) in steps.iter().enumerate() {
        let elapsed = start.elapsed().as_secs();
        eprintln!(
            "\nxtask test, step {} of {}: {name} ({} min {} s so far)",
            index + 1,
            steps.len(),
            elapsed / 60,
            elapsed % 60
        );
        step().with_context(|| format!("step {} of {}, {name}", index + 1, steps.len()))?;
    }
    Ok(())
}

/// The whole-site tests (`--test`) or the browser's bench (`--bench`), against `dist/`. Both run in the test profile:
/// they only drive the browser.
pub fn whole_site(kind: &str) -> Command {
    let mut tests = command("cargo", &["test", kind, "site"]);
    // Errors are sentences; their backtraces would be runtime all the way down.
    tests.env("RUST_BACKTRACE", "0");
    tests
}

fn ensure_tools() -> Result<()> {
    tools::ensure_lints()?;
    tools::ensure_build_tools()?;
    tools::ensure_browser()
}

fn native_lints() -> Result<()> {
    run(command("cargo", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// The browser's programs, and the library with the tests that run there.
fn wasm_lints() -> Result<()> {
    let browser =
        ["clippy", WASM, "--lib", "--bin=page", "--bin=worker", "--bin=worker-relaxed", "--", "-D", "warnings"];
    run(command("cargo", &browser))?;
    run(command(
        "cargo",
        &[
            "clippy",
            WASM,
            "--lib",
            "--test=text",
            "--test=kernels",
            "--test=replay",
            "--profile=test",
            "--",
            "-D",
            "warnings",
        ],
    ))
}

fn wasm_tests() -> Result<()> {
    let mut tests = command("cargo", &["test", WASM, "--test", "text", "--test", "kernels", "--test", "replay"]);
    tests.env("CHROMEDRIVER", find("chromedriver").context("chromedriver is not on PATH")?);
    // Seconds for all tests of a binary; the runner's own 20 are few for two busy cores.
    tests.env("WASM_BINDGEN_TEST_TIMEOUT", "300");
    run(tests)
}
