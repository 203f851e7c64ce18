//! `cargo xtask test`: every check there is, in the order in which they fail soonest.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::run::{command, find, root, run};
use crate::tools::ARM;
use crate::{tools, workflow};

/// Why the npm package cannot be tested here: its bundlers come from npm's registry, and nothing else does.
static UNTESTED_PACKAGE: OnceLock<String> = OnceLock::new();

const WASM: &str = "--target=wasm32-unknown-unknown";

/// Runs all checks and stops at the first that fails.
pub fn test() -> Result<()> {
    type Step = (&'static str, fn() -> Result<()>);
    let steps: [Step; 9] = [
        ("tools", ensure_tools),
        ("format", || run(command("cargo", &["fmt", "--all", "--check"]))),
        ("native lints", native_lints),
        ("wasm lints", wasm_lints),
        ("another processor", || run(command("cargo", &["check", "-p", "peargpt", "--all-targets", "--target", ARM]))),
        ("native tests", || run(command("cargo", &["test", "--workspace"]))),
        ("wasm tests in Chromium", wasm_tests),
        ("site, as the workflow for GitHub Pages builds it", workflow::run_commands),
        ("whole-site tests in Chromium, their core in Firefox and WebKit", site_tests),
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
    tell_kernels();
    Ok(())
}

/// Says which kernels this machine could not run, so that nobody takes them for tested.
fn tell_kernels() {
    let backend = std::fs::read_to_string(backend_file()).unwrap_or_default();
    let relaxed = ["relaxed SIMD with a sign (ARM)", "relaxed SIMD without a sign (x86 with AVX-VNNI)"];
    let ran = match (backend.contains("relaxed"), cfg!(target_arch = "aarch64")) {
        (false, _) => None,
        (true, true) => Some(relaxed[0]),
        (true, false) => Some(relaxed[1]),
    };
    let missing = relaxed.into_iter().filter(|kernel| Some(*kernel) != ran).chain(missing_natively());
    let missing: Vec<&str> = missing.collect();
    eprintln!(
        "\nxtask test: all passed; kernels that this machine cannot run, and that were not tested: {}",
        missing.join(", ")
    );
    if let Some(reason) = UNTESTED_PACKAGE.get() {
        eprintln!("xtask test: the npm package was not tested: {reason}");
    }
}

/// The native kernels that this processor cannot run.
fn missing_natively() -> impl Iterator<Item = &'static str> {
    #[cfg(target_arch = "x86_64")]
    let ran = {
        use std::is_x86_feature_detected as has;
        [has!("avx2"), has!("avxvnni"), has!("avx512vnni")]
    };
    #[cfg(not(target_arch = "x86_64"))]
    let ran = [false; 3];
    ["AVX2", "AVX-VNNI", "AVX-512 VNNI"].into_iter().zip(ran).filter_map(|(kernel, ran)| (!ran).then_some(kernel))
}

/// Where the whole-site tests write what computes in the browser.
fn backend_file() -> PathBuf {
    root().join("target/backend.txt")
}

/// The whole-site tests (`--test`) or the browser's bench (`--bench`), against `dist/`. Both run in the test profile:
/// they only drive the browser.
pub fn whole_site(kind: &str) -> Command {
    let mut tests = command("cargo", &["test", kind, "site"]);
    // Errors are sentences; their backtraces would be runtime all the way down.
    tests.env("RUST_BACKTRACE", "0");
    tests.env("PEARGPT_BACKEND_FILE", backend_file());
    tests
}

fn ensure_tools() -> Result<()> {
    tools::ensure_lints()?;
    tools::ensure_build_tools()?;
    tools::ensure_all_browsers()?;
    if let Err(reason) = tools::ensure_node().and_then(|()| tools::reach_npm()) {
        let reason = format!("{reason:#}");
        eprintln!("xtask test: the npm package will not be tested: {reason}");
        UNTESTED_PACKAGE.set(reason).ok();
    }
    Ok(())
}

/// The whole-site tests; those of the npm package only where there is an npm.
fn site_tests() -> Result<()> {
    let mut tests = whole_site("--test");
    if UNTESTED_PACKAGE.get().is_some() {
        tests.args(["--", "--skip", "package::"]);
    }
    run(tests)
}

fn native_lints() -> Result<()> {
    run(command("cargo", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// The browser's programs, and the library with the tests that run there.
fn wasm_lints() -> Result<()> {
    let browser = [
        "clippy",
        WASM,
        "--lib",
        "--bin=page",
        "--bin=worker",
        "--bin=worker-relaxed",
        "--bin=trainer",
        "--bin=trainer-relaxed",
        "--bin=converter",
        "--",
        "-D",
        "warnings",
    ];
    run(command("cargo", &browser))?;
    run(command(
        "cargo",
        &[
            "clippy",
            WASM,
            "--lib",
            "--test=text",
            "--test=kernels",
            "--test=product",
            "--test=replay",
            "--test=mount",
            "--profile=test",
            "--",
            "-D",
            "warnings",
        ],
    ))
}

fn wasm_tests() -> Result<()> {
    let names = ["text", "kernels", "product", "replay", "mount"];
    let mut tests = command("cargo", &["test", WASM]);
    tests.args(names.iter().flat_map(|name| ["--test", name]));
    tests.env("CHROMEDRIVER", find("chromedriver").context("chromedriver is not on PATH")?);
    // Seconds for all tests of a binary; the runner's own 20 are few for two busy cores.
    tests.env("WASM_BINDGEN_TEST_TIMEOUT", "300");
    run(tests)
}
