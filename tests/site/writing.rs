//! From the prompt to the text, as a reader meets it when all is well.

use thirtyfour::prelude::*;

use crate::reader::Reader;

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

#[tokio::test]
async fn home_leads_to_peargpt_and_its_text_grows() {
    let reader = Reader::at("#/").await.unwrap();
    let link = reader.browser.driver().query(By::Css("main a[href='#/peargpt']")).first().await.unwrap();
    link.click().await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.fill("words", "50").await.unwrap();
    reader.press("generate").await.unwrap();
    let begun = reader.first_text().await.unwrap();
    assert_eq!(reader.state().await.unwrap(), "generating", "text is shown as it is written");
    let text = reader.finish().await.unwrap();
    assert!(text.starts_with(&begun) && text.len() > begun.len(), "{begun:?} grew into {text:?}");
    assert!(words(&text) >= 50, "{text}");
    assert_eq!(reader.number("words").await.unwrap(), words(&text) as f64);
    assert!(reader.number("tokens").await.unwrap() >= 50.0);
    assert!(reader.number("tokens-per-second").await.unwrap() > 0.0);
    assert!(reader.number("first-token-ms").await.unwrap() > 0.0);
}

#[tokio::test]
async fn stop_ends_the_run_and_keeps_the_text() {
    let reader = Reader::ready().await.unwrap();
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

#[tokio::test]
async fn a_new_run_replaces_the_one_before() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    reader.fill("prompt", "JULIET:\n").await.unwrap();
    let text = reader.write(3).await.unwrap();
    assert!(text.starts_with("JULIET:\n"), "{text}");
    assert!(words(&text) < 200, "{text}");
}

#[tokio::test]
async fn copy_puts_the_text_into_the_clipboard() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("prompt", "ROMEO:\n").await.unwrap();
    let text = reader.write(10).await.unwrap();
    reader.press("copy").await.unwrap();
    reader
        .browser
        .wait_until("document.querySelector('[data-testid=copy]').textContent.includes('Copied')")
        .await
        .unwrap();
    assert_eq!(reader.browser.clipboard().await.unwrap(), text);
}

#[tokio::test]
async fn a_permalink_repeats_the_text_in_a_new_tab() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("prompt", "First Citizen:\nWho's there? & what; 'tis so\n").await.unwrap();
    reader.fill("temperature", "1.1").await.unwrap();
    reader.fill("top_k", "20").await.unwrap();
    reader.fill("repetition_penalty", "1.05").await.unwrap();
    let text = reader.write(12).await.unwrap();
    reader.press("share").await.unwrap();
    reader
        .browser
        .wait_until("document.querySelector('[data-testid=share]').textContent.includes('copied')")
        .await
        .unwrap();
    let permalink = reader.browser.clipboard().await.unwrap();
    assert!(permalink.starts_with(&reader.server.url("#/peargpt?")), "{permalink}");
    reader.browser.open_tab(&permalink).await.unwrap();
    assert_eq!(reader.finish().await.unwrap(), text);
    assert_eq!(reader.value("top_k").await.unwrap(), "20");
}

#[tokio::test]
async fn an_address_runs_by_itself() {
    let reader = Reader::at("#/peargpt?prompt=ROMEO%3A%0A&words=5&seed=7&run=1").await.unwrap();
    let text = reader.finish().await.unwrap();
    assert!(text.starts_with("ROMEO:\n") && words(&text) >= 6, "{text}");
    assert_eq!(reader.value("seed").await.unwrap(), "7");
}

#[tokio::test]
async fn controls_and_a_drawn_seed_are_written_to_the_address() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("temperature", "0.35").await.unwrap();
    reader.address_with("temperature=0.35").await.unwrap();
    assert_eq!(reader.value("seed").await.unwrap(), "", "nothing is drawn before it is needed");
    let text = reader.write(5).await.unwrap();
    let seed = reader.value("seed").await.unwrap();
    seed.parse::<u32>().unwrap();
    reader.address_with(&format!("seed={seed}")).await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.press("generate").await.unwrap();
    assert_eq!(reader.finish().await.unwrap(), text, "the address bar repeats the run");
}

#[tokio::test]
async fn the_keyboard_starts_and_stops() {
    let reader = Reader::ready().await.unwrap();
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

#[tokio::test]
async fn what_a_control_does_not_take_is_said_and_nothing_runs() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("words", "5001").await.unwrap();
    reader.press("generate").await.unwrap();
    assert_eq!(reader.state().await.unwrap(), "ready");
    let said = reader.browser.script("return document.getElementById('words-problem').textContent").await.unwrap();
    assert!(said.as_str().unwrap().contains("1 to 5000"), "{said}");
    let reader = Reader::at("#/peargpt?words=none&model=0123456789ab").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    let notice = reader.text("notice").await.unwrap();
    assert!(notice.contains("`none`"), "a wrong address is said, not hidden: {notice}");
    assert!(notice.contains("0123456789ab"), "so are other weights: {notice}");
}

#[tokio::test]
async fn two_tabs_write_at_once() {
    let reader = Reader::at("#/peargpt?words=60&seed=3&run=1").await.unwrap();
    let driver = reader.browser.driver();
    let first = driver.window().await.unwrap();
    reader.browser.open_tab(&reader.server.url("#/peargpt?words=60&seed=3&run=1")).await.unwrap();
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
        ("ROMEO:\nBut soft, what light", include_str!("../golden/romeo.txt")),
    ];
    for (prompt, expected) in golden {
        reader.fill("prompt", prompt).await.unwrap();
        let text = reader.write(40).await.unwrap();
        let written: String = text.strip_prefix(prompt).unwrap().chars().take(expected.chars().count()).collect();
        assert_eq!(written, expected, "after {prompt:?}");
    }
}

#[tokio::test]
async fn the_window_rolls_on_at_a_flat_price() {
    let reader = Reader::ready().await.unwrap();
    // Every change of the numbers: crossings, rows, tokens, memory.
    let watch = "const stats = document.querySelector('[data-testid=stats]');
        window.samples = [];
        new MutationObserver(() => {
            const { windowCrossings, forwardedRows, tokens, wasmMemoryBytes } = stats.dataset;
            window.samples.push([windowCrossings, forwardedRows, tokens, wasmMemoryBytes].map(Number));
        }).observe(stats, { attributes: true })";
    reader.browser.script(watch).await.unwrap();
    reader.write(150).await.unwrap();
    let samples = reader.browser.script("return window.samples").await.unwrap();
    let samples: Vec<[i64; 4]> = serde_json::from_value(samples).unwrap();
    // The last of each: at first the window is still being computed, tile by tile.
    let after = |crossings: i64| samples.iter().rfind(|sample| sample[0] == crossings).unwrap();
    let (first, third, last) = (after(1), after(3), samples.last().unwrap());
    assert!(last[0] > 3, "crossed {} times", last[0]);
    assert_eq!(third[3], first[3], "memory after the third crossing is that after the first");
    assert_eq!(last[3], first[3], "and so it stays");
    // pearGPT's context is 256; a crossing computes the newer half of it again.
    let overhead = |sample: &[i64; 4]| sample[1] - sample[2] - 128 * sample[0];
    assert_eq!(overhead(third), overhead(first), "half a window extra per crossing");
    assert_eq!(overhead(last), overhead(first), "half a window extra per crossing");
}

#[tokio::test]
async fn the_exact_window_says_its_price_first() {
    let reader = Reader::ready().await.unwrap();
    assert!(!reader.sees("notice").await.unwrap());
    reader.press("settings").await.unwrap();
    reader.fill("window", "exact").await.unwrap();
    let notice = reader.text("notice").await.unwrap();
    assert!(notice.contains("exact window") && notice.contains("256 tokens"), "{notice}");
    reader.address_with("window=exact").await.unwrap();
    reader.write(3).await.unwrap();
    assert_eq!(
        reader.browser.find("stats").await.unwrap().attr("data-window").await.unwrap().as_deref(),
        Some("exact")
    );
}

#[tokio::test]
async fn the_bench_leaves_its_numbers() {
    let reader = Reader::at("#/bench?model=peargpt&prompt_tokens=40&tokens=16").await.unwrap();
    reader.wait_for("done").await.unwrap();
    let json = reader.text("bench-json").await.unwrap();
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    for (name, expected) in [("parameters", 9_967_040), ("prefill_tokens", 40), ("decode_tokens", 16)] {
        assert_eq!(report[name], expected, "{name} in {json}");
    }
    for name in ["weight_bytes", "threads", "load_ms", "prefill_ms", "decode_tokens_per_second", "decode_ms_p50"] {
        assert!(report[name].as_f64().unwrap() > 0.0, "{name} in {json}");
    }
    for name in ["decode_ms_p95", "read_gb_per_second", "wasm_memory_bytes"] {
        assert!(report[name].as_f64().unwrap() > 0.0, "{name} in {json}");
    }
    for name in ["model", "backend", "user_agent"] {
        assert!(!report[name].as_str().unwrap().is_empty(), "{name} in {json}");
    }
}
