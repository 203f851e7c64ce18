//! pearGPT on the site, beside candle's plain layers in the same browser.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::page::{Bench, open_anew, wait_until};
use crate::reader::Reader;
use crate::samples::Figures;
use crate::targets::{CANDLE, DECODE, FIRST_TOKEN, PEARGPT};
use crate::{paste, threads, words};

const BENCH: Bench = Bench { engine: PEARGPT, model: "peargpt", prompt_tokens: 64, tokens: 128 };

/// Where the page that runs candle lies on the server.
const CANDLES_PAGE: &str = "candle/";

/// A reader of a site that has candle's page too.
pub struct PearGpt(Reader);

impl PearGpt {
    /// Serves what `cargo xtask bench` has built of `benches/candle` into `built`.
    pub async fn new(built: &Path) -> Result<Self> {
        let (reader, page) = (Reader::new().await?, Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/candle"));
        for (folder, name) in
            [(page.as_path(), "index.html"), (&page, "worker.js"), (built, "candle.js"), (built, "candle_bg.wasm")]
        {
            let path = folder.join(name);
            let file = std::fs::read(&path)
                .with_context(|| format!("{} is missing; `cargo xtask bench` builds it", path.display()))?;
            reader.server.put(&format!("{CANDLES_PAGE}{name}"), file);
        }
        Ok(PearGpt(reader))
    }

    /// One round.
    pub async fn round(&self, figures: &mut Figures) -> Result<()> {
        BENCH.run(&self.0, figures).await?;
        threads::round(&self.0, BENCH.model, (64, 128), figures).await?;
        self.candle(figures).await?;
        words::round(figures).await?;
        paste::run(figures).await
    }

    /// What [`BENCH`] does, by candle.
    async fn candle(&self, figures: &mut Figures) -> Result<()> {
        eprintln!("  {CANDLE}");
        let Bench { model, prompt_tokens, tokens, .. } = BENCH;
        let query = format!("model={model}&prompt_tokens={prompt_tokens}&tokens={tokens}");
        open_anew(&self.0.browser, &self.0.server.url(&format!("{CANDLES_PAGE}index.html?{query}"))).await?;
        let result = wait_until(&self.0.browser, "window.result").await?;
        if let Some(error) = result.get("error") {
            bail!("candle's page failed: {error}");
        }
        let number = |name: &str| result[name].as_f64().with_context(|| format!("candle's page gave no {name}"));
        figures.add(CANDLE, DECODE, number("decode_tokens_per_second")?);
        figures.add(CANDLE, FIRST_TOKEN, number("prefill_ms")?);
        self.0.browser.open("about:blank").await
    }
}
