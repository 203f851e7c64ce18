//! The service worker keeps one release whole: it is used without a network, a newer one is taken beside it and used from
//! the next start on, and files of two are never mixed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use peargpt::app::catalog::parse;
use serde_json::{Value, json};

use crate::reader::{Reader, WEIGHTS};
use crate::release::{self, another};
use crate::server::{Fault, dist};

/// A style of the page; another release has another one.
const STYLE: &str = "own.css";

/// The names of the releases that are whole, oldest first.
const RELEASES: &str = "(async () => {
    const found = [];
    for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        if (await cache.match(new URL('./', document.baseURI).href)) found.push(name.split(' ').pop());
    }
    return found;
})()";

/// Waits until something is so.
async fn eventually(is_so: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// Another release: a style that differs.
fn newer(test: &str) -> PathBuf {
    let change = |mut style: Vec<u8>| {
        style.extend_from_slice(b"\n/* newer */\n");
        style
    };
    another(test, &dist(), &[(STYLE, &change)])
}

impl Reader {
    /// The names of the origin's caches.
    pub async fn caches(&self) -> Vec<String> {
        serde_json::from_value(self.browser.promise("caches.keys()").await.unwrap()).unwrap()
    }

    async fn releases(&self) -> Vec<String> {
        serde_json::from_value(self.browser.promise(RELEASES).await.unwrap()).unwrap()
    }

    /// Waits until a release is kept, and no other.
    pub async fn wait_for_release(&self) {
        eventually(async || self.releases().await.len() == 1).await;
    }

    /// A reader of a host without headers who has written a text, and whose release is kept.
    async fn kept() -> Self {
        let reader = Reader::plain().await.unwrap();
        reader.open("#/peargpt?words=5&seed=1&run=1").await.unwrap();
        reader.wait_for("done").await.unwrap();
        reader.wait_for_release().await;
        reader
    }

    /// Comes back to the tab, which makes the page look for a newer release.
    async fn come_back(&self) {
        self.browser.script("document.dispatchEvent(new Event('visibilitychange'))").await.unwrap();
    }

    /// The style that the page has, by the path of its file.
    async fn style(&self) -> String {
        let links =
            "return [...document.styleSheets].map((sheet) => sheet.href).find((href) => /own-[^/]*$/.test(href))";
        let href = self.browser.script(links).await.unwrap();
        href.as_str().unwrap().rsplit('/').next().unwrap().to_string()
    }

    /// The converter's program starts: a file of the release that is fetched late.
    async fn expect_converter(&self) {
        let first = "new Promise((resolve) => peargpt.bridge('converter', (event) => resolve(event.Ready ? 'ready' : event)).open())";
        assert_eq!(self.browser.promise(first).await.unwrap(), "ready");
    }

    async fn is_told_of_a_newer_release(&self) {
        self.browser.wait_until("document.querySelector('[data-testid=newer-release]')").await.unwrap();
    }
}

#[tokio::test]
async fn after_one_text_the_site_opens_and_writes_without_a_network() {
    let reader = Reader::kept().await;
    let text = reader.output().await.unwrap();
    reader.server.stop();
    reader.browser.open_tab(&reader.server.url("#/peargpt?words=5&seed=1&run=1")).await.unwrap();
    assert_eq!(reader.finish().await.unwrap(), text);
    assert!(reader.is_isolated().await);
    for route in ["index.html#/", "#/bench?prompt_tokens=8&tokens=4", "#/model"] {
        reader.browser.open_tab(&reader.server.url(route)).await.unwrap();
        reader.browser.find("theme").await.unwrap();
    }
    reader.expect_converter().await;
    assert!(!reader.sees("newer-release").await.unwrap());
    assert_eq!(reader.browser.left_the_machine(), Vec::<String>::new());
    let strangers: Vec<String> =
        reader.server.requests().into_iter().filter(|path| !path.starts_with("/some/deep/path/")).collect();
    assert_eq!(strangers, Vec::<String>::new(), "all URLs are relative");
}

#[tokio::test]
async fn the_first_visit_fetches_nothing_twice_and_keeps_no_weights() {
    let reader = Reader::kept().await;
    let files: Vec<String> = release::files(&dist()).into_iter().map(|file| file.path).collect();
    // What the document itself names comes once more with the reload.
    let named = ["start", "programs", "own", "page", "studio", "train-", "inside", "dark", "icon", "manifest"];
    let twice = |path: &str| named.iter().any(|name| path.starts_with(name));
    let is_text = |path: &str| path.starts_with("weights/") && path.ends_with(".txt");
    for path in files.iter().filter(|path| !twice(path)) {
        // The text to learn comes on a click only.
        let times = if is_text(path) { 0 } else { 1 };
        assert_eq!(reader.server.count(path), times, "{path}");
    }
    let kept = "(async () => {
        const paths = [];
        for (const name of await caches.keys()) {
            for (const request of await (await caches.open(name)).keys()) paths.push(request.url);
        }
        return paths;
    })()";
    let kept: Vec<String> = serde_json::from_value(reader.browser.promise(kept).await.unwrap()).unwrap();
    let is_kept = |path: &str| kept.iter().any(|url| url.ends_with(path));
    for path in files {
        let is_weights = path.ends_with(".gguf") || is_text(&path);
        assert_eq!(is_kept(&path), !is_weights, "{path}");
    }
}

#[tokio::test]
async fn it_can_be_installed() {
    let reader = Reader::kept().await;
    reader.browser.driver().refresh().await.unwrap();
    reader.browser.find("theme").await.unwrap();
    let found = reader.browser.devtools("Page.getInstallabilityErrors", json!({})).await.unwrap();
    assert_eq!(found["installabilityErrors"], json!([]));
    let manifest = reader.browser.devtools("Page.getAppManifest", json!({})).await.unwrap();
    assert_eq!(manifest["errors"], json!([]));
    assert!(manifest["data"].as_str().unwrap().contains("standalone"), "{manifest}");
}

#[tokio::test]
async fn a_deploy_in_the_middle_of_a_visit() {
    let reader = Reader::kept().await;
    let (old, text) = (reader.style().await, reader.output().await.unwrap());
    reader.server.deploy(newer("a_deploy_in_the_middle_of_a_visit"));
    let asked = reader.server.requests().len();
    reader.come_back().await;
    reader.is_told_of_a_newer_release().await;
    assert_eq!(reader.output().await.unwrap(), text);
    assert_eq!(reader.style().await, old);
    // Of the server's files only those that differ were fetched; this page goes on with its own.
    reader.expect_converter().await;
    let named = reader.server.requests().split_off(asked);
    let files: Vec<&String> = named.iter().filter(|path| path.contains('-') && !path.ends_with("worker.js")).collect();
    assert_eq!(files, [&format!("/some/deep/path/{}", reader.server.path(STYLE))]);

    reader.press("reload").await.unwrap();
    reader.browser.wait_until("!document.querySelector('[data-testid=newer-release]')").await.unwrap();
    reader.wait_for_model().await.unwrap();
    assert_eq!(reader.style().await, reader.server.path(STYLE));
    assert_eq!(reader.output().await.unwrap(), text, "a text lasts as long as its tab");
    reader.wait_for_release().await;
    reader.server.stop();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    reader.expect_recovery("").await.unwrap();
}

#[tokio::test]
async fn a_deploy_while_two_tabs_are_open() {
    let reader = Reader::kept().await;
    let (old, driver) = (reader.style().await, reader.browser.driver());
    let first = driver.window().await.unwrap();
    reader.server.deploy(newer("a_deploy_while_two_tabs_are_open"));
    let new = reader.server.path(STYLE);
    reader.browser.open_tab(&reader.server.url("#/")).await.unwrap();
    reader.is_told_of_a_newer_release().await;
    assert_eq!(reader.style().await, old, "a release is used from the next start on");
    reader.press("reload").await.unwrap();
    reader.browser.wait_until("!document.querySelector('[data-testid=newer-release]')").await.unwrap();
    reader.browser.find("theme").await.unwrap();
    assert_eq!(reader.style().await, new);
    let second = driver.window().await.unwrap();
    driver.switch_to_window(first).await.unwrap();
    reader.is_told_of_a_newer_release().await;
    assert_eq!(reader.style().await, old);
    reader.expect_converter().await;
    assert_eq!(reader.write(5).await.unwrap().lines().count() > 0, true);
    assert_eq!(reader.releases().await.len(), 2, "both are in use");
    driver.close_window().await.unwrap();
    driver.switch_to_window(second).await.unwrap();
    reader.come_back().await;
    reader.wait_for_release().await;
    assert_eq!(reader.style().await, new);
}

#[tokio::test]
async fn a_release_with_a_damaged_file_is_never_taken() {
    let reader = Reader::kept().await;
    let (old, releases) = (reader.style().await, reader.releases().await);
    reader.server.deploy(newer("a_release_with_a_damaged_file_is_never_taken"));
    for (file, fault) in [(STYLE, Fault::FlipAt(10)), (STYLE, Fault::Status(404)), ("release.json", Fault::FlipAt(10))]
    {
        reader.server.always(file, fault);
        let before = reader.server.count(&reader.server.path(file));
        reader.browser.driver().refresh().await.unwrap();
        reader.wait_for_model().await.unwrap();
        eventually(async || reader.server.count(&reader.server.path(file)) > before).await;
        reader.expect_recovery("").await.unwrap();
        assert_eq!((reader.style().await, reader.releases().await), (old.clone(), releases.clone()));
        assert!(!reader.sees("newer-release").await.unwrap());
        reader.server.heal();
    }
    reader.come_back().await;
    reader.is_told_of_a_newer_release().await;
}

#[tokio::test]
async fn a_page_that_is_cut_off_is_never_taken() {
    let reader = Reader::kept().await;
    let (old, releases) = (reader.style().await, reader.releases().await);
    let folder = newer("a_page_that_is_cut_off_is_never_taken");
    let page = std::fs::read(folder.join("index.html")).unwrap();
    reader.server.deploy(folder);
    reader.server.always("index.html", Fault::Other(page[..page.len() - 500].to_vec()));
    let asked = reader.server.requests().len();
    reader.come_back().await;
    eventually(async || reader.server.requests().len() > asked).await;
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    reader.expect_recovery("").await.unwrap();
    assert_eq!((reader.style().await, reader.releases().await), (old, releases));
    reader.server.heal();
    reader.come_back().await;
    reader.is_told_of_a_newer_release().await;
}

#[tokio::test]
async fn a_kept_file_that_is_damaged_is_fetched_again() {
    let reader = Reader::kept().await;
    let damage = format!(
        "(async () => {{
            for (const name of await caches.keys()) {{
                const url = new URL('{}', document.baseURI).href;
                await (await caches.open(name)).put(url, new Response('damaged'));
            }}
        }})()",
        reader.server.path("page_bg.wasm")
    );
    reader.browser.promise(&damage).await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    let said = reader.text("error").await.unwrap();
    assert!(said.contains("is damaged or missing"), "{said}");
    let is_mended = format!(
        "(async () => {{
            const page = new URL('{}', document.baseURI).href;
            const all = await Promise.all((await caches.keys()).map((name) => caches.match(page, {{ cacheName: name }})));
            const texts = await Promise.all(all.filter(Boolean).map((answer) => answer.text()));
            return texts.some((text) => text !== 'damaged');
        }})()",
        reader.server.path("page_bg.wasm")
    );
    eventually(async || reader.browser.promise(&is_mended).await.unwrap() == true).await;
    reader.wait_for_release().await;
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    reader.expect_recovery("").await.unwrap();
}

#[tokio::test]
async fn without_a_network_the_release_stays_whose_weights_are_stored() {
    let reader = Reader::kept().await;
    let old = reader.style().await;
    let other_weights = |catalog: Vec<u8>| {
        let mut catalog: Value = serde_json::from_slice(&catalog).unwrap();
        catalog[0]["parts"][0]["sha256"] = "0".repeat(64).into();
        let catalog = serde_json::to_vec(&catalog).unwrap();
        parse(std::str::from_utf8(&catalog).unwrap()).unwrap();
        catalog
    };
    let style = |style: Vec<u8>| [style, b"\n/* newer */\n".to_vec()].concat();
    let folder = another(
        "without_a_network_the_release_stays_whose_weights_are_stored",
        &dist(),
        &[("weights/catalog.json", &other_weights), (STYLE, &style)],
    );
    reader.server.deploy(folder);
    reader.come_back().await;
    reader.is_told_of_a_newer_release().await;
    let weights = reader.server.count(WEIGHTS);
    reader.server.stop();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    assert_eq!(reader.style().await, old);
    reader.expect_recovery("").await.unwrap();
    assert!(!reader.sees("newer-release").await.unwrap(), "a reload would not bring it");
    assert_eq!(reader.server.count(WEIGHTS), weights);
}

#[tokio::test]
async fn a_full_storage_costs_nothing_but_the_copy() {
    let reader = Reader::plain().await.unwrap();
    let quota = json!({ "origin": reader.server.origin(), "quotaSize": 20_000 });
    reader.browser.devtools("Storage.overrideQuotaForOrigin", quota).await.unwrap();
    reader.open("#/peargpt?words=5&seed=1&run=1").await.unwrap();
    reader.wait_for("done").await.unwrap();
    reader.come_back().await;
    reader.expect_recovery("").await.unwrap();
    assert_eq!(reader.releases().await, Vec::<String>::new());
    assert!(reader.is_isolated().await);
}
