//! The prompt: what phones write, what cannot be seen, what undo brings back.

use serde_json::json;
use thirtyfour::prelude::*;

use crate::model::{FULL, Gpt2};
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

/// Counts from now on how often the page reads what stands in a text area, and writes it.
const COUNT: &str = "
    const area = HTMLTextAreaElement.prototype;
    const { get, set } = Object.getOwnPropertyDescriptor(area, 'value');
    window.passes = { read: 0, written: 0 };
    Object.defineProperty(area, 'value', {
        get() { passes.read++; return get.call(this); },
        set(value) { passes.written++; set.call(this, value); },
    });";

/// What is folded away and yet laid out as hidden content: with any of it, Chromium takes a minute for 1 MB.
const LOCKED: &str = "
    return [...document.querySelectorAll('details')]
        .map((folded) => [folded.dataset.testid, getComputedStyle(folded, '::details-content').contentVisibility])
        .filter(([, visibility]) => visibility !== 'visible');";

#[tokio::test]
async fn a_large_text_that_is_pasted_over_another_is_read_once() {
    let reader = Reader::ready().await.unwrap();
    let prompt = reader.browser.find("prompt").await.unwrap();
    let paste = async |ending: &str| {
        let text = format!("{}{ending}", "A line of a long text.\n".repeat(5000));
        let write = format!("navigator.clipboard.writeText({})", json!(text));
        reader.browser.promise(&write).await.unwrap();
        prompt.send_keys(Key::Control + "a").await.unwrap();
        prompt.send_keys(Key::Control + "v").await.unwrap();
        reader.address_with(ending).await.unwrap();
        text
    };
    paste("first").await;
    reader.browser.script(COUNT).await.unwrap();
    let text = paste("second").await;
    assert_eq!(reader.browser.script("return passes").await.unwrap(), json!({ "read": 1, "written": 1 }));
    assert_eq!(reader.value("prompt").await.unwrap(), text);
    reader.browser.find("settings").await.unwrap();
    assert_eq!(reader.browser.script(LOCKED).await.unwrap(), json!([]));
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

#[tokio::test]
async fn a_prompt_past_the_context_is_told_so_before_it_is_read() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("prompt", &"O".repeat(256)).await.unwrap();
    assert!(!reader.sees("too-long").await.unwrap());
    reader.fill("prompt", &"O".repeat(300)).await.unwrap();
    assert!(reader.text("too-long").await.unwrap().contains("300 tokens"));
    assert!(reader.text("too-long").await.unwrap().contains("last 256"));
}

#[tokio::test]
async fn reading_a_long_prompt_shows_how_far_it_has_come() {
    let reader = Reader::new().await.unwrap();
    Gpt2::random(FULL, 1).host(&reader.server, peargpt::app::publish::SLICE);
    reader.open("#/gpt2?words=1").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.fill("prompt", &" pear".repeat(1000)).await.unwrap();
    let watch = "const bar = document.querySelector('[data-testid=reading]');
        window.read = [];
        new MutationObserver(() => bar.hidden || window.read.push([bar.value, bar.max]))
            .observe(bar, { attributes: true });";
    reader.browser.script(watch).await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    assert!(!reader.sees("reading").await.unwrap());
    let read: Vec<(u32, u32)> = serde_json::from_value(reader.browser.script("return read").await.unwrap()).unwrap();
    let last = read.last().copied().unwrap_or_default();
    assert!(read.is_sorted() && last.0 >= 512 && last.1 >= 1000, "{read:?}");
    reader.press("stop").await.unwrap();
}
