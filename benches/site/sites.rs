//! Two built sites, each on a port of its own, met by one browser.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::browser::Browser;
use crate::page::{open_anew, report, route, wait_until};
use crate::server::Server;

/// Notes down when the model is ready, from the address on.
const WATCH: &str = "
    new MutationObserver((_, observer) => {
        if (document.querySelector('[data-testid=status]')?.dataset.state !== 'ready') return;
        observer.disconnect();
        window.ready = performance.now();
    }).observe(document, { subtree: true, childList: true, attributes: true });";

/// Or what keeps it from being so.
const READY: &str = "window.ready
    || (document.querySelector('[data-testid=status]')?.dataset.state === 'failed'
        && document.querySelector('[data-testid=error]')?.textContent)";

/// A built site, and the browser.
pub struct Site {
    /// Where it lies.
    pub folder: PathBuf,
    /// What serves it.
    pub server: Server,
    browser: Rc<Browser>,
}

impl Site {
    /// Serves a folder.
    pub fn new(folder: &Path, browser: &Rc<Browser>) -> Result<Self> {
        let (folder, browser) = (folder.to_path_buf(), Rc::clone(browser));
        let server = Server::of(folder.clone())?;
        // Nobody is there who could agree to a download.
        server.rewrite("\"asks\":true", "\"asks\":false");
        Ok(Site { server, folder, browser })
    }

    /// A browser that notes down when a page's model is ready.
    pub async fn browser() -> Result<Rc<Browser>> {
        let browser = Browser::start().await?;
        browser.before_every_page(WATCH).await?;
        Ok(Rc::new(browser))
    }

    /// The bench page's report of a prompt and of tokens after it, in a new document.
    pub async fn bench(&self, model: &str, prompt_tokens: u32, tokens: u32) -> Result<Value> {
        open_anew(&self.browser, &self.server.url(&route(model, prompt_tokens, tokens))).await?;
        report(&self.browser, prompt_tokens, tokens).await
    }

    /// The same in the document that is open, by the model that it has loaded. One of the two numbers must be another
    /// than the last time: the same address is no change.
    pub async fn bench_again(&self, model: &str, prompt_tokens: u32, tokens: u32) -> Result<Value> {
        let route = Value::from(route(model, prompt_tokens, tokens));
        self.browser.script(&format!("location.hash = {route}")).await?;
        report(&self.browser, prompt_tokens, tokens).await
    }

    /// Opens a page that writes in a new document; milliseconds until its model is ready.
    pub async fn ready(&self, route: &str) -> Result<f64> {
        open_anew(&self.browser, &self.server.url(route)).await?;
        let found = wait_until(&self.browser, READY).await?;
        found.as_f64().with_context(|| format!("the page failed: {found}"))
    }

    /// Runs something in the page that is open.
    pub async fn run(&self, expression: &str) -> Result<Value> {
        self.browser.promise(expression).await
    }

    /// Leaves an empty page behind.
    pub async fn leave(&self) -> Result<()> {
        self.browser.open("about:blank").await
    }
}
