//! The site: Trunk builds it, `finish` ends each build.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::{command, root, run};
use crate::tools;

/// Where Trunk leaves it.
pub const DIST: &str = "dist";

/// Builds and serves the site, again after each change.
pub fn serve(arguments: &[String]) -> Result<()> {
    tools::ensure_build_tools()?;
    eprintln!(
        "xtask: building the site in release mode (minutes the first time), then serving it on http://localhost:8080"
    );
    run(trunk("serve", arguments))
}

/// Builds the site into `dist/`.
pub fn dist(arguments: &[String]) -> Result<()> {
    tools::ensure_build_tools()?;
    eprintln!("xtask: building the site in release mode (minutes the first time)");
    run(trunk("build", arguments))?;
    let (files, bytes) = measure(&root().join(DIST)).context("dist/ cannot be read")?;
    eprintln!("xtask: dist/ is ready: {files} files, {:.1} MB; any static server can serve it", bytes as f64 / 1e6);
    Ok(())
}

fn trunk(verb: &str, arguments: &[String]) -> Command {
    let mut trunk = command("trunk", &[verb]);
    trunk.args(arguments).env("TRUNK_SKIP_VERSION_CHECK", "true");
    // Trunk refuses the usual `NO_COLOR=1`: it takes only `true`.
    if std::env::var_os("NO_COLOR").is_some() {
        trunk.env_remove("NO_COLOR").env("TRUNK_COLOR", "never");
    }
    trunk
}

/// Number and total length of the files under a folder.
fn measure(folder: &Path) -> std::io::Result<(usize, u64)> {
    fs::read_dir(folder)?.try_fold((0, 0), |(files, bytes), entry| {
        let entry = entry?;
        let (more_files, more_bytes) = match entry.metadata()? {
            metadata if metadata.is_dir() => measure(&entry.path())?,
            metadata => (1, metadata.len()),
        };
        Ok((files + more_files, bytes + more_bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_the_document_names_is_watched() {
        let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
        let (html, trunk) = (read("index.html"), read("Trunk.toml"));
        let watched = trunk.split_once("watch = [").unwrap().1.split_once(']').unwrap().0;
        let tags = html.split("data-trunk").skip(1).filter_map(|tag| tag.split('>').next()?.split("href=\"").nth(1));
        let named: Vec<&str> = tags.filter_map(|href| href.split(['/', '"']).next()).collect();
        assert!(named.len() > 20, "{named:?}");
        for name in named.into_iter().chain(["src", "index.html", "Cargo.toml"]) {
            assert!(watched.contains(&format!("\"{name}\"")), "{name} is not watched");
        }
    }
}
