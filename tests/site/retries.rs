//! A download that broke goes on by itself, for as long as the reader lets it.

use crate::reader::Reader;
use crate::server::Fault;
use crate::subject::Subject;
use crate::worker::worker_that;

const PART: &str = "weights/gpt2/gpt2.gguf.part003";

/// A reader whose page tries again after so many milliseconds, without end, and whose server fails.
async fn reader(again_ms: u32) -> Reader {
    let reader = Subject::Gpt2.reader().await.unwrap();
    reader.server.rewrite("\"again_ms\":0", &format!("\"again_ms\":{again_ms}"));
    reader.server.always(PART, Fault::Status(503));
    reader
}

/// Waits until the part was asked for so often.
async fn asked_for(reader: &Reader, times: usize) {
    let started = std::time::Instant::now();
    while reader.server.count(PART) < times {
        assert!(started.elapsed() < crate::browser::PATIENCE, "asked for {} times", reader.server.count(PART));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_that_fails_for_long_is_asked_again_and_again() {
    let reader = reader(50).await;
    reader.open("#/gpt2?words=3&seed=1&run=1").await.unwrap();
    // Two tries are made at first.
    asked_for(&reader, 7).await;
    assert_eq!(reader.state().await.unwrap(), "downloading");
    reader.server.heal();
    reader.finish().await.unwrap();
}

#[tokio::test]
async fn the_reader_ends_it() {
    let reader = reader(600_000).await;
    reader.open("#/gpt2").await.unwrap();
    reader.browser.wait_until("document.body.textContent.includes('Trying again in 600 s')").await.unwrap();
    reader.press("pause").await.unwrap();
    reader.wait_for("paused").await.unwrap();
    reader.server.heal();
    reader.press("resume").await.unwrap();
    reader.wait_for("ready").await.unwrap();
}

#[tokio::test]
async fn it_goes_on_once_the_browser_is_online() {
    let reader = reader(600_000).await;
    let online = "new BroadcastChannel('network').onmessage = () => self.dispatchEvent(new Event('online'));";
    reader.browser.before_every_page(&worker_that(online)).await.unwrap();
    reader.open("#/gpt2").await.unwrap();
    reader.browser.wait_until("document.body.textContent.includes('Trying again in 600 s')").await.unwrap();
    reader.server.heal();
    reader.browser.script("new BroadcastChannel('network').postMessage('online')").await.unwrap();
    reader.wait_for("ready").await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_final_ends_it() {
    let reader = reader(50).await;
    reader.server.heal();
    reader.server.always(PART, Fault::Status(404));
    reader.open("#/gpt2").await.unwrap();
    assert!(reader.failure().await.unwrap().contains("404"));
}
