//! Makes a site whose home is one model, of a built site, as the page's export does; `cargo xtask dist --model` calls it.
#![cfg_attr(target_arch = "wasm32", no_main)]
#![cfg(not(target_arch = "wasm32"))]

mod output;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use peargpt::app::catalog::{self, Entry, GGUF, sha256};
use peargpt::app::protocol::Publication;
use peargpt::app::publish::document::{APP, MANIFEST, MODULES, TEMPLATE};
use peargpt::app::publish::served::{Served, ServedHasher};
use peargpt::app::publish::website::{CATALOG, Contents, Release, SiteFile, check_texts, find, website, zip_name};
use peargpt::app::release::File;
use peargpt::app::settings::unescaped;
use peargpt::app::site::Site;
use peargpt::checkpoint::import::{self, Answers, Inspection, Named};
use peargpt::model::Config;

/// Make a website of a model, as the page's export does.
#[derive(Parser)]
struct Arguments {
    /// The model: a GGUF file, or a name of the site's catalog.
    #[arg(long, value_name = "FILE.gguf or NAME")]
    model: String,
    /// The site's title.
    #[arg(long)]
    title: String,
    /// What the site is.
    #[arg(long, default_value = "")]
    sentence: String,
    /// A prompt to start from, in which `\n` is a line end; can be repeated.
    #[arg(long = "prompt", value_name = "TEXT")]
    prompts: Vec<String>,
    /// Settings with which it begins, as an address has them.
    #[arg(long, value_name = "words=100&temperature=0.5", default_value = "")]
    defaults: String,
    /// Offer the other models of the site, too.
    #[arg(long)]
    others: bool,
    /// Write a zip file instead of a folder.
    #[arg(long)]
    zip: bool,
    /// Where to: a folder, which is replaced, or the zip file [default: named by the title, here].
    #[arg(long, required_unless_present = "zip")]
    out: Option<PathBuf>,
    /// The built site.
    #[arg(long, value_name = "DIR", default_value = "dist")]
    site: PathBuf,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(said) => {
            eprintln!("publish: {said}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("publish: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Arguments) -> Result<String, String> {
    let Arguments { model, title, sentence, prompts, defaults, others, zip, out, site } = arguments;
    let files: Vec<File> = serde_json::from_str(&text(&site.join(MANIFEST))?).map_err(|error| at(&site, error))?;
    let named = |name| {
        let file = find(&files, name).map_err(told)?;
        text(&site.join(&file.path))
    };
    let catalog = catalog::parse(&named(CATALOG)?).map_err(told)?;
    let (template, app) = (named(TEMPLATE)?, named(APP)?);
    let modules = [named(MODULES[0])?, named(MODULES[1])?];
    let prompts = prompts.iter().map(|prompt| unescaped(prompt)).collect();
    let asked = Publication { title, sentence, prompts, defaults, others };
    check_texts(&asked).map_err(told)?;
    let name = model;
    let (known, model) = read_model(&name, &site, &catalog)?;
    let served = served(known, &model);
    let home = served.entry(known, &config(&name, &model)?, asked.title.trim()).map_err(told)?;
    let modules = [modules[0].as_str(), &modules[1]];
    let release = Release { files: &files, template: &template, app: &app, modules, catalog: &catalog };
    let made = website(&release, &home, &asked, Site::check).map_err(told)?;
    let contents = made.into_iter().map(|file| read(file, &site, &served, &model));
    match zip {
        true => output::zip(&out.unwrap_or_else(|| zip_name(&asked.title).into()), contents),
        false => output::folder(&out.unwrap_or_default(), contents),
    }
}

/// The model's file, and its entry where a catalog's was named.
fn read_model<'a>(name: &str, site: &Path, catalog: &'a [Entry]) -> Result<(Option<&'a Entry>, Vec<u8>), String> {
    let Some(entry) = catalog.iter().find(|entry| entry.id == name) else {
        return Ok((None, bytes(Path::new(name))?));
    };
    if entry.format != GGUF {
        return Err(format!("the site does not have the file of `{name}`; give its GGUF file as --model"));
    }
    let parts = entry.parts.iter().map(|part| bytes(&site.join("weights").join(&part.url)));
    Ok((Some(entry), parts.collect::<Result<Vec<_>, _>>()?.concat()))
}

fn served(known: Option<&Entry>, model: &[u8]) -> Served {
    let mut hasher = ServedHasher::new(known, model.len() as u64);
    hasher.update(model);
    hasher.finish()
}

fn config(name: &str, model: &[u8]) -> Result<Config, String> {
    let mut files = [Named { name: name.to_string(), reader: Cursor::new(model) }];
    match import::inspect(&mut files, &Answers::default()).map_err(|error| error.sentence())? {
        Inspection::Ready(info) if info.as_it_stands().is_some() => Ok(info.config),
        _ => {
            Err("the model is no GGUF file that runs as it is; `convert FILES --out model.gguf` makes one".to_string())
        }
    }
}

/// A file of the site: its path, its contents and their CRC-32.
fn read(
    SiteFile { path, contents }: SiteFile,
    site: &Path,
    served: &Served,
    model: &[u8],
) -> Result<(String, Vec<u8>, u32), String> {
    let bytes = match contents {
        Contents::Bytes(bytes) => bytes,
        Contents::Slice(index) => {
            let start = served.parts[..index].iter().map(|part| part.bytes as usize).sum();
            model[start..][..served.parts[index].bytes as usize].to_vec()
        }
        Contents::Release { path, sha256: expected } => {
            let path = site.join(path);
            let bytes = bytes(&path)?;
            match sha256(&bytes) == expected {
                true => bytes,
                false => return Err(at(&path, "it is not the file that was built; build the site again")),
            }
        }
    };
    let crc = crc32fast::hash(&bytes);
    Ok((path, bytes, crc))
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| at(path, error))
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| at(path, error))
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// An error message with the name of the file.
fn at(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
