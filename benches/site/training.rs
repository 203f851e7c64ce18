//! Steps of training in the tab, by threads; and the products of jax-js, a library that computes in WebAssembly too.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::page::{open_anew, wait_until};
use crate::reader::Reader;
use crate::samples::Figures;
use crate::targets::{JAX, LEARNED, MEMORY, PRODUCTS, SHAPES, training_of};

/// Steps of each of the shapes, half a minute's with one thread.
const STEPS: [u32; SHAPES.len()] = [8, 200];

/// The page's numbers once the run has ended, or what it says in their place.
const STATS: &str = "(() => {
    const find = (name) => document.querySelector(`[data-testid=${name}]`);
    const state = find('train-status')?.dataset.state;
    if (state === 'failed') return { failed: find('error')?.textContent };
    return state === 'done' && { ...find('train-stats').dataset };
})()";

/// Where jax-js's page lies on the server.
const PAGE: &str = "jax/";

/// Serves jax-js's page with its package in this folder of rivals.
pub fn host_jax(reader: &Reader, peers: &Path) -> Result<()> {
    let page = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/train/jax.html"))?;
    reader.server.put(&format!("{PAGE}index.html"), page);
    let package = peers.join("node_modules/@jax-js/jax/dist");
    for file in fs::read_dir(&package).with_context(|| format!("{} holds no jax-js", peers.display()))? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        reader.server.put(&format!("{PAGE}{name}"), fs::read(&path)?);
    }
    Ok(())
}

/// Measures jax-js's products once.
pub async fn jax(reader: &Reader, figures: &mut Figures) -> Result<()> {
    eprintln!("  {JAX}");
    open_anew(&reader.browser, &reader.server.url(&format!("{PAGE}index.html"))).await?;
    let result = wait_until(&reader.browser, "window.result").await?;
    let rate = result["all"].as_f64().with_context(|| format!("jax-js's page failed: {}", result["error"]))?;
    figures.add(JAX, PRODUCTS, rate);
    open_anew(&reader.browser, "about:blank").await
}

/// Characters of as many kinds as tiny Shakespeare has.
fn text() -> String {
    let character = |index: u32| char::from(b'A' + ((index.wrapping_mul(2_654_435_761) >> 16) % 65) as u8);
    (0..20_000).map(character).collect()
}

/// One round: each shape with one thread and with two, AdamW, without dropout.
pub async fn round(reader: &Reader, figures: &mut Figures) -> Result<()> {
    for ((shape, settings), steps) in SHAPES.iter().zip(STEPS) {
        for threads in [1, 2] {
            let name = training_of(shape, threads);
            eprintln!("  {name}");
            let route = format!("#/train?{settings}&learning_rate=0.001&dropout=0&steps={steps}&threads={threads}");
            open_anew(&reader.browser, &reader.server.url(&route)).await?;
            reader.fill("train-text", &text()).await?;
            wait_until(&reader.browser, "document.querySelector('[data-testid=train-estimate]')?.dataset.seconds")
                .await?;
            reader.press("train-start").await?;
            let stats = wait_until(&reader.browser, STATS).await?;
            ensure!(stats["failed"].is_null(), "training failed: {}", stats["failed"]);
            let number = |name: &str| -> Result<f64> {
                let text = stats[name].as_str().with_context(|| format!("the page shows no {name}"))?;
                Ok(text.parse()?)
            };
            figures.add(&name, LEARNED, number("tokensPerSecond")?);
            figures.add(&name, MEMORY, number("memory")? / 1e6);
            // A run that has ended is found again.
            open_anew(&reader.browser, "about:blank").await?;
        }
    }
    Ok(())
}
