//! One model is open at a time: what it does is not ended by a visit to another one, unless the reader says so.

use crate::model::{FULL, Gpt2, SMALL};
use crate::own::NANOGPT;
use crate::reader::Reader;
use crate::server::Fault;
use crate::subject::SLICE;

/// A reader with a small GPT-2 on the site, of whose weights a part does not come.
async fn with_a_slow_download() -> Reader {
    let reader = Reader::new().await.unwrap();
    Gpt2::random(SMALL, 7).host(&reader.server, SLICE);
    reader.server.rewrite("\"stall_ms\":2000", "\"stall_ms\":600000");
    reader.server.times(1, "weights/gpt2/gpt2.gguf.part003", Fault::StallAt(100));
    reader.open("#/gpt2").await.unwrap();
    reader.server.wait_for_bytes("part003", 100);
    reader
}

async fn sentence(reader: &Reader) -> String {
    reader.text("status").await.unwrap()
}

#[tokio::test]
async fn a_download_goes_on_while_the_reader_looks_at_another_model() {
    let reader = with_a_slow_download().await;
    for route in ["#/peargpt", "#/bench"] {
        reader.open(route).await.unwrap();
        reader.wait_for("idle").await.unwrap();
        assert!(sentence(&reader).await.contains("is being downloaded"), "{}", sentence(&reader).await);
        assert!(reader.sees("load-now").await.unwrap());
    }
    assert_eq!(reader.server.count("part003"), 1, "the download was neither ended nor begun anew");
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("downloading").await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("idle").await.unwrap();
    reader.press("load-now").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.expect_recovery("").await.unwrap();
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("ready").await.unwrap();
}

#[tokio::test]
async fn a_text_is_written_to_its_end_while_the_reader_looks_at_another_model() {
    let reader = Reader::new().await.unwrap();
    Gpt2::random(SMALL, 7).host(&reader.server, SLICE);
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.fill("words", "600").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("idle").await.unwrap();
    assert!(sentence(&reader).await.contains("is writing a text"), "{}", sentence(&reader).await);
    // Its turn comes by itself.
    reader.wait_for("ready").await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("done").await.unwrap();
    assert!(reader.number("words").await.unwrap() >= 600.0);

    // Or at once, if the reader says so.
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.wait_for("generating").await.unwrap();
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("idle").await.unwrap();
    reader.press("load-now").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    assert!(reader.browser.find("continue").await.unwrap().is_enabled().await.unwrap());
}

#[tokio::test]
async fn a_model_that_is_opened_meanwhile_says_what_it_ends() {
    let reader = with_a_slow_download().await;
    reader.open("#/model").await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    reader.browser.find("run-it").await.unwrap();
    assert!(reader.sees("stops-others").await.unwrap());
    reader.open("#/gpt2").await.unwrap();
    reader.press("pause").await.unwrap();
    reader.wait_for("paused").await.unwrap();
    reader.open("#/model").await.unwrap();
    assert!(!reader.sees("stops-others").await.unwrap());
}

#[tokio::test]
async fn verifying_waits_for_the_text() {
    let reader = Reader::new().await.unwrap();
    Gpt2::random(FULL, 1).host(&reader.server, peargpt::app::publish::SLICE);
    reader.open("#/gpt2?words=40").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    reader.press("verify").await.unwrap();
    assert_eq!(reader.state().await.unwrap(), "generating");
    let waits = "document.querySelector('[data-testid=verification] .verdict').textContent === 'This begins when the text is done.'";
    reader.browser.wait_until(waits).await.unwrap();
    reader.press("verify-stop").await.unwrap();
    reader.press("verify").await.unwrap();
    reader.finish().await.unwrap();
    let begins = "!document.querySelector('[data-testid=verify-progress]').hidden";
    reader.browser.wait_until(begins).await.unwrap();
    reader.press("verify-stop").await.unwrap();
}
