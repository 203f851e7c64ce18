//! A first visit to pearGPT's page over 10 Mbit/s, until its first token.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::browser::Browser;
use crate::link::Link;
use crate::page::wait_until;
use crate::samples::Figures;
use crate::server::dist;
use crate::targets::{MEGABYTES, NOT_TRANSFER, PLAIN_VISIT, SECONDS, VISIT};

const ROUTE: &str = "#/peargpt?words=1&seed=7&run=1";

/// Notes down when the first token is on the page.
const WATCH: &str = "
    new MutationObserver((_, observer) => {
        if (!(document.querySelector('[data-testid=stats]')?.dataset.tokens > 0)) return;
        observer.disconnect();
        window.first_token = performance.now();
    }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });";

/// One visit where text and programs come compressed, and one where nothing does.
pub async fn round(compressed: &Arc<BTreeMap<String, Vec<u8>>>, figures: &mut Figures) -> Result<()> {
    run(VISIT, Arc::clone(compressed), figures).await?;
    run(PLAIN_VISIT, Arc::default(), figures).await
}

async fn run(engine: &'static str, compressed: Arc<BTreeMap<String, Vec<u8>>>, figures: &mut Figures) -> Result<()> {
    eprintln!("  {engine}");
    let (seconds, sent) = first_token(&dist(), compressed).await?;
    figures.add(engine, SECONDS, seconds);
    figures.add(engine, NOT_TRANSFER, seconds - Link::seconds(sent));
    figures.add(engine, MEGABYTES, sent as f64 / 1e6);
    Ok(())
}

/// Seconds from the address to the first token, of a built site, and the bytes that came until then.
pub async fn first_token(site: &Path, compressed: Arc<BTreeMap<String, Vec<u8>>>) -> Result<(f64, usize)> {
    let (link, browser) = (Link::start(site, compressed)?, Browser::start().await?);
    browser.before_every_page(WATCH).await?;
    browser.open(&link.url(ROUTE)).await?;
    let first_token = wait_until(&browser, "window.first_token").await?;
    Ok((first_token.as_f64().context("the page's clock gave no number")? / 1000.0, link.sent()))
}
