//! Nothing leaves the machine, and the policy sees to it.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::reader::Reader;
use crate::server::{Fault, Server};
use crate::worker::worker_that;

/// A listener in the worker: it does what a test asks for and says how that ended.
pub const SPY: &str = "
    const test = new BroadcastChannel('test');
    const loaded = () => performance.getEntriesByType('resource').map((entry) => entry.name);
    const reach = (url) => fetch(url).then(() => 'arrived', String);
    test.onmessage = async ({ data }) => {
        if (data.ask) test.postMessage({ answer: data.url ? await reach(data.url) : loaded() });
    };";

/// What the listener in the worker answers.
async fn ask_worker(reader: &Reader, question: Value) -> Value {
    let script = format!(
        "new Promise((resolve) => {{
            const test = new BroadcastChannel('test');
            test.onmessage = ({{ data }}) => data.answer && resolve(data.answer);
            test.postMessage({question});
        }})"
    );
    reader.browser.promise(&script).await.unwrap()
}

/// How a fetch from inside the worker ends.
pub async fn fetch_in_worker(reader: &Reader, url: &str) -> String {
    ask_worker(reader, json!({ "ask": true, "url": url })).await.as_str().unwrap().to_string()
}

/// What page and worker have loaded so far.
async fn loaded(reader: &Reader) -> Vec<String> {
    let in_page = "return performance.getEntriesByType('resource').map((entry) => entry.name)";
    let in_page = reader.browser.script(in_page).await.unwrap();
    let in_worker = ask_worker(reader, json!({ "ask": true })).await;
    [in_page, in_worker].into_iter().flat_map(|list| serde_json::from_value::<Vec<String>>(list).unwrap()).collect()
}

#[tokio::test]
async fn a_whole_visit_leaves_nothing_in_the_console_and_asks_no_other_host() {
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page(&worker_that(SPY)).await.unwrap();
    reader.open("#/").await.unwrap();
    reader.browser.find("theme").await.unwrap();
    for route in ["#/peargpt?prompt=ROMEO%3A&words=20&run=1", "#/gpt2", "#/bench?prompt_tokens=8&tokens=4"] {
        reader.open(route).await.unwrap();
        reader.browser.find("theme").await.unwrap();
        if !route.starts_with("#/gpt2") {
            reader.wait_for("done").await.unwrap();
        }
    }
    // Chromium complains of what was preloaded and not used after some seconds.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!(reader.browser.console().await.unwrap(), Vec::<String>::new());
    assert_eq!(reader.browser.left_the_machine(), Vec::<String>::new());
    let origin = reader.server.origin();
    let loaded = loaded(&reader).await;
    let worker = reader.server.path("worker-relaxed_bg.wasm");
    assert!(loaded.iter().any(|url| url.ends_with(&worker)), "{worker} is not in {loaded:?}");
    let is_near = |url: &String| url.starts_with(&origin) || url.starts_with("blob:") || url.starts_with("data:");
    assert!(loaded.iter().all(is_near), "{loaded:?}");
    let strangers: Vec<String> =
        reader.server.requests().into_iter().filter(|path| !path.starts_with("/some/deep/path/")).collect();
    assert_eq!(strangers, Vec::<String>::new(), "all URLs are relative");
}

#[tokio::test]
async fn the_tests_see_a_request_for_another_host() {
    let browser = Browser::start().await.unwrap();
    browser.open("data:text/html,<img src='http://example.org/pixel.png'>").await.unwrap();
    let start = std::time::Instant::now();
    while browser.left_the_machine().is_empty() && start.elapsed().as_secs() < 20 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(browser.left_the_machine().iter().any(|line| line.contains("example.org")));
}

#[tokio::test]
async fn the_policy_binds_the_worker() {
    let stranger = Server::start().unwrap();
    stranger.always("index.html", Fault::Status(200));
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page(&worker_that(SPY)).await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    assert_eq!(fetch_in_worker(&reader, &reader.server.url("")).await, "arrived", "its own origin is allowed");
    let outcome = fetch_in_worker(&reader, &stranger.url("")).await;
    assert!(outcome.contains("TypeError"), "{outcome}");
    assert_eq!(stranger.requests(), Vec::<String>::new());

    // The same without the policy: it is what refused the fetch.
    reader.server.rewrite("http-equiv=\"Content-Security-Policy\"", "name=\"no-policy\"");
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    assert_eq!(fetch_in_worker(&reader, &stranger.url("")).await, "arrived");
    assert_eq!(stranger.count("/some/deep/path/"), 1);
}

#[tokio::test]
async fn the_policy_allows_what_it_must_and_no_more() {
    let reader = Reader::at("#/").await.unwrap();
    let policy = "return document.querySelector('meta[http-equiv=\"Content-Security-Policy\"]').content";
    let policy = reader.browser.script(policy).await.unwrap();
    let policy: Vec<&str> = policy.as_str().unwrap().split(';').map(str::trim).collect();
    let connect = "connect-src 'self' https://*.hf.co https://*.huggingface.co https://huggingface.co";
    for rule in [
        "default-src 'none'",
        connect,
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval'",
    ] {
        assert!(policy.contains(&rule), "`{rule}` is not in {policy:?}");
    }
}
