//! From the prompt to the text, as a reader meets it when all is well.

use std::collections::BTreeSet;

use thirtyfour::prelude::*;

use crate::reader::{Change, Reader};
use crate::subject::{Subject, for_both_models};

for_both_models!(
    home_leads_to_a_model_and_its_text_grows,
    stop_ends_the_run_and_keeps_the_text,
    a_new_run_replaces_the_one_before,
    copy_puts_the_text_into_the_clipboard,
    a_permalink_repeats_the_text_in_a_new_tab,
    an_address_runs_by_itself,
    controls_and_a_drawn_seed_are_written_to_the_address,
    the_keyboard_starts_and_stops,
    what_a_control_does_not_take_is_said_and_nothing_runs,
    two_tabs_write_at_once,
    the_window_rolls_on_at_a_flat_price,
    the_exact_window_says_its_price_first,
    the_bench_leaves_its_numbers,
);

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

async fn home_leads_to_a_model_and_its_text_grows(subject: Subject) {
    let reader = subject.reader().await.unwrap();
    reader.open("#/").await.unwrap();
    let link = format!("main a[href='{}']", subject.route());
    let link = reader.browser.driver().query(By::Css(link)).first().await.unwrap();
    link.click().await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.watch().await.unwrap();
    let text = reader.write(1000).await.unwrap();
    let changes = reader.changes().await.unwrap();
    let lengths: BTreeSet<u64> =
        changes.iter().filter(|change| change.state == "generating").map(|change| change.length).collect();
    assert!(lengths.len() > 2, "text is shown as it is written: {lengths:?}");
    assert!(words(&text) >= 1000, "{text}");
    assert_eq!(reader.number("words").await.unwrap(), words(&text) as f64);
    assert!(reader.number("tokens").await.unwrap() >= 1000.0);
    assert!(reader.number("tokens-per-second").await.unwrap() > 0.0);
    assert!(reader.number("first-token-ms").await.unwrap() > 0.0);
}

async fn stop_ends_the_run_and_keeps_the_text(subject: Subject) {
    let reader = subject.ready().await.unwrap();
    // A small model would write all of the words before it can be stopped, were its window not computed for each token.
    reader.press("settings").await.unwrap();
    reader.fill("window", "exact").await.unwrap();
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    reader.press("stop").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    let text = reader.output().await.unwrap();
    assert!(!text.is_empty());
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(reader.output().await.unwrap(), text, "nothing is written after the stop");
    reader.press("continue").await.unwrap();
    reader
        .browser
        .wait_until(&format!("document.querySelector('[data-testid=output]').textContent.length > {}", text.len()))
        .await
        .unwrap();
    assert!(reader.output().await.unwrap().starts_with(&text), "Continue goes on from there");
    reader.press("stop").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    reader.press("clear").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), "");
}

async fn a_new_run_replaces_the_one_before(subject: Subject) {
    let reader = subject.ready().await.unwrap();
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    reader.fill("prompt", "JULIET:\n").await.unwrap();
    let text = reader.write(3).await.unwrap();
    assert!(text.starts_with("JULIET:\n"), "{text}");
    // After the words, at most 300 tokens to the end of the paragraph.
    assert!(words(&text) <= 304, "{text}");
}

async fn copy_puts_the_text_into_the_clipboard(subject: Subject) {
    let reader = subject.ready().await.unwrap();
    reader.fill("prompt", "ROMEO:\n").await.unwrap();
    let text = reader.write(10).await.unwrap();
    reader.press("copy").await.unwrap();
    assert_eq!(reader.browser.clipboard().await.unwrap(), text);
}

async fn a_permalink_repeats_the_text_in_a_new_tab(subject: Subject) {
    let reader = subject.ready().await.unwrap();
    reader.fill("prompt", "First Citizen:\nWho's there? & what; 'tis so\n").await.unwrap();
    reader.fill("temperature", "1.1").await.unwrap();
    reader.fill("top_k", "20").await.unwrap();
    reader.fill("repetition_penalty", "1.05").await.unwrap();
    let text = reader.write(12).await.unwrap();
    reader.press("share").await.unwrap();
    let permalink = reader.browser.clipboard().await.unwrap();
    assert!(permalink.starts_with(&reader.server.url(&format!("{}?", subject.route()))), "{permalink}");
    reader.browser.open_tab(&permalink).await.unwrap();
    assert_eq!(reader.finish().await.unwrap(), text);
    assert_eq!(reader.value("top_k").await.unwrap(), "20");
}

async fn an_address_runs_by_itself(subject: Subject) {
    let reader = subject.at("?prompt=ROMEO%3A%0A&words=5&seed=7&run=1").await.unwrap();
    let text = reader.finish().await.unwrap();
    assert!(text.starts_with("ROMEO:\n") && words(&text) >= 6, "{text}");
    assert_eq!(reader.value("seed").await.unwrap(), "7");
}

async fn controls_and_a_drawn_seed_are_written_to_the_address(subject: Subject) {
    let reader = subject.ready().await.unwrap();
    reader.fill("temperature", "0.35").await.unwrap();
    reader.address_with("temperature=0.35").await.unwrap();
    assert_eq!(reader.value("seed").await.unwrap(), "", "nothing is drawn before it is needed");
    let text = reader.write(5).await.unwrap();
    let seed = reader.value("seed").await.unwrap();
    seed.parse::<u32>().unwrap();
    reader.address_with(&format!("seed={seed}")).await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    reader.press("clear").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.press("generate").await.unwrap();
    assert_eq!(reader.finish().await.unwrap(), text, "the address bar repeats the run");
}

async fn the_keyboard_starts_and_stops(subject: Subject) {
    let reader = subject.ready().await.unwrap();
    reader.fill("words", "5000").await.unwrap();
    let prompt = reader.browser.find("prompt").await.unwrap();
    prompt.send_keys("KING:\nI").await.unwrap();
    prompt.send_keys(Key::Control + Key::Enter).await.unwrap();
    assert!(reader.first_text().await.unwrap().starts_with("KING:\nI"));
    reader.browser.driver().action_chain().send_keys(Key::Escape).perform().await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    assert_eq!(reader.value("prompt").await.unwrap(), "KING:\nI", "Ctrl+Enter adds no line");
}

#[tokio::test]
async fn the_focus_goes_from_stop_to_continue_and_back() {
    let reader = Reader::ready().await.unwrap();
    let focused = "document.activeElement.dataset.testid";
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    reader.press("stop").await.unwrap();
    reader.browser.wait_until(&format!("{focused} === 'continue'")).await.unwrap();
    reader.press("continue").await.unwrap();
    reader.browser.wait_until(&format!("{focused} === 'stop'")).await.unwrap();
    reader.press("stop").await.unwrap();
    reader.browser.wait_until(&format!("{focused} === 'continue'")).await.unwrap();
}

#[tokio::test]
async fn unknown_characters_are_named_and_nothing_is_lost() {
    let reader = Reader::ready().await.unwrap();
    let text = reader.write(3).await.unwrap();
    reader.fill("prompt", "Café 🦀 at 7").await.unwrap();
    let named = reader.text("unknown").await.unwrap();
    assert!(reader.sees("unknown").await.unwrap());
    for character in ["é", "🦀", "7"] {
        assert!(named.contains(character), "{character} is not named in `{named}`");
    }
    reader.press("generate").await.unwrap();
    assert_eq!(reader.state().await.unwrap(), "done", "nothing runs");
    assert_eq!(reader.output().await.unwrap(), text);
    assert_eq!(reader.value("prompt").await.unwrap(), "Café 🦀 at 7");
    reader.fill("prompt", "Cafe at").await.unwrap();
    assert!(!reader.sees("unknown").await.unwrap());
    reader.expect_recovery("Cafe at").await.unwrap();
}

async fn what_a_control_does_not_take_is_said_and_nothing_runs(subject: Subject) {
    let reader = subject.ready().await.unwrap();
    reader.fill("words", "5001").await.unwrap();
    reader.press("generate").await.unwrap();
    assert_eq!(reader.state().await.unwrap(), "ready");
    let said = reader.browser.script("return document.getElementById('words-problem').textContent").await.unwrap();
    assert!(said.as_str().unwrap().contains("1 to 5000"), "{said}");
    let wrong = format!("{}?words=none&model=0123456789ab", subject.route());
    reader.open(&wrong).await.unwrap();
    reader.browser.wait_until("document.querySelector('[data-testid=notice]').textContent").await.unwrap();
    let notice = reader.text("notice").await.unwrap();
    assert!(notice.contains("`none`"), "a wrong address is said, not hidden: {notice}");
    assert!(notice.contains("0123456789ab"), "so are other weights: {notice}");
}

async fn two_tabs_write_at_once(subject: Subject) {
    let run = "?words=60&seed=3&run=1";
    let reader = subject.at(run).await.unwrap();
    let driver = reader.browser.driver();
    let first = driver.window().await.unwrap();
    reader.browser.open_tab(&reader.server.url(&format!("{}{run}", subject.route()))).await.unwrap();
    let text = reader.finish().await.unwrap();
    driver.switch_to_window(first).await.unwrap();
    assert_eq!(reader.finish().await.unwrap(), text);
}

#[tokio::test]
async fn greedy_texts_are_the_committed_ones() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("temperature", "0").await.unwrap();
    let golden = [
        ("First Citizen:\nBefore we proceed any further, hear me speak.", include_str!("../golden/citizen.txt")),
        ("Second Murderer:\nWhat, shall we", include_str!("../golden/murderer.txt")),
    ];
    for (prompt, expected) in golden {
        reader.fill("prompt", prompt).await.unwrap();
        let text = reader.write(40).await.unwrap();
        let written: String = text.strip_prefix(prompt).unwrap().chars().take(expected.chars().count()).collect();
        assert_eq!(written, expected, "after {prompt:?}");
    }
}

async fn the_window_rolls_on_at_a_flat_price(subject: Subject) {
    let reader = subject.ready().await.unwrap();
    reader.watch().await.unwrap();
    reader.write(600).await.unwrap();
    let changes = reader.changes().await.unwrap();
    let last = changes.last().unwrap();
    let crossings = last.window_crossings;
    assert!(crossings > 3, "crossed {crossings} times");
    // A crossing computes the newer half of the context again, the tenth as the first. A frame that falls into one
    // shows only a part of its rows.
    let half = subject.context() / 2;
    let overhead = |change: &Change| change.forwarded_rows - change.tokens - half * change.window_crossings;
    assert_eq!(changes.iter().map(overhead).max(), Some(overhead(last)), "half a window extra per crossing");
    // Frames may miss crossings of a small model, but not the half of them.
    let early = changes.iter().rfind(|change| (1..=crossings / 2).contains(&change.window_crossings)).unwrap();
    assert_eq!(last.memory, early.memory, "memory after crossing {crossings} and {}", early.window_crossings);
}

async fn the_exact_window_says_its_price_first(subject: Subject) {
    let reader = subject.ready().await.unwrap();
    assert!(!reader.sees("notice").await.unwrap());
    reader.press("settings").await.unwrap();
    reader.fill("window", "exact").await.unwrap();
    let notice = reader.text("notice").await.unwrap();
    assert!(notice.contains("exact window") && notice.contains(&format!("{} tokens", subject.context())), "{notice}");
    reader.address_with("window=exact").await.unwrap();
    reader.write(3).await.unwrap();
    assert_eq!(
        reader.browser.find("stats").await.unwrap().attr("data-window").await.unwrap().as_deref(),
        Some("exact")
    );
}

async fn the_bench_leaves_its_numbers(subject: Subject) {
    let reader = subject.reader().await.unwrap();
    let model = subject.route().trim_start_matches("#/");
    reader.open(&format!("#/bench?model={model}&prompt_tokens=40&tokens=16")).await.unwrap();
    reader.wait_for("done").await.unwrap();
    let json = reader.text("bench-json").await.unwrap();
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    for (name, expected) in [("prefill_tokens", 40), ("decode_tokens", 16)] {
        assert_eq!(report[name], expected, "{name} in {json}");
    }
    assert_eq!(report["model"], model);
    if subject == Subject::PearGpt {
        assert_eq!(report["parameters"], 9_967_040);
    }
    for name in ["weight_bytes", "threads", "load_ms", "prefill_ms", "decode_tokens_per_second", "decode_ms_p50"] {
        assert!(report[name].as_f64().unwrap() > 0.0, "{name} in {json}");
    }
    for name in ["decode_ms_p95", "read_gb_per_second", "wasm_memory_bytes"] {
        assert!(report[name].as_f64().unwrap() > 0.0, "{name} in {json}");
    }
    for name in ["backend", "user_agent"] {
        assert!(!report[name].as_str().unwrap().is_empty(), "{name} in {json}");
    }
}
