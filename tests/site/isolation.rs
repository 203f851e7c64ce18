//! `SharedArrayBuffer` on a host that sends no header: a service worker isolates the page, after one reload. Where there is
//! none the page works as well and says why.

use serde_json::json;
use thirtyfour::prelude::*;

use crate::browser::PLAIN_HOST;
use crate::offer::Hub;
use crate::reader::Reader;
use crate::server::{Fault, Server};

/// How often a document came in this tab; it is asked before the page's own scripts.
const COUNT: &str = "sessionStorage.setItem('documents', 1 + +(sessionStorage.getItem('documents') ?? 0))";

impl Reader {
    /// A reader of a site whose server sends no header.
    pub async fn plain() -> anyhow::Result<Self> {
        let reader = Reader::new().await?;
        reader.server.isolate(false);
        Ok(reader)
    }

    /// What the page says of its engine.
    async fn engine(&self) -> String {
        self.text("engine-note").await.unwrap()
    }

    /// Whether `SharedArrayBuffer` is there.
    pub async fn is_isolated(&self) -> bool {
        let isolated = "return crossOriginIsolated && typeof SharedArrayBuffer === 'function'";
        self.browser.script(isolated).await.unwrap() == true
    }

    /// How many service workers the origin has.
    async fn registrations(&self) -> u64 {
        let count = "navigator.serviceWorker.getRegistrations().then((all) => all.length)";
        self.browser.promise(count).await.unwrap().as_u64().unwrap()
    }
}

#[tokio::test]
async fn a_host_without_headers_is_isolated_after_one_reload() {
    let reader = Reader::plain().await.unwrap();
    reader.browser.before_every_page(COUNT).await.unwrap();
    reader.open("#/peargpt?words=5&seed=1&run=1").await.unwrap();
    reader.wait_for("done").await.unwrap();
    assert!(reader.is_isolated().await);
    assert_eq!(reader.browser.script("return sessionStorage.getItem('documents')").await.unwrap(), "2");
    for end in [".js", "_bg.wasm"] {
        let worker = reader.server.path(&format!("worker-relaxed{end}"));
        assert_eq!(reader.server.count(&worker), 1, "{worker} came before the reload, too");
    }
    assert_eq!(reader.engine().await, "");
    // Later visits, of other tabs too, are isolated at once.
    reader.browser.open_tab(&reader.server.url("#/peargpt")).await.unwrap();
    reader.wait_for("ready").await.unwrap();
    assert!(reader.is_isolated().await);
    let how = "return performance.getEntriesByType('navigation')[0].type";
    assert_eq!(reader.browser.script(how).await.unwrap(), "navigate", "it was loaded again");
    assert_eq!(reader.browser.left_the_machine(), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_isolates_has_no_service_worker_and_an_old_one_is_removed() {
    let reader = Reader::ready().await.unwrap();
    assert!(reader.is_isolated().await);
    assert_eq!(reader.registrations().await, 0);
    reader.server.isolate(false);
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    reader.wait_for_release().await;
    assert_eq!(reader.registrations().await, 1);
    reader.server.isolate(true);
    let page = reader.server.count("some/deep/path/");
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    assert!(reader.server.count("some/deep/path/") > page, "the page came from the server");
    assert!(reader.is_isolated().await);
    assert_eq!(reader.registrations().await, 0);
    assert_eq!(reader.caches().await, Vec::<String>::new());
    reader.expect_recovery("").await.unwrap();
}

#[tokio::test]
async fn a_reload_past_the_service_worker_says_what_brings_it_back() {
    let reader = Reader::plain().await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    // The first tab's reload would show the document before the first reload, which loads itself again.
    reader.browser.open_tab(&reader.server.url("#/peargpt")).await.unwrap();
    reader.wait_for("ready").await.unwrap();
    assert!(reader.is_isolated().await);
    reader.browser.script("window.before = true").await.unwrap();
    reader.browser.devtools("Page.reload", json!({ "ignoreCache": true })).await.unwrap();
    reader.browser.wait_until("!window.before").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    assert!(!reader.is_isolated().await);
    let said = reader.engine().await;
    assert!(
        said.contains("no SharedArrayBuffer, since the page came without its service worker; load it again."),
        "{said}"
    );
    reader.expect_recovery("").await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    assert!(reader.is_isolated().await);
}

#[tokio::test]
async fn plain_http_on_a_local_network_says_why_one_thread_computes() {
    let reader = Reader::plain().await.unwrap();
    let here = format!("127.0.0.1:{}", reader.server.port());
    let there = format!("{PLAIN_HOST}:{}", reader.server.port());
    reader.browser.before_every_page(COUNT).await.unwrap();
    reader.browser.open(&reader.server.url("#/peargpt").replace(&here, &there)).await.unwrap();
    reader.wait_for("ready").await.unwrap();
    let said = reader.engine().await;
    assert!(said.contains("no SharedArrayBuffer, since the page came over plain http"), "{said}");
    assert_eq!(reader.browser.script("return sessionStorage.getItem('documents')").await.unwrap(), "1");
    reader.expect_recovery("").await.unwrap();
}

#[tokio::test]
async fn in_a_frame_of_another_origin_it_writes_and_is_not_loaded_again() {
    let (host, reader) = (Server::start().unwrap(), Reader::plain().await.unwrap());
    host.isolate(false);
    let frame = format!("<!DOCTYPE html><iframe src=\"{}\"></iframe>", reader.server.url("#/peargpt"));
    host.put("frame.html", frame.into_bytes());
    // Two ports of one host are one site, whose storage they share; with the other name they are two.
    let url = host.url("frame.html").replace("127.0.0.1", "localhost");
    reader.browser.open(&url).await.unwrap();
    reader.browser.driver().query(By::Tag("iframe")).first().await.unwrap().enter_frame().await.unwrap();
    reader.wait_for("ready").await.unwrap();
    assert!(!reader.is_isolated().await);
    let said = reader.engine().await;
    assert!(said.contains("no SharedArrayBuffer, since the page is inside a frame"), "{said}");
    let how = "return performance.getEntriesByType('navigation')[0].type";
    assert_eq!(reader.browser.script(how).await.unwrap(), "navigate", "it was loaded again");
    assert_eq!(reader.registrations().await, 0);
    reader.expect_recovery("").await.unwrap();
}

#[tokio::test]
async fn a_service_worker_that_cannot_be_had_is_said_and_the_page_works() {
    let reader = Reader::plain().await.unwrap();
    reader.browser.before_every_page(COUNT).await.unwrap();
    reader.server.always("service-worker.js", Fault::Status(404));
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    let said = reader.engine().await;
    assert!(said.contains("no SharedArrayBuffer, since this browser runs no service worker for this page"), "{said}");
    assert_eq!(reader.browser.script("return sessionStorage.getItem('documents')").await.unwrap(), "1");
    reader.expect_recovery("").await.unwrap();
}

#[tokio::test]
async fn the_hub_is_asked_from_a_page_that_a_service_worker_isolates() {
    let hub = Hub::new().await;
    hub.reader.server.isolate(false);
    hub.ask().await;
    assert!(hub.reader.is_isolated().await);
    hub.reader.press("fetch").await.unwrap();
    hub.expect_kept().await;
}
