//! What a page and its workers say to the console, in browsers whose driver does not tell. A script that the server puts
//! before the page listens; it hears no remark of the browser's own but those that are events as well.

use anyhow::Result;

use crate::browser::{Engine, Scheme};
use crate::reader::Reader;
use crate::server::Server;
use crate::worker::worker_that;

/// Hands everything grave to `hear`.
const LISTEN: &str = "
    for (const kind of ['warn', 'error']) {
        const plain = console[kind];
        console[kind] = (...what) => {
            hear(kind + ': ' + what.join(' '));
            plain.apply(console, what);
        };
    }
    addEventListener('error', (event) => hear('error: ' + (event.message ?? event.target.outerHTML)), true);
    addEventListener('unhandledrejection', (event) => hear('rejected: ' + event.reason));
    addEventListener('securitypolicyviolation', (event) => hear('refused: ' + event.blockedURI));";

/// What is heard outlives a reload.
const IN_THE_PAGE: &str = "
    const heard = JSON.parse(sessionStorage.getItem('heard') ?? '[]');
    const hear = (line) => {
        heard.push(line);
        sessionStorage.setItem('heard', JSON.stringify(heard));
    };
    new BroadcastChannel('heard').onmessage = ({ data }) => hear(data);";

const IN_A_WORKER: &str = "
    const channel = new BroadcastChannel('heard');
    const hear = (line) => channel.postMessage(line);";

impl Server {
    /// From now on this script runs before the page's own, in any browser.
    pub fn before_every_page(&self, script: &str) {
        const FILE: &str = "before.js";
        let earlier = self.added(FILE);
        if earlier.is_none() {
            self.rewrite("<head>", &format!("<head><script src=\"{FILE}\"></script>"));
        }
        let block = format!("{{{script}}}\n");
        self.put(FILE, [earlier.unwrap_or_default(), block.into_bytes()].concat());
    }
}

impl Reader {
    /// A reader with a browser of this engine, whose console is listened to.
    pub async fn with(engine: Engine, scheme: Scheme) -> Result<Self> {
        let reader = Reader::of(engine, scheme).await?;
        reader.server.before_every_page(&format!("{IN_THE_PAGE}{LISTEN}"));
        reader.server.before_every_page(&worker_that(&format!("{{{IN_A_WORKER}{LISTEN}}}")));
        Ok(reader)
    }

    /// What was heard in this tab.
    pub async fn heard(&self) -> Result<Vec<String>> {
        let heard = self.browser.script("return JSON.parse(sessionStorage.getItem('heard') ?? '[]')").await?;
        Ok(serde_json::from_value(heard)?)
    }
}
