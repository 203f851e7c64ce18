//! From the prompt to the text.

use thirtyfour::prelude::*;

use super::for_both_engines;
use crate::browser::{Engine, Scheme};
use crate::reader::Reader;
use crate::replay::expect_the_terminals_texts;
use crate::worker::{Break, breakable};

for_both_engines!(
    a_text_is_written_stopped_copied_and_continued,
    texts_are_the_terminals,
    an_address_repeats_its_text_in_a_new_tab,
    a_worker_that_breaks_is_started_again,
);

/// A reader whose pearGPT is ready.
async fn ready(engine: Engine) -> Reader {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader
}

/// Copies the text by the page's button, and pastes it into the prompt as a reader would: the clipboard is the browser's
/// own, and none of the two lets a script read it without a question.
async fn copied(reader: &Reader) -> String {
    reader.press("copy").await.unwrap();
    reader
        .browser
        .wait_until("document.querySelector('[data-testid=copy]').textContent.includes('Copied')")
        .await
        .unwrap();
    let prompt = reader.browser.find("prompt").await.unwrap();
    prompt.click().await.unwrap();
    for letter in ['a', 'v'] {
        let keys = reader.browser.driver().action_chain();
        let keys = keys.key_down(Key::Control).key_down(letter).key_up(letter).key_up(Key::Control);
        keys.perform().await.unwrap();
    }
    reader.value("prompt").await.unwrap()
}

async fn a_text_is_written_stopped_copied_and_continued(engine: Engine) {
    let reader = ready(engine).await;
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    reader.press("stop").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    let text = reader.output().await.unwrap();
    assert!(!text.is_empty());
    assert_eq!(copied(&reader).await, text);
    assert_eq!(reader.output().await.unwrap(), text, "nothing is written after the stop");
    reader.press("continue").await.unwrap();
    let longer = format!("document.querySelector('[data-testid=output]').textContent.length > {}", text.len());
    reader.browser.wait_until(&longer).await.unwrap();
    assert!(reader.output().await.unwrap().starts_with(&text), "Continue goes on from there");
    reader.press("stop").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    reader.fill("prompt", "KING:\n").await.unwrap();
    let text = reader.write(20).await.unwrap();
    assert!(text.starts_with("KING:\n") && text.split_whitespace().count() > 20, "{text}");
    assert_eq!(reader.heard().await.unwrap(), Vec::<String>::new());
}

async fn texts_are_the_terminals(engine: Engine) {
    expect_the_terminals_texts(&ready(engine).await, 0..6).await;
}

async fn an_address_repeats_its_text_in_a_new_tab(engine: Engine) {
    let reader = ready(engine).await;
    reader.fill("prompt", "First Citizen:\nWho's there? & what; 'tis so\n").await.unwrap();
    let text = reader.write(12).await.unwrap();
    let address = reader.address_with("seed=").await.unwrap();
    reader.browser.open_tab(&reader.server.url(&format!("{address}&run=1"))).await.unwrap();
    assert_eq!(reader.finish().await.unwrap(), text);
}

async fn a_worker_that_breaks_is_started_again(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    reader.server.before_every_page(&breakable());
    reader.open("#/peargpt?prompt=LEAR%3A%0A&words=5000&run=1").await.unwrap();
    let text = reader.first_text().await.unwrap();
    reader.break_worker(Break::Trap).await.unwrap();
    let said = reader.failure().await.unwrap();
    assert!(said.contains("crashed") && said.contains("restarted"), "{said}");
    assert!(!said.contains("TypeError"), "the program itself is ended: {said}");
    assert!(reader.output().await.unwrap().starts_with(&text), "what was written stays");
    // WebKit's driver clicks where the button was before, and it moves until the model is loaded again.
    reader.browser.wait_until("!document.querySelector('[data-testid=continue]').disabled").await.unwrap();
    reader.fill("words", "3").await.unwrap();
    reader.press("retry").await.unwrap();
    // WebKit's driver does not wait for what a click sets going.
    reader
        .browser
        .wait_until("document.querySelector('[data-testid=status]').dataset.state !== 'failed'")
        .await
        .unwrap();
    assert!(reader.finish().await.unwrap().starts_with("LEAR:\n"));
}
