//! About: a machine checks itself, and others see what it found.

use std::fs;

use peargpt::app::self_check::{MOST, REPLAY_PROMPT, REPLAY_SEED, REPLAY_TOKENS};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thirtyfour::prelude::*;

use crate::browser::PLAIN_HOST;
use crate::looks::expect_good_looks;
use crate::model::{FULL, Gpt2};
use crate::reader::{Reader, WEIGHTS};
use crate::replay::in_the_terminal;
use crate::server::{Fault, dist};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Has everything checked, and returns the JSON as it stands there.
async fn check(reader: &Reader) -> (String, Value) {
    reader.press("about-check").await.unwrap();
    reader.wait_for("done").await.unwrap();
    result(reader).await
}

async fn result(reader: &Reader) -> (String, Value) {
    let json = reader.text("about-json").await.unwrap();
    let found = serde_json::from_str(&json).unwrap();
    (json, found)
}

#[tokio::test]
async fn a_machine_checks_itself_and_others_see_what_it_found() {
    let reader = Reader::at("#/about").await.unwrap();
    let engine = "document.querySelector('main table')?.textContent.includes('WebAssembly')";
    reader.browser.wait_until(engine).await.unwrap();
    assert!(!reader.sees("about-json").await.unwrap(), "nothing is checked before the click");
    assert_eq!(reader.server.count(WEIGHTS), 0, "no weights come before the click");

    let (json, found) = check(&reader).await;
    let release = sha256(&fs::read(dist().join("release.json")).unwrap());
    assert_eq!(found["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(found["release"], release[..12]);
    assert_eq!((&found["replay"], &found["gpt2"]), (&json!("passed"), &json!("not stored")));
    assert_eq!(found["model"], "peargpt");
    let asked = ["--prompt", REPLAY_PROMPT, "--seed", &REPLAY_SEED.to_string(), "--tokens", &REPLAY_TOKENS.to_string()];
    assert_eq!(found["replay_sha256"], sha256(in_the_terminal(&asked).as_bytes()), "as `generate` writes it");
    for name in ["processor_threads", "load_ms", "prefill_ms", "decode_tokens_per_second", "decode_ms_p50"] {
        assert!(found[name].as_f64().unwrap() > 0.0, "{name} in {json}");
    }
    assert!(found["backend"].as_str().unwrap().starts_with("WebAssembly"), "{json}");
    assert!(found["user_agent"].as_str().unwrap().contains("Chrome"), "{json}");
    assert_eq!(reader.browser.left_the_machine(), Vec::<String>::new(), "GPT-2 is not fetched");
    expect_good_looks(&reader, "about").await;

    reader.press("about-copy").await.unwrap();
    let copied = "document.querySelector('[data-testid=about-copy]').textContent === 'Copied'";
    reader.browser.wait_until(copied).await.unwrap();
    assert_eq!(reader.browser.clipboard().await.unwrap(), json);
    reader.press("about-share").await.unwrap();
    reader
        .browser
        .wait_until(&copied.replace("about-copy", "about-share").replace("'Copied'", "'Link copied'"))
        .await
        .unwrap();
    let link = reader.browser.clipboard().await.unwrap();
    assert!(link.len() <= MOST, "{} characters", link.len());

    let weights = reader.server.count(WEIGHTS);
    reader.browser.open_tab(&link).await.unwrap();
    assert_eq!(result(&reader).await.0, json, "the address carries all of it");
    let heading = reader.browser.script("return document.querySelector('h1').textContent").await.unwrap();
    assert_eq!(heading, "Somebody else’s result");
    assert!(!reader.sees("about-check").await.unwrap(), "it is not this machine's");
    assert_eq!(reader.server.count(WEIGHTS), weights, "it is only shown");
    expect_good_looks(&reader, "about-shared").await;
}

#[tokio::test]
async fn a_damaged_result_is_refused_and_the_page_can_check_all_the_same() {
    let reader = Reader::new().await.unwrap();
    for (address, words) in [
        ("#/about?result=2~0.1.0~69138", "it has 2 values"),
        ("#/about?result=%3Cimg%20src=x%20onerror=alert(1)%3E", "another release"),
        ("#/about?result=%ff", "percent-encoded"),
        ("#/about?model=gpt2", "“model”"),
    ] {
        reader.open(address).await.unwrap();
        let said = format!("document.querySelector('[data-testid=error]')?.textContent.includes('{words}')");
        reader.browser.wait_until(&said).await.unwrap();
        assert!(!reader.sees("about-json").await.unwrap(), "{address}");
    }
    expect_good_looks(&reader, "about-refused").await;
    assert_eq!(check(&reader).await.1["replay"], "passed");
}

#[tokio::test]
async fn gpt2_is_compared_where_it_is_stored_and_stop_keeps_what_is_known() {
    let reader = Reader::new().await.unwrap();
    Gpt2::random(FULL, 1).host(&reader.server, peargpt::app::publish::SLICE);
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    let fetched = reader.server.count("weights/gpt2/");
    reader.open("#/about").await.unwrap();
    let compares = "document.querySelector('[data-testid=status]')?.textContent.includes('GPT-2')
        && !document.querySelector('[data-testid=about-progress]').hidden";
    reader.press("about-check").await.unwrap();
    reader.browser.wait_until(compares).await.unwrap();
    reader.press("about-stop").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    let found = result(&reader).await.1;
    assert_eq!((&found["replay"], &found["gpt2"]), (&json!("passed"), &Value::Null));
    assert_eq!(check(&reader).await.1["gpt2"], "failed", "random weights are not GPT-2's");
    assert_eq!(reader.server.count("weights/gpt2/"), fetched, "nothing is fetched again");
}

#[tokio::test]
async fn nothing_of_gpt2_comes_where_it_is_stored_in_part() {
    let reader = Reader::new().await.unwrap();
    Gpt2::random(FULL, 1).host(&reader.server, peargpt::app::publish::SLICE);
    reader.server.rewrite("\"stall_ms\":2000", "\"stall_ms\":600000");
    reader.server.always("weights/gpt2/gpt2.gguf.part009", Fault::StallAt(100));
    reader.open("#/gpt2").await.unwrap();
    reader.server.wait_for_bytes("part009", 100);
    reader.press("pause").await.unwrap();
    reader.wait_for("paused").await.unwrap();
    let fetched = reader.server.count("weights/gpt2/");
    reader.open("#/about").await.unwrap();
    assert_eq!(check(&reader).await.1["gpt2"], "not stored");
    assert_eq!(reader.server.count("weights/gpt2/"), fetched);
}

#[tokio::test]
async fn stop_ends_the_wait_and_a_failure_is_told() {
    let reader = Reader::new().await.unwrap();
    reader.server.rewrite("\"stall_ms\":2000", "\"stall_ms\":600000");
    reader.server.times(1, WEIGHTS, Fault::StallAt(100));
    reader.open("#/about").await.unwrap();
    reader.press("about-check").await.unwrap();
    reader.server.wait_for_bytes("peargpt.gguf", 100);
    reader.press("about-stop").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    reader.server.always(WEIGHTS, Fault::Status(404));
    reader.open("#/").await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.open("#/about").await.unwrap();
    reader.press("about-check").await.unwrap();
    let said = reader.failure().await.unwrap();
    assert!(said.contains("404"), "{said}");
    reader.server.heal();
    assert_eq!(check(&reader).await.1["replay"], "passed");
}

#[tokio::test]
async fn a_text_goes_on_as_before_after_a_check() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("prompt", "ROMEO:\n").await.unwrap();
    reader.fill("seed", "11").await.unwrap();
    reader.write(5).await.unwrap();
    reader.open("#/about").await.unwrap();
    check(&reader).await;
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for_model().await.unwrap();
    reader.press("continue").await.unwrap();
    let text = reader.finish().await.unwrap();
    let tokens = reader.number("tokens").await.unwrap().to_string();
    let whole = in_the_terminal(&["--seed", "11", "--tokens", &tokens, "--prompt", "ROMEO:\n"]);
    assert_eq!(text.trim_end(), whole.trim_end());
}

#[tokio::test]
async fn the_keyboard_checks_stops_and_shares() {
    let reader = Reader::at("#/").await.unwrap();
    reader.browser.find("theme").await.unwrap();
    reader.browser.script("document.querySelector('footer a').focus()").await.unwrap();
    let keys = async |key: Key| reader.browser.driver().action_chain().send_keys(key).perform().await.unwrap();
    let focus = async |testid: &str| {
        for _ in 0..30 {
            let at = reader.browser.script("return document.activeElement.dataset.testid ?? ''").await.unwrap();
            if at == testid {
                return;
            }
            keys(Key::Tab).await;
        }
        panic!("Tab does not reach `{testid}`");
    };
    keys(Key::Enter).await;
    reader.browser.find("about-check").await.unwrap();
    reader.browser.wait_until("document.activeElement.tagName === 'H1'").await.unwrap();
    focus("about-check").await;
    keys(Key::Enter).await;
    reader.wait_for("done").await.unwrap();
    let at = reader.browser.script("return document.activeElement.dataset.testid").await.unwrap();
    assert_eq!(at, "about-check", "the focus stays");
    for testid in ["about-stop", "about-json", "about-copy", "about-share"] {
        focus(testid).await;
    }
    keys(Key::Enter).await;
    let copied = "document.querySelector('[data-testid=about-share]').textContent === 'Link copied'";
    reader.browser.wait_until(copied).await.unwrap();
}

#[tokio::test]
async fn plain_http_has_no_sha256_and_says_so() {
    let reader = Reader::new().await.unwrap();
    let here = format!("127.0.0.1:{}", reader.server.port());
    let there = format!("{PLAIN_HOST}:{}", reader.server.port());
    reader.browser.open(&reader.server.url("#/about").replace(&here, &there)).await.unwrap();
    let (json, found) = check(&reader).await;
    assert_eq!((&found["replay"], &found["replay_sha256"]), (&json!("not compared"), &Value::Null));
    assert!(reader.text("status").await.unwrap().contains("https"), "it says why");
    reader.press("about-copy").await.unwrap();
    reader.browser.wait_until("!document.querySelector('[data-testid=about-copied]').hidden").await.unwrap();
    let shown: Value = serde_json::from_str(&reader.value("about-copied").await.unwrap()).unwrap();
    assert_eq!(shown, serde_json::from_str::<Value>(&json).unwrap());
}

#[tokio::test]
async fn the_licences_are_those_of_the_crates_that_are_shipped() {
    let reader = Reader::at("#/about").await.unwrap();
    reader.browser.find("about-check").await.unwrap();
    let link = reader.browser.driver().query(By::Css("main a[href*=licences]")).first().await.unwrap();
    assert_eq!(link.text().await.unwrap(), "Licences of all that is shipped");
    link.click().await.unwrap();
    let text = reader.browser.wait_until("!document.querySelector('main') && document.body.innerText").await.unwrap();
    let text = text.as_str().unwrap().to_string();
    for part in ["pearGPT's weights, where", "Shakespeare", "Copyright (c) 2019 OpenAI", "Rust's standard library"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    // `name version: terms, text N`
    let crates = text.lines().filter_map(|line| line.split_once(": ")?.0.split_once(' '));
    let lock = include_str!("../../Cargo.lock");
    let is_locked =
        |(name, version): &(&str, &str)| lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\""));
    let crates: Vec<(&str, &str)> = crates.filter(is_locked).collect();
    let has = |name: &str| crates.iter().any(|(found, _)| *found == name);
    for name in ["peargpt", "leptos", "candle-core", "wasm-bindgen", "sha2", "zip"] {
        assert!(has(name), "{name} is shipped");
    }
    for name in ["clap", "ctrlc", "indicatif", "thirtyfour", "tokio", "brotli", "serde_derive"] {
        assert!(!has(name), "{name} is not shipped");
    }
    assert!(crates.len() > 100, "{} crates", crates.len());
}
