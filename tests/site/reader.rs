//! A reader in front of the site: what one does with a page, and what one sees of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use thirtyfour::prelude::*;

use crate::browser::{Browser, Engine, PATIENCE, Scheme};
use crate::server::Server;

/// The weights of pearGPT: the only part of its file, as long as that is below 16 MiB.
pub const WEIGHTS: &str = "weights/peargpt.gguf";

/// A server of the site's own and a browser that has never seen it.
pub struct Reader {
    /// The server.
    pub server: Server,
    /// The browser.
    pub browser: Browser,
}

/// What the page showed at one moment of a run.
#[derive(Debug, Deserialize)]
pub struct Change {
    /// `data-state` of the status line.
    pub state: String,
    /// Length of the text, the prompt included.
    pub length: u64,
    /// Numbers of the `stats`.
    pub tokens: i64,
    pub forwarded_rows: i64,
    pub window_crossings: i64,
    pub memory: i64,
}

/// Notes down every change of the numbers: a test that looks now and then would miss some.
const WATCH: &str = "
    const [stats, output, status] =
        ['stats', 'output', 'status'].map((name) => document.querySelector(`[data-testid=${name}]`));
    window.changes = [];
    new MutationObserver(() => {
        const { tokens, forwardedRows, windowCrossings, wasmMemoryBytes } = stats.dataset;
        if (tokens === undefined) return;
        window.changes.push({
            state: status.dataset.state, length: output.textContent.length, tokens: +tokens, memory: +wasmMemoryBytes,
            forwarded_rows: +forwardedRows, window_crossings: +windowCrossings,
        });
    }).observe(stats, { attributes: true });";

impl Reader {
    /// A reader who has opened nothing yet. The page is told to try twice and to wait for hardly anything in between,
    /// so that no test waits for a real back-off, not to ask before it fetches GPT-2 from its own site, and to compute with
    /// one thread.
    pub async fn new() -> Result<Self> {
        Reader::of(Engine::Chromium, Scheme::Light).await
    }

    /// The same with a browser of this engine.
    pub async fn of(engine: Engine, scheme: Scheme) -> Result<Self> {
        let server = Server::start()?;
        server.rewrite("\"tries\":4", "\"tries\":2");
        server.rewrite("\"delay_ms\":1000", "\"delay_ms\":20");
        server.rewrite("\"stall_ms\":20000", "\"stall_ms\":2000");
        server.rewrite("\"again_ms\":30000", "\"again_ms\":0");
        server.rewrite("\"asks\":true", "\"asks\":false");
        // Tests run beside each other: who measures speeds, or needs several threads, says so.
        server.rewrite("peargpt:threads\" content=\"\"", "peargpt:threads\" content=\"1\"");
        let browser = Browser::of(engine, scheme).await?;
        if engine == Engine::Chromium {
            browser.allow_clipboard(&server.origin()).await?;
        }
        Ok(Reader { server, browser })
    }

    /// A reader who has opened this route.
    pub async fn at(route: &str) -> Result<Self> {
        let reader = Reader::new().await?;
        reader.open(route).await?;
        Ok(reader)
    }

    /// A reader whose pearGPT is ready.
    pub async fn ready() -> Result<Self> {
        let reader = Reader::at("#/peargpt").await?;
        reader.wait_for("ready").await?;
        Ok(reader)
    }

    /// Empties the browser's storage for weights, if anything is in it.
    pub async fn forget_stored(&self) -> Result<()> {
        let empty = "navigator.storage.getDirectory().then((root) => root.removeEntry('models', { recursive: true }))
            .catch((error) => { if (error.name !== 'NotFoundError') throw error; })";
        self.browser.promise(empty).await.map(drop)
    }

    /// Opens a route of the site.
    pub async fn open(&self, route: &str) -> Result<()> {
        self.browser.open(&self.server.url(route)).await
    }

    /// Clicks.
    pub async fn press(&self, testid: &str) -> Result<()> {
        let element = self.browser.find(testid).await?;
        element.click().await.with_context(|| format!("`{testid}` cannot be pressed"))
    }

    /// Replaces what is in a control. Through the page's own events: chromedriver types no characters past U+FFFF.
    pub async fn fill(&self, testid: &str, text: &str) -> Result<()> {
        self.browser.find(testid).await?;
        let script = format!(
            "const control = document.querySelector('[data-testid=\"{testid}\"]');
             control.value = {};
             for (const name of ['input', 'change']) control.dispatchEvent(new Event(name, {{ bubbles: true }}));",
            Value::from(text)
        );
        self.browser.script(&script).await.map(drop)
    }

    /// What is in a control.
    pub async fn value(&self, testid: &str) -> Result<String> {
        Ok(self.browser.find(testid).await?.prop("value").await?.unwrap_or_default())
    }

    /// The text of an element, byte for byte.
    pub async fn text(&self, testid: &str) -> Result<String> {
        self.browser.find(testid).await?;
        // At once: the page may draw the element anew between two questions.
        let script = format!("return document.querySelector('[data-testid=\"{testid}\"]')?.textContent ?? ''");
        Ok(self.browser.script(&script).await?.as_str().unwrap_or_default().to_string())
    }

    /// Whether an element is shown.
    pub async fn sees(&self, testid: &str) -> Result<bool> {
        let shown = self.browser.driver().query(By::Css(format!("[data-testid=\"{testid}\"]"))).nowait().any().await?;
        match shown.first() {
            Some(element) => Ok(element.is_displayed().await?),
            None => Ok(false),
        }
    }

    /// The text that has been written, the prompt included.
    pub async fn output(&self) -> Result<String> {
        self.text("output").await
    }

    /// Waits until something is written after the prompt, and returns all of it.
    pub async fn first_text(&self) -> Result<String> {
        self.browser.wait_until("+document.querySelector('[data-testid=stats]')?.dataset.tokens > 0").await?;
        self.output().await
    }

    /// A number of the `stats`, as `data-NAME` says it.
    pub async fn number(&self, name: &str) -> Result<f64> {
        let text = self.browser.find("stats").await?.attr(format!("data-{name}")).await?;
        let text = text.with_context(|| format!("`stats` has no data-{name}"))?;
        text.parse().with_context(|| format!("data-{name} is `{text}`, no number"))
    }

    /// The attribute `data-state` of the status line.
    pub async fn state(&self) -> Result<String> {
        Ok(self.browser.find("status").await?.attr("data-state").await?.unwrap_or_default())
    }

    /// Waits for a state; a failure that was not waited for ends the wait, with what the page says of it.
    pub async fn wait_for(&self, state: &str) -> Result<()> {
        let start = Instant::now();
        loop {
            let found = self.state().await?;
            if found == state {
                return Ok(());
            }
            if found == "failed" {
                bail!("waited for `{state}`, but the page failed: {}", self.text("error").await?);
            }
            if start.elapsed() > PATIENCE {
                bail!("waited {} s for `{state}`, the page is `{found}`", PATIENCE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the model can be asked, whether a text of this tab stands there or not.
    pub async fn wait_for_model(&self) -> Result<()> {
        let state = "document.querySelector('[data-testid=status]')?.dataset.state";
        self.browser.wait_until(&format!("['ready', 'done', 'stopped', 'failed'].includes({state})")).await?;
        match self.state().await?.as_str() {
            "failed" => bail!("the page failed: {}", self.text("error").await?),
            _ => Ok(()),
        }
    }

    /// Waits for the page to fail, and returns what it says.
    pub async fn failure(&self) -> Result<String> {
        self.wait_for("failed").await?;
        self.text("error").await
    }

    /// Has so many words written, and returns the text.
    pub async fn write(&self, words: u32) -> Result<String> {
        self.fill("words", &words.to_string()).await?;
        self.press("generate").await?;
        self.finish().await
    }

    /// Waits for the end of a run, and returns the text.
    pub async fn finish(&self) -> Result<String> {
        self.wait_for("done").await?;
        self.output().await
    }

    /// From now on notes down what the page shows, see [`changes`](Self::changes).
    pub async fn watch(&self) -> Result<()> {
        self.browser.script(WATCH).await.map(drop)
    }

    /// What the page has shown since [`watch`](Self::watch).
    pub async fn changes(&self) -> Result<Vec<Change>> {
        Ok(serde_json::from_value(self.browser.script("return window.changes").await?)?)
    }

    /// The part of the address after `#`, once the page has written `part` into it.
    pub async fn address_with(&self, part: &str) -> Result<String> {
        let expression = format!("location.hash.includes({}) && location.hash", Value::from(part));
        Ok(self.browser.wait_until(&expression).await?.as_str().unwrap_or_default().to_string())
    }

    /// Checks that pearGPT works, whatever has happened before.
    pub async fn expect_recovery(&self, prompt: &str) -> Result<()> {
        let text = self.write(3).await?;
        if !text.starts_with(prompt) || text.len() <= prompt.len() {
            bail!("expected `{prompt}` and more, found `{text}`");
        }
        Ok(())
    }
}
