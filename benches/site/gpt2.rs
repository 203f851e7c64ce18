//! GPT-2's shape on the site, with random weights, in turn with its rivals.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use peargpt::app::{catalog, publish};

use crate::page::Bench;
use crate::reader::Reader;
use crate::release;
use crate::rivals::Peers;
use crate::samples::Figures;
use crate::server::{Server, dist};
use crate::targets::{GPT2, GPT2_LATE, GPT2_LONG};
use crate::threads;

const ID: &str = "gpt2";

const SHORT: Bench = Bench { engine: GPT2, model: ID, prompt_tokens: 64, tokens: 64 };
const LONG: Bench = Bench { engine: GPT2_LONG, model: ID, prompt_tokens: 512, tokens: 8 };
/// To position 1,020.
const LATE: Bench = Bench { engine: GPT2_LATE, model: ID, prompt_tokens: 970, tokens: 50 };

/// A reader whose browser has GPT-2 in its storage.
pub struct Gpt2(Reader);

impl Gpt2 {
    /// Fetches it once, from a site that hosts what `cargo xtask gpt2 --random 1 --into FOLDER` made.
    pub async fn stored(folder: &Path) -> Result<Self> {
        let reader = Reader::new().await?;
        host(&reader.server, &dist(), folder).with_context(|| format!("{} holds no GPT-2", folder.display()))?;
        eprintln!("GPT-2 into the browser's storage");
        // Not counted: its model came over the network.
        SHORT.run(&reader, &mut Figures::default()).await?;
        Ok(Gpt2(reader))
    }

    /// One round: the longer prompts, then what they and the rivals are compared with, then the rivals.
    pub async fn round(&self, peers: Option<&Peers>, figures: &mut Figures) -> Result<()> {
        LONG.run(&self.0, figures).await?;
        LATE.run(&self.0, figures).await?;
        SHORT.run(&self.0, figures).await?;
        threads::round(&self.0, ID, (64, 128), figures).await?;
        threads::round(&self.0, ID, (512, 8), figures).await?;
        if let Some(peers) = peers {
            peers.round(figures);
        }
        Ok(())
    }
}

/// Adds the model of a catalog's folder to those of a built site, where that is served. Returns the names of its files.
pub fn host(server: &Server, site: &Path, folder: &Path) -> Result<Vec<String>> {
    const CATALOG: &str = "weights/catalog.json";
    let read = |path: PathBuf| Ok(catalog::parse(&fs::read_to_string(path)?)?);
    let entries: Result<Vec<_>> = read(folder.join("catalog.json"));
    let entry = entries?.into_iter().find(|entry| entry.id == ID).context("its catalog does not list it")?;
    let files: Vec<String> = entry.parts.iter().map(|part| format!("weights/{}", part.url)).collect();
    for (part, file) in entry.parts.iter().zip(&files) {
        server.put(file, fs::read(folder.join(&part.url))?);
    }
    let sites: Result<Vec<_>> = read(site.join(release::path(site, CATALOG)));
    server.put(CATALOG, serde_json::to_vec(&publish::with_entry(sites?, entry))?);
    Ok(files)
}
