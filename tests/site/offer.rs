//! GPT-2 as a reader meets it whose site does not host it: offered, and fetched from the hub on their word.

use peargpt::app::catalog::sha256;

use crate::browser::Browser;
use crate::model::{Gpt2, SMALL};
use crate::reader::Reader;
use crate::server::Server;
use crate::weights::{stored, verified};

/// Bytes between two checkpoints; the page's own are 8 MiB.
pub const CHECKPOINT: usize = 64 << 10;

/// A site that does not host GPT-2, a hub that does, and a reader.
pub struct Hub {
    /// Whoever is offered it.
    pub reader: Reader,
    /// The other origin.
    pub hub: Server,
    /// What is on it.
    pub model: Gpt2,
}

impl Hub {
    /// Nothing is opened yet.
    pub async fn new() -> Hub {
        Hub::of(Reader::new().await.unwrap())
    }

    /// The same for a reader who has opened nothing yet.
    pub fn of(reader: Reader) -> Hub {
        let (hub, model) = (Server::start().unwrap(), Gpt2::random(SMALL, 7));
        model.publish(&reader.server, &hub);
        reader.server.rewrite("\"checkpoint_bytes\":8388608", &format!("\"checkpoint_bytes\":{CHECKPOINT}"));
        Hub { reader, hub, model }
    }

    /// The reader has been asked.
    pub async fn asking() -> Hub {
        let hub = Hub::new().await;
        hub.ask().await;
        hub
    }

    /// Nothing counts as stalled while the test runs.
    pub fn never_stalls(&self) {
        self.reader.server.rewrite("\"stall_ms\":2000", "\"stall_ms\":600000");
    }

    /// Opens the page, which asks.
    pub async fn ask(&self) {
        self.reader.open("#/gpt2").await.unwrap();
        self.reader.wait_for("asking").await.unwrap();
    }

    /// Opens the page anew, and lets it fetch.
    pub async fn fetch_anew(&self) {
        self.reader.browser.driver().refresh().await.unwrap();
        self.reader.wait_for("asking").await.unwrap();
        self.reader.press("fetch").await.unwrap();
    }

    /// The model is ready and writes; stored is what `convert` makes, and nothing else.
    pub async fn expect_kept(&self) {
        self.reader.wait_for_model().await.unwrap();
        self.reader.expect_recovery("").await.unwrap();
        let files = verified(&self.reader.browser).await.unwrap();
        assert_eq!(files.len(), 1, "{files:?}");
        assert_eq!(files[0].sha256, sha256(&self.model.gguf), "the bytes that `convert` writes");
        assert_eq!(stored(&self.reader.browser).await.unwrap().len(), 2, "the file and its record");
    }

    /// Lets it come, and pauses it once so many bytes are here.
    pub async fn pause_behind(&self, bytes: usize) {
        let received = "+document.querySelector('[data-testid=progress]').dataset.received";
        self.reader.browser.wait_until(&format!("{received} > {bytes}")).await.unwrap();
        self.reader.press("pause").await.unwrap();
        self.reader.wait_for("paused").await.unwrap();
    }

    /// Nothing of a stream is left.
    pub async fn expect_no_draft(&self) {
        let files = stored(&self.reader.browser).await.unwrap();
        assert!(!files.iter().any(|file| file.name.starts_with("draft")), "{files:?}");
    }

    /// Bytes of the stream that the page has taken, the two texts not counted.
    pub async fn taken(browser: &Browser, texts: usize) -> usize {
        let received = "+(document.querySelector('[data-testid=progress]')?.dataset.received ?? 0)";
        let received = browser.script(&format!("return {received}")).await.unwrap();
        (received.as_f64().unwrap() as usize).saturating_sub(texts)
    }

    /// Bytes of the two texts that come before the stream.
    pub fn texts(&self) -> usize {
        ["vocab.json", "merges.txt"].map(|name| self.hub.sent(name)[0].bytes).iter().sum()
    }
}
