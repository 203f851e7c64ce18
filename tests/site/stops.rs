//! Stop sequences, presets, and the way back to the defaults.

use thirtyfour::prelude::*;

use crate::reader::Reader;
use crate::replay::in_the_terminal;
use crate::sharing::repeated;

/// Has `seen` hold every text that stands on the page.
const WATCH_TEXT: &str = "
    const output = document.querySelector('[data-testid=output]');
    window.seen = [];
    new MutationObserver(() => window.seen.push(output.textContent))
        .observe(output, { subtree: true, childList: true, characterData: true });";

#[tokio::test]
async fn a_text_ends_before_a_stop_sequence_as_in_the_terminal() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("prompt", "ROMEO:").await.unwrap();
    reader.fill("seed", "120").await.unwrap();
    reader.press("settings").await.unwrap();
    reader.fill("stop-sequences", "nowhere\nJULIET:\n").await.unwrap();
    let address = reader.address_with("stop=JULIET%3A").await.unwrap();
    assert!(address.contains("stop=nowhere&"), "{address}");
    reader.browser.script(WATCH_TEXT).await.unwrap();
    let text = reader.write(60).await.unwrap();
    let expected = in_the_terminal(&["--words=60", "--seed=120", "--stop=nowhere", "--stop=JULIET:", "ROMEO:"]);
    assert_eq!(text, expected);
    let seen = reader.browser.script("return window.seen.filter((text) => /J(U(L|$)|$)/.test(text))").await.unwrap();
    assert_eq!(seen, serde_json::json!([]), "nothing of it is ever shown");
    let reason = reader.browser.find("stats").await.unwrap().attr("data-reason").await.unwrap();
    assert_eq!(reason.as_deref(), Some("stop"));
    assert!(reader.text("status").await.unwrap().contains("stop sequence"));
    assert_eq!(reader.number("words").await.unwrap(), (text.split_whitespace().count() - 1) as f64);

    // Not continued, it is repeated by its settings.
    let (link, again) = repeated(&reader).await;
    assert!(link.contains("stop=JULIET%3A") && !link.contains("tokens="), "{link}");
    assert_eq!(again, text);
    assert_eq!(reader.value("stop-sequences").await.unwrap(), "nowhere\nJULIET:");
}

#[tokio::test]
async fn continue_goes_on_behind_the_stop_sequence_up_to_the_next() {
    let reader = Reader::at("#/peargpt?prompt=ROMEO%3A&words=60&seed=120&stop=JULIET%3A&stop=%5Cn%5CnROMEO%3A&run=1");
    let reader = reader.await.unwrap();
    let first = reader.finish().await.unwrap();
    reader.press("continue").await.unwrap();
    reader.browser.wait_until(&format!("{} > {}", LENGTH, first.len())).await.unwrap();
    let second = reader.finish().await.unwrap();
    let whole = in_the_terminal(&["--words=60", "--seed=120", "ROMEO:"]);
    let behind = whole[first.len()..].split("\n\nROMEO:").next().unwrap();
    assert_eq!(second, format!("{first}{behind}"), "the sequence is shown once the text goes on");
    let (link, again) = repeated(&reader).await;
    let tokens = format!("tokens={}&", second.len() + "\n\nROMEO:".len() - "ROMEO:".len());
    assert!(link.contains(&tokens) && link.contains("stop="), "{tokens} in {link}");
    assert_eq!(again, second);
    // Where no sequence has ended the text, the link needs none of them.
    reader.fill("words", "5").await.unwrap();
    reader.press("continue").await.unwrap();
    reader.browser.wait_until(&format!("{} > {}", LENGTH, second.len())).await.unwrap();
    let third = reader.finish().await.unwrap();
    assert!(third.starts_with(&format!("{second}\n\nROMEO:")) && third.ends_with("\n\n"), "{third:?}");
    let (link, again) = repeated(&reader).await;
    assert!(link.contains("tokens=") && !link.contains("stop="), "{link}");
    assert_eq!(again, third);
}

/// How long the text is.
const LENGTH: &str = "document.querySelector('[data-testid=output]').textContent.length";

#[tokio::test]
async fn too_many_stop_sequences_are_said() {
    let reader = Reader::ready().await.unwrap();
    reader.press("settings").await.unwrap();
    reader.fill("stop-sequences", "a\nb\nc\nd\ne").await.unwrap();
    reader.press("generate").await.unwrap();
    assert_eq!(reader.state().await.unwrap(), "ready", "nothing runs");
    let said = reader.browser.script("return document.getElementById('stop-problem').textContent").await.unwrap();
    assert!(said.as_str().unwrap().contains("up to 4 texts of 1 to 100 characters"), "{said}");
}

/// The presets that are pressed.
async fn pressed(reader: &Reader) -> Vec<String> {
    let pressed = By::Css("[data-testid=settings] [aria-pressed=true]");
    let mut names = Vec::new();
    for button in reader.browser.driver().query(pressed).nowait().any().await.unwrap() {
        names.push(button.text().await.unwrap());
    }
    names
}

async fn values<const N: usize>(reader: &Reader, names: [&str; N]) -> Vec<String> {
    let mut values = Vec::new();
    for name in names {
        values.push(reader.value(name).await.unwrap());
    }
    values
}

#[tokio::test]
async fn presets_set_the_sampling_and_reset_brings_all_back() {
    let reader = Reader::at("#/gpt2?prompt=I+am&seed=7&words=9").await.unwrap();
    reader.press("settings").await.unwrap();
    let sampling = ["temperature", "top_k", "top_p", "min_p", "repetition_penalty"];
    assert_eq!(pressed(&reader).await, ["Balanced"]);
    assert_eq!(values(&reader, sampling).await, ["0.8", "50", "0.95", "0", "1"]);
    reader.fill("repetition_penalty", "1.2").await.unwrap();
    assert_eq!(pressed(&reader).await, [""; 0]);
    for (preset, name, expected) in [
        ("preset-surprising", "Surprising", ["1.2", "0", "1", "0.05", "1"]),
        ("preset-predictable", "Predictable", ["0.5", "50", "0.9", "0", "1"]),
        ("preset-greedy", "Greedy", ["0", "50", "0.95", "0", "1"]),
        ("preset-balanced", "Balanced", ["0.8", "50", "0.95", "0", "1"]),
    ] {
        reader.press(preset).await.unwrap();
        assert_eq!(values(&reader, sampling).await, expected);
        assert_eq!(pressed(&reader).await, [name]);
    }
    assert_eq!(values(&reader, ["prompt", "seed", "words"]).await, ["I am", "7", "9"]);

    for (name, value) in [("min_p", "5"), ("stop-sequences", "a\n\\n"), ("tokens", "12"), ("window", "exact")] {
        reader.fill(name, value).await.unwrap();
    }
    assert_eq!(pressed(&reader).await, [""; 0], "5 is wrong");
    reader.press("reset-settings").await.unwrap();
    assert_eq!(values(&reader, sampling).await, ["0.8", "50", "0.95", "0", "1"]);
    assert_eq!(values(&reader, ["stop-sequences", "tokens", "window", "words"]).await, ["", "", "rolling", "200"]);
    assert_eq!(values(&reader, ["prompt", "seed"]).await, ["I am", "7"]);
    reader.browser.wait_until("location.hash === '#/gpt2?prompt=I%20am&seed=7'").await.unwrap();
}
