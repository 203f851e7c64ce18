//! A large text that is pasted over another one: into the prompt of pearGPT's page, and into a bare text area.

use anyhow::{Context, Result};
use serde_json::Value;
use thirtyfour::prelude::*;

use crate::page::{open_anew, wait_for, wait_until};
use crate::reader::Reader;
use crate::samples::Figures;
use crate::targets::{BARE, BUSY, PASTE};

/// Lines of a text, 26 characters each.
const LINES: usize = 40_000;

/// A page of a text area alone.
const BARE_PAGE: &str =
    "<!doctype html><title>bare</title><textarea data-testid=prompt rows=4 spellcheck=false></textarea>";

/// Adds up from the last key on how long the page's thread is busy, and notes down when it last was.
const WATCH: &str = "
    window.watched = { begun: Infinity, busy: 0, last: 0, inputs: 0 };
    new PerformanceObserver((list) => {
        for (const { startTime, duration } of list.getEntries()) {
            if (startTime + duration < watched.begun) continue;
            watched.busy += duration;
            watched.last = performance.now();
        }
    }).observe({ type: 'longtask' });
    addEventListener('keydown', () => {
        Object.assign(watched, { begun: performance.now(), busy: 0, last: performance.now() });
    }, { capture: true });
    addEventListener('input', () => watched.inputs++, { capture: true });";

/// One run, in a browser of its own.
pub async fn run(figures: &mut Figures) -> Result<()> {
    let reader = Reader::new().await?;
    reader.browser.before_every_page(WATCH).await?;
    reader.server.put("bare.html", BARE_PAGE.into());
    for (engine, path) in [(PASTE, "#/peargpt"), (BARE, "bare.html")] {
        eprintln!("  {engine}");
        open_anew(&reader.browser, &reader.server.url(path)).await?;
        if engine == PASTE {
            wait_for(&reader.browser, "ready").await?;
        }
        paste(&reader, 1).await?;
        figures.add(engine, BUSY, paste(&reader, 2).await?);
    }
    Ok(())
}

/// Pastes a text over what stands there; milliseconds in which the page's thread was busy.
async fn paste(reader: &Reader, number: usize) -> Result<f64> {
    let line = Value::from(format!("Line of the {number}. long text.\n"));
    let write = format!("navigator.clipboard.writeText({line}.repeat({LINES}))");
    reader.browser.promise(&write).await?;
    let area = reader.browser.find("prompt").await?;
    area.send_keys(Key::Control + "a").await?;
    area.send_keys(Key::Control + "v").await?;
    let over = format!("watched.inputs === {number} && performance.now() > watched.last + 1000 && watched");
    let watched = wait_until(&reader.browser, &over).await?;
    watched["busy"].as_f64().with_context(|| format!("the page noted nothing: {watched}"))
}
