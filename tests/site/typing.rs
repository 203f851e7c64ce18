//! The prompt: what phones write, what cannot be seen, what undo brings back.

use serde_json::json;
use thirtyfour::prelude::*;

use crate::reader::Reader;

#[tokio::test]
async fn what_a_phone_writes_becomes_what_the_model_knows() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("prompt", "ROMEO:\n‘Tis so’ — ay…").await.unwrap();
    let said = reader.text("unknown").await.unwrap();
    assert!(said.contains("“‘”") && said.contains("“—”"), "{said}");
    let script = "const area = document.querySelector('[data-testid=prompt]');
        const describing = area.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id));
        return [area.getAttribute('aria-invalid'), describing.some((element) => element.dataset.testid === 'unknown')];";
    assert_eq!(reader.browser.script(script).await.unwrap(), json!(["true", true]));
    reader.press("plain-characters").await.unwrap();
    assert_eq!(reader.value("prompt").await.unwrap(), "ROMEO:\n'Tis so' - ay...");
    assert!(!reader.sees("plain-characters").await.unwrap() && !reader.sees("unknown").await.unwrap());
    reader.write(3).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_seen_is_named() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("prompt", "ROMEO:\u{200b}").await.unwrap();
    let said = reader.text("unknown").await.unwrap();
    assert!(said.contains("U+200B"), "{said}");
}

#[tokio::test]
async fn an_example_can_be_undone() {
    let reader = Reader::ready().await.unwrap();
    let prompt = reader.browser.find("prompt").await.unwrap();
    prompt.send_keys("My own words").await.unwrap();
    reader.press("example").await.unwrap();
    assert_eq!(reader.value("prompt").await.unwrap(), "ROMEO:");
    prompt.send_keys(Key::Control + "z").await.unwrap();
    assert_eq!(reader.value("prompt").await.unwrap(), "My own words");
}
