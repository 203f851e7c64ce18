//! `cargo xtask`: everything that is done to this repository, as commands that install what they need.

mod bench;
mod binstall;
mod checks;
#[allow(dead_code, reason = "some of it is only for sites that a browser publishes")]
#[path = "../../src/app/publish/document.rs"]
mod document;
mod finish;
mod licences;
mod package;
mod publish;
mod release;
mod run;
mod site;
mod tools;
mod train_bench;
mod workflow;

use std::process::ExitCode;

use anyhow::Result;

use crate::run::{command, run};

const HELP: &str = "\
cargo xtask COMMAND

  serve   build the site in release mode and serve it on http://localhost:8080,
          again after each change; further arguments go to `trunk serve`
  dist    build the site into dist/, ready for any path of any static server;
          further arguments go to `trunk build`; with `--model FILE.gguf --title
          TEXT` a site whose home is that model, as the page's export makes it;
          `--sentence`, `--prompt`, `--defaults words=100`, `--others` say more,
          `--zip` writes NAME.zip here, `--skip-build` takes dist/ as it is
  test    check the format, lint, run all tests, native and in headless Chromium,
          the whole site's core also in Firefox and WebKit
  bench   measure the site in headless Chromium against its targets; `gpt2` or
          `peargpt` for one model, `--peers DIR` to run rivals, `--runs N`;
          or, with `--against DIR`, two built sites in turn: the ratios of
          DIR's and this one's speed, the median of at least 9 pairs;
          `--only decode,stop` for some of its parts (sizes, decode, prompts,
          crossings, load, stop, visit), `--skip-build` to take dist/ as it is;
          `train` measures training natively, with `--python PROGRAM`, which has
          torch, in turn with PyTorch, or with `--tab` in headless Chromium
  package build the site, and write the npm package for other pages into
          package/; `--skip-build` to take dist/ as it is
  gpt2    put GPT-2 into weights/: fetch OpenAI's weights (550 MB), or take
          files with `--from DIR`, or make some with `--random SEED`

Each command installs what it needs and is missing, and says so.";

/// A program of its own: what it needs to build is not needed for anything else.
fn gpt2(arguments: &[String]) -> Result<()> {
    let mut gpt2 = command("cargo", &["run", "--release", "--quiet", "--package", "gpt2", "--"]);
    // Where the reader is, so that relative paths are theirs.
    gpt2.args(arguments).current_dir(std::env::current_dir()?);
    eprintln!("xtask: building the converter in release mode (minutes the first time)");
    run(gpt2)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_else(|| "--help".into());
    let rest: Vec<String> = arguments.collect();
    let outcome = match command.as_str() {
        "serve" => site::serve(&rest),
        "dist" => publish::dist(&rest),
        "test" => checks::test(),
        "bench" => bench::bench(&rest),
        "package" => package::package(&rest),
        "gpt2" => gpt2(&rest),
        // Trunk's post_build hook, see Trunk.toml.
        "finish" => finish::finish(),
        "--help" | "-h" | "help" => {
            println!("{HELP}");
            Ok(())
        }
        unknown => {
            eprintln!("xtask has no command `{unknown}`; `cargo xtask --help` lists what there is");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask {command}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
