//! A whole visit: nothing in the console, no other host, and the policy sees to it.

use serde_json::json;

use super::for_both_engines;
use crate::browser::{Engine, Scheme};
use crate::privacy::{SPY, fetch_in_worker};
use crate::reader::Reader;
use crate::server::{Fault, Server};
use crate::worker::worker_that;

for_both_engines!(
    a_whole_visit_leaves_nothing_in_the_console_and_stays_here,
    the_tests_hear_page_and_worker,
    the_policy_binds_the_worker,
);

async fn a_whole_visit_leaves_nothing_in_the_console_and_stays_here(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    for (route, state) in [
        ("#/", ""),
        ("#/peargpt?prompt=ROMEO%3A&words=20&run=1", "done"),
        ("#/gpt2", "asking"),
        ("#/bench?prompt_tokens=8&tokens=4", "done"),
        ("#/model", ""),
    ] {
        reader.open(route).await.unwrap();
        reader.browser.find("theme").await.unwrap();
        if !state.is_empty() {
            reader.wait_for(state).await.unwrap();
        }
    }
    assert_eq!(reader.heard().await.unwrap(), Vec::<String>::new());
    assert_eq!(reader.browser.left_the_machine(), Vec::<String>::new());
    let requests = reader.server.requests();
    let strangers: Vec<&String> = requests.iter().filter(|path| !path.starts_with("/some/deep/path/")).collect();
    assert_eq!(strangers, Vec::<&String>::new(), "all URLs are relative");
}

async fn the_tests_hear_page_and_worker(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    reader.server.before_every_page(&worker_that("console.error('from the worker');"));
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.browser.script("console.warn('from the page')").await.unwrap();
    reader.browser.script("fetch('http://example.org/').catch(() => {})").await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    let heard = reader.heard().await.unwrap();
    for line in ["error: from the worker", "warn: from the page", "refused: http://example.org"] {
        assert!(heard.iter().any(|heard| heard.starts_with(line)), "`{line}` is not in {heard:?}");
    }
}

async fn the_policy_binds_the_worker(engine: Engine) {
    let stranger = Server::start().unwrap();
    stranger.always("index.html", Fault::Status(200));
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    reader.server.before_every_page(&worker_that(SPY));
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    assert_eq!(fetch_in_worker(&reader, &reader.server.url("")).await, "arrived", "its own origin is allowed");
    let outcome = fetch_in_worker(&reader, &stranger.url("")).await;
    assert!(outcome.contains("TypeError"), "{outcome}");
    assert_eq!(json!(stranger.requests()), json!([]));
}
