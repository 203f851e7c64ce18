//! `cargo xtask dist --model`: the built site with a model as its home.

use anyhow::{Result, bail};

use crate::run::{command, root, run};
use crate::site;

/// Arguments of the program that publishes: those with a value, and those without.
const VALUES: [&str; 6] = ["--model", "--title", "--sentence", "--prompt", "--defaults", "--out"];
const SWITCHES: [&str; 2] = ["--others", "--zip"];

/// What is asked for.
#[derive(Debug, Default, PartialEq)]
struct Arguments {
    /// Of the program that publishes.
    publish: Vec<String>,
    /// Of `trunk build`.
    trunk: Vec<String>,
    /// `dist/` is taken as it is.
    skip_build: bool,
}

/// Builds the site, and publishes a model with it where one is named.
pub fn dist(words: &[String]) -> Result<()> {
    let arguments = Arguments::parse(words)?;
    if !arguments.skip_build {
        site::dist(&arguments.trunk)?;
    }
    if arguments.publish.is_empty() {
        return Ok(());
    }
    let dist = root().join("dist");
    eprintln!("xtask: building the program that publishes (minutes the first time)");
    // It hashes and copies; the profile of the tests is fast enough for that.
    let manifest = root().join("Cargo.toml");
    let mut publish = command("cargo", &["run", "--quiet", "--bin", "publish", "--manifest-path"]);
    publish.arg(manifest).arg("--").args(&arguments.publish).arg("--site").arg(&dist);
    if !arguments.has("--zip") && !arguments.has("--out") {
        publish.arg("--out").arg(&dist);
    }
    // Where the reader is, so that relative paths are theirs.
    publish.current_dir(std::env::current_dir()?);
    run(publish)
}

impl Arguments {
    /// Before minutes of building.
    fn parse(words: &[String]) -> Result<Self> {
        let (mut arguments, mut words) = (Arguments::default(), words.iter());
        while let Some(word) = words.next() {
            let name = word.split('=').next().unwrap_or(word);
            match word.as_str() {
                "--skip-build" => arguments.skip_build = true,
                _ if SWITCHES.contains(&word.as_str()) => arguments.publish.push(word.clone()),
                _ if VALUES.contains(&name) => {
                    arguments.publish.push(word.clone());
                    if name == word {
                        arguments.publish.extend(words.next().cloned());
                    }
                }
                _ => arguments.trunk.push(word.clone()),
            }
        }
        for needed in ["--model", "--title"] {
            if !arguments.publish.is_empty() && !arguments.has(needed) {
                bail!("a model is published with `--model FILE.gguf --title TEXT`; there is no `{needed}`");
            }
        }
        if arguments.skip_build && arguments.publish.is_empty() {
            bail!("`--skip-build` takes dist/ as it is to publish a model, which `--model` names");
        }
        Ok(arguments)
    }

    fn has(&self, name: &str) -> bool {
        self.publish.iter().any(|word| word.split('=').next() == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, String> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        Arguments::parse(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        assert_eq!(parse(&[]), Ok(Arguments::default()));
        let trunk = Arguments { trunk: vec!["--release".into()], ..Arguments::default() };
        assert_eq!(parse(&["--release"]), Ok(trunk));
        let words = ["--model", "a.gguf", "--title=My --zip", "--zip"];
        let publish = words.map(String::from).to_vec();
        assert_eq!(parse(&words), Ok(Arguments { publish: publish.clone(), ..Arguments::default() }));
        let all = [&words[..], &["--skip-build"]].concat();
        assert_eq!(parse(&all), Ok(Arguments { publish, skip_build: true, ..Arguments::default() }));
    }

    #[test]
    fn what_is_missing_is_named_before_anything_is_built() {
        for (words, part) in [
            (&["--model", "a.gguf"][..], "no `--title`"),
            (&["--title", "A", "--zip"], "no `--model`"),
            (&["--skip-build"], "`--model` names"),
        ] {
            let error = parse(words).unwrap_err();
            assert!(error.contains(part), "{words:?}: {error}");
        }
    }
}
