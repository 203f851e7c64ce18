//! The module for other pages, on a page of another origin: from five lines to a text, ended at any moment, two at a time;
//! and what is in its way is named.

use std::path::Path;

use serde_json::Value;

use crate::browser::{Browser, Engine, Scheme};
use crate::replay::in_the_terminal;
use crate::server::Server;

mod element;
mod ends;
mod refusals;
mod texts;

pub use element::element;
pub use texts::five_lines;

/// A page that has nothing of the site's, on an origin of its own.
pub struct Guest {
    /// Where the module lies.
    pub site: Server,
    /// Where the page lies.
    page: Server,
    browser: Browser,
}

/// Counts the workers that live, and remembers what the page's policy refuses.
const WATCH: &str = "<script>
    window.living = 0;
    const Plain = window.Worker;
    window.Worker = class extends Plain {
        constructor(...of) { super(...of); window.living += 1; }
        terminate() { window.living -= 1; super.terminate(); }
    };
    window.refused = [];
    addEventListener('securitypolicyviolation', (event) => refused.push(event.effectiveDirective));
</script>";

impl Guest {
    /// Nothing is opened yet.
    async fn new(engine: Engine) -> Guest {
        let empty = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp/empty");
        std::fs::create_dir_all(&empty).unwrap();
        let (site, page) = (Server::start().unwrap(), Server::of(empty).unwrap());
        // As most hosts are; what isolates a site keeps its files from other origins.
        site.isolate(false);
        page.isolate(false);
        Guest { site, page, browser: Browser::of(engine, Scheme::Light).await.unwrap() }
    }

    /// A page with this in its head and this in its body is opened.
    async fn open(&self, head: &str, body: &str) {
        let html =
            format!("<!doctype html><html lang=en><head>{head}<title>a</title></head><body>{body}</body></html>");
        self.page.put("guest.html", html.into_bytes());
        self.browser.open(&self.page.url("guest.html")).await.unwrap();
    }

    /// An empty page in Chromium.
    async fn at_an_empty_page() -> Guest {
        let guest = Guest::new(Engine::Chromium).await;
        guest.open(WATCH, "").await;
        guest
    }

    /// What a script returns that has `load`.
    async fn run(&self, script: &str) -> Value {
        let module = self.site.url("peargpt.js");
        let expression = format!("(async () => {{ const {{ load }} = await import('{module}'); {script} }})()");
        self.browser.promise(&expression).await.unwrap()
    }

    /// The code and the sentence of the error that a script ends in.
    async fn failure(&self, script: &str) -> (String, String) {
        let caught = format!(
            "try {{ {script} }} catch (error) {{ return [typeof error.code === 'string' ? error.code : error.name, error.message]; }} return ['', ''];"
        );
        serde_json::from_value(self.run(&caught).await).unwrap()
    }

    /// The policy that the module needs, with its own inline scripts for the test.
    fn policy(&self) -> String {
        let site = self.site.origin();
        format!(
            "default-src 'none'; script-src {site} 'unsafe-inline' 'wasm-unsafe-eval'; connect-src {site}; worker-src blob:"
        )
    }
}

fn meta(policy: &str) -> String {
    format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">{WATCH}")
}

/// What the terminal writes behind a prompt.
pub fn written(words: &str, seed: &str, prompt: &str) -> String {
    let text = in_the_terminal(&["--words", words, "--seed", seed, prompt]);
    text.strip_prefix(prompt).unwrap().trim_end().to_string()
}
