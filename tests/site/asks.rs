//! GPT-2 on the site itself: nobody's link costs a hundred megabytes before they have said so, once.

use crate::model::{Gpt2, SMALL};
use crate::reader::Reader;
use crate::subject::SLICE;

/// Where the slices are.
const SLICES: &str = "weights/gpt2/";

/// A reader of a site that hosts GPT-2, and asks.
async fn reader() -> Reader {
    let reader = Reader::new().await.unwrap();
    reader.server.rewrite("\"asks\":false", "\"asks\":true");
    Gpt2::random(SMALL, 7).host(&reader.server, SLICE);
    reader
}

#[tokio::test]
async fn nothing_comes_before_the_reader_says_so() {
    let reader = reader().await;
    let bytes = Gpt2::random(SMALL, 7).gguf.len();
    for route in ["#/gpt2?words=3&seed=5&run=1", "#/gpt2", "#/bench?model=gpt2&prompt_tokens=4&tokens=4"] {
        reader.open("#/").await.unwrap();
        reader.open(route).await.unwrap();
        reader.wait_for("asking").await.unwrap();
        let offer = reader.text("offer").await.unwrap();
        assert!(offer.starts_with(&format!("{:.1} MB from this site", bytes as f64 / 1e6)), "{offer}");
    }
    assert_eq!(reader.server.count(SLICES), 0);
    reader.press("fetch").await.unwrap();
    reader.wait_for("done").await.unwrap();
    assert!(reader.text("bench-json").await.unwrap().contains("gpt2"));
}

#[tokio::test]
async fn an_address_that_runs_waits_for_the_word_and_then_runs() {
    let reader = reader().await;
    reader.open("#/gpt2?prompt=pear&words=3&seed=5&run=1").await.unwrap();
    reader.wait_for("asking").await.unwrap();
    reader.press("fetch").await.unwrap();
    assert!(reader.finish().await.unwrap().starts_with("pear"));
}

#[tokio::test]
async fn a_word_once_given_is_remembered_until_the_download_is_cancelled() {
    let reader = reader().await;
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("asking").await.unwrap();
    reader.press("fetch").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.open("#/").await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.forget_stored().await.unwrap();
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("ready").await.unwrap();

    reader.open("#/").await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.forget_stored().await.unwrap();
    reader.server.always("weights/gpt2/gpt2.gguf.part003", crate::server::Fault::StallAt(10));
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("downloading").await.unwrap();
    reader.press("pause").await.unwrap();
    reader.wait_for("paused").await.unwrap();
    reader.press("cancel").await.unwrap();
    reader.wait_for("asking").await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for("asking").await.unwrap();
}
