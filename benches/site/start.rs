//! How slow a start is, in each browser engine: a page that has just been opened computes while the browser still compiles.
//! The bench page is opened anew, and then run again for what comes later.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::browser::{Engine, Scheme};
use crate::fault::Fault;
use crate::page::{number, open_anew, report, route};
use crate::reader::Reader;
use crate::samples::{Figures, Samples};
use crate::targets::{COLD_PROMPT, COLD_TOKEN, ENGINES, WARM_PROMPT, WARM_TOKEN, start_of};

const PROMPT: u32 = 64;
const TOKENS: u32 = 128;
/// Of each file of weights; two arrive at a time.
const BYTES_PER_SECOND: usize = 100_000_000 / 8;
/// Further runs of the page: the first ones may still be slow, the median of the others counts.
const RUNS: usize = 8;
const COUNTED: usize = 5;

/// Each engine's browser has never seen the site, and the weights arrive over a line of 100 Mbit/s: what a browser can do
/// meanwhile counts. `host` has the site serve the model, and names its files.
pub async fn round(model: &str, host: impl Fn(&Reader) -> Result<Vec<String>>, figures: &mut Figures) -> Result<()> {
    for (engine, name) in [Engine::Chromium, Engine::Firefox, Engine::WebKit].into_iter().zip(ENGINES) {
        let start = start_of(model, name);
        eprintln!("  {start}");
        let reader = Reader::of(engine, Scheme::Light).await?;
        for file in host(&reader)? {
            reader.server.always(&file, Fault::Slow(BYTES_PER_SECOND));
        }
        open_anew(&reader.browser, &reader.server.url(&route(model, PROMPT, TOKENS))).await?;
        let (cold, warm) = (report(&reader.browser, PROMPT, TOKENS).await?, later(&reader).await?);
        let median = |name: &str| {
            let samples: Result<Samples> = warm.iter().map(|report| number(report, name)).collect();
            samples?.median().context("nothing was measured")
        };
        figures.add(&start, COLD_TOKEN, number(&cold, "decode_start_ms")?);
        figures.add(&start, WARM_TOKEN, median("decode_ms_p50")?);
        figures.add(&start, COLD_PROMPT, number(&cold, "prefill_ms")?);
        figures.add(&start, WARM_PROMPT, median("prefill_ms")?);
    }
    Ok(())
}

/// The reports of later runs of the page that is open.
async fn later(reader: &Reader) -> Result<Vec<Value>> {
    let mut reports = Vec::new();
    for _ in 0..RUNS {
        reader.browser.script("document.querySelector('[data-testid=run-again]').click()").await?;
        reports.push(report(&reader.browser, PROMPT, TOKENS).await?);
    }
    Ok(reports.split_off(RUNS - COUNTED))
}
