//! The site's own bench page, and waiting for a page without disturbing it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::browser::Browser;
use crate::reader::Reader;
use crate::samples::Figures;
use crate::targets::{DECODE, FIRST_TOKEN, FLOOR, LOAD, MEMORY};

/// What a measurement takes at most.
const LONGEST: Duration = Duration::from_secs(600);

/// One run of the bench page.
pub struct Bench {
    /// What the figures are noted down as.
    pub engine: &'static str,
    /// The catalog's id.
    pub model: &'static str,
    /// Tokens that are read at once.
    pub prompt_tokens: u32,
    /// Tokens that are decoded after them.
    pub tokens: u32,
}

impl Bench {
    /// Loads the page and the model anew, measures, and leaves an empty page behind.
    pub async fn run(&self, reader: &Reader, figures: &mut Figures) -> Result<()> {
        let Bench { engine, model, prompt_tokens, tokens } = self;
        eprintln!("  {engine}");
        open_anew(&reader.browser, &reader.server.url(&route(model, *prompt_tokens, *tokens))).await?;
        let report = report(&reader.browser, *prompt_tokens, *tokens).await?;
        reader.browser.open("about:blank").await?;
        let number = |name: &str| number(&report, name);
        figures.computed_by(report["backend"].as_str().unwrap_or_default());
        figures.add(engine, DECODE, number("decode_tokens_per_second")?);
        figures.add(engine, FIRST_TOKEN, number("prefill_ms")?);
        figures.add(engine, FLOOR, number("parameters")? / number("read_gb_per_second")? / 1e6);
        figures.add(engine, LOAD, number("load_ms")?);
        figures.add(engine, MEMORY, number("wasm_memory_bytes")? / 1e6);
        Ok(())
    }
}

/// The bench page's route.
pub fn route(model: &str, prompt_tokens: u32, tokens: u32) -> String {
    format!("#/bench?model={model}&prompt_tokens={prompt_tokens}&tokens={tokens}")
}

/// What the bench page says of so many tokens, once it does: a report of others may still stand there.
pub async fn report(browser: &Browser, prompt_tokens: u32, tokens: u32) -> Result<Value> {
    let until = format!(
        "(() => {{
            const find = (name) => document.querySelector(`[data-testid=${{name}}]`);
            const state = find('status')?.dataset.state;
            if (state === 'failed') return {{ failed: find('error')?.textContent }};
            if (state !== 'done') return;
            const report = JSON.parse(find('bench-json')?.textContent ?? 'null');
            return report?.prefill_tokens === {prompt_tokens} && report.decode_tokens === {tokens} && report;
        }})()"
    );
    let report = wait_until(browser, &until).await?;
    match report.get("failed") {
        Some(said) => bail!("the bench page failed: {said}"),
        None => Ok(report),
    }
}

/// A number of the bench page's report.
pub fn number(report: &Value, name: &str) -> Result<f64> {
    report[name].as_f64().with_context(|| format!("the bench's report has no {name}"))
}

/// Opens an address in a new document: another part after `#` alone loads nothing.
pub async fn open_anew(browser: &Browser, url: &str) -> Result<()> {
    browser.open("about:blank").await?;
    browser.open(url).await
}

/// Waits for a state of the status line. The page itself looks for it, now and then, so that nothing else runs
/// meanwhile; a failure ends the wait, with what the page says of it.
pub async fn wait_for(browser: &Browser, state: &str) -> Result<()> {
    let until = format!(
        "(() => {{
            const found = document.querySelector('[data-testid=status]')?.dataset.state;
            return [{}, 'failed'].includes(found) && found;
        }})()",
        Value::from(state)
    );
    let found = wait_until(browser, &until).await?;
    if found != state {
        let said = browser.script("return document.querySelector('[data-testid=error]')?.textContent").await?;
        bail!("waited for `{state}`, but the page failed: {said}");
    }
    Ok(())
}

/// Waits until an expression is truthy, as [`wait_for`] does, and returns its value. In pieces, since the driver's
/// client gives up on an answer that takes two minutes.
pub async fn wait_until(browser: &Browser, expression: &str) -> Result<Value> {
    let piece = format!(
        "new Promise((resolve) => {{
            const begun = performance.now();
            const look = () => {{
                const found = {expression};
                if (found || performance.now() > begun + 20000) resolve(found); else setTimeout(look, 50);
            }};
            look();
        }})"
    );
    let start = Instant::now();
    while start.elapsed() < LONGEST {
        let found = browser.promise(&piece).await?;
        if found != Value::Null && found != false {
            return Ok(found);
        }
    }
    bail!("waited {} s in vain for `{expression}`", LONGEST.as_secs())
}
