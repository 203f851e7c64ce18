//! Two threads by one, in turn: the bench page, opened and run again until the browser has compiled what runs.

use anyhow::{Context, Result, ensure};

use crate::page::{number, open_anew, report, route};
use crate::reader::Reader;
use crate::samples::{Figures, Samples};
use crate::targets::{DECODE, FIRST_TOKEN, LOAD, threads_of};

/// Runs of the page, of which the last ones count.
const RUNS: usize = 5;
const COUNTED: usize = 3;

/// One round with a model and so many tokens of prompt, and of text.
pub async fn round(
    reader: &Reader,
    model: &str,
    (prompt_tokens, tokens): (u32, u32),
    figures: &mut Figures,
) -> Result<()> {
    for threads in [1, 2] {
        let name = threads_of(model, prompt_tokens, threads);
        eprintln!("  {name}");
        let route = format!("{}&threads={threads}", route(model, prompt_tokens, tokens));
        open_anew(&reader.browser, &reader.server.url(&route)).await?;
        let mut reports = vec![report(&reader.browser, prompt_tokens, tokens).await?];
        for _ in 1..RUNS {
            reader.browser.script("document.querySelector('[data-testid=run-again]').click()").await?;
            reports.push(report(&reader.browser, prompt_tokens, tokens).await?);
        }
        let found = number(&reports[0], "threads")?;
        ensure!(found == f64::from(threads), "expected {threads} threads, found {found}");
        figures.add(&name, LOAD, number(&reports[0], "load_ms")?);
        for (quantity, field) in [(DECODE, "decode_tokens_per_second"), (FIRST_TOKEN, "prefill_ms")] {
            let counted = reports[RUNS - COUNTED..].iter().map(|report| number(report, field));
            let samples: Samples = counted.collect::<Result<_>>()?;
            figures.add(&name, quantity, samples.median().context("nothing was measured")?);
        }
        open_anew(&reader.browser, "about:blank").await?;
    }
    Ok(())
}
