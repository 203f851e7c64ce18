//! Whether it is GPT-2, as the page says it. Random weights of GPT-2's shape are not; the real ones cannot be here.

use std::time::Duration;

use peargpt::evaluate::verify::{Check, Greedy, Verification, published};
use peargpt::tokenizer::TokenSpan;
use serde_json::json;
use thirtyfour::prelude::*;

use crate::looks::expect_good_looks;
use crate::model::{FULL, Gpt2};
use crate::reader::Reader;
use crate::subject::Subject;
use crate::worker::{Break, breakable, worker_that};

/// The number of its prompts, and of the tokens that are written after one more.
const STEPS: u32 = 5 + 18;

/// A reader whose model of GPT-2's shape is ready.
async fn before_random_weights() -> Reader {
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page(&breakable()).await.unwrap();
    Gpt2::random(FULL, 1).host(&reader.server, peargpt::app::publish::SLICE);
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader
}

/// Waits until the verdict begins so, and returns all of it.
async fn verdict(reader: &Reader, begins: &str) -> String {
    let verdict = "document.querySelector('[data-testid=verification] .verdict')?.textContent";
    let expression = format!("{verdict}?.startsWith('{begins}') && {verdict}");
    reader.browser.wait_until(&expression).await.unwrap().as_str().unwrap().to_string()
}

/// Texts of the elements that a selector finds.
async fn texts(reader: &Reader, selector: &str) -> Vec<String> {
    let script = format!("return [...document.querySelectorAll('{selector}')].map((found) => found.textContent)");
    serde_json::from_value(reader.browser.script(&script).await.unwrap()).unwrap()
}

async fn attribute(reader: &Reader, testid: &str, name: &str) -> Option<String> {
    reader.browser.find(testid).await.unwrap().attr(name).await.unwrap()
}

/// It counts up to the end, and says what differs, prompt by prompt.
async fn expect_another_model(reader: &Reader) {
    let watch = "const bar = document.querySelector('[data-testid=verify-progress]');
        window.steps = [];
        new MutationObserver(() => bar.hidden || window.steps.push([bar.value, bar.max]))
            .observe(bar, { attributes: true });";
    reader.browser.script(watch).await.unwrap();
    reader.press("verify").await.unwrap();
    let said = verdict(reader, "It is ").await;
    for kind in ["It is not GPT-2 as published.", " tokens (5 of 5 prompts), the likeliest token (5 of 5"] {
        assert!(said.contains(kind), "`{kind}` is not in: {said}");
    }
    assert_eq!(attribute(reader, "verification", "data-passed").await.as_deref(), Some("false"));
    let steps: Vec<(u32, u32)> = serde_json::from_value(reader.browser.script("return steps").await.unwrap()).unwrap();
    let is_at_end = steps.last().is_some_and(|(done, all)| *all == STEPS && *done >= STEPS - 1);
    assert!(steps.len() > 5 && steps.is_sorted() && is_at_end, "{steps:?}");
    let prompts = texts(reader, "[data-testid=verification] .check[data-passed=false] .check-name").await;
    assert_eq!(prompts.len(), 5);
    assert!(prompts[1].contains("Not as published: “Artificial Intelligence is transforming the”"), "{prompts:?}");
    let problems = texts(reader, "[data-testid=verification] .check[data-passed=false] details li:first-child").await;
    assert!(problems[1].contains("expected [8001, 9542, 9345, 318, 25449, 262]"), "{problems:?}");
    let text = texts(reader, "[data-testid=verification] .check:last-child").await.remove(0);
    assert!(text.contains("“The dog”") && text.contains(" was found in a field near"), "{text}");
    assert!(text.contains("Differs, which is allowed"), "weights of 8 bits need not write the same: {text}");
}

/// It ends when the reader says so, or wants something else.
async fn expect_ends(reader: &Reader, how: &str) {
    reader.press("verify").await.unwrap();
    verdict(reader, "Comparing").await;
    reader.press(how).await.unwrap();
    verdict(reader, "Stopped").await;
    assert_eq!(attribute(reader, "verification", "data-passed").await, None);
    assert!(!reader.sees("verify-progress").await.unwrap());
    tokio::time::sleep(Duration::from_millis(300)).await;
    verdict(reader, "Stopped").await;
}

#[tokio::test]
async fn random_weights_are_not_gpt2() {
    let reader = before_random_weights().await;
    expect_ends(&reader, "verify-stop").await;
    expect_another_model(&reader).await;
    expect_good_looks(&reader, "not-verified").await;
    // A text ends it, and can be gone on with after another one (tests/site/turns.rs: it waits for a text).
    reader.fill("words", "5000").await.unwrap();
    expect_ends(&reader, "generate").await;
    let text = reader.first_text().await.unwrap();
    reader.press("stop").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    expect_another_model(&reader).await;
    assert_eq!(reader.state().await.unwrap(), "stopped");
    assert!(reader.output().await.unwrap().starts_with(&text));
    reader.press("continue").await.unwrap();
    reader.wait_for("generating").await.unwrap();
    reader.press("stop").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    // A worker that breaks says so, and the next one compares.
    reader.press("verify").await.unwrap();
    verdict(&reader, "Comparing").await;
    reader.break_worker(Break::Error).await.unwrap();
    let said = "document.querySelector('[data-testid=verify-error]')?.textContent";
    let said = reader.browser.wait_until(said).await.unwrap();
    assert!(said.as_str().unwrap().contains("was restarted"), "{said}");
    reader.press("verify").await.unwrap();
    verdict(&reader, "It is not").await;
    assert_eq!(reader.text("verify-error").await.unwrap(), "");
}

#[tokio::test]
async fn models_that_nothing_is_published_of_are_not_verified() {
    for subject in [Subject::PearGpt, Subject::Gpt2] {
        let reader = subject.ready().await.unwrap();
        let found = reader.browser.driver().find_all(By::Css("[data-testid=verify]")).await.unwrap();
        assert!(found.is_empty(), "{subject:?}");
    }
}

/// A reader of pearGPT whose worker believes that figures are published of it, and, where it is to say something else
/// than that there are none, says this.
async fn before_a_worker_that_finds(found: Option<Verification>) -> Reader {
    let reader = Reader::new().await.unwrap();
    let script = format!(
        "const [plain, found] = [self.postMessage.bind(self), {}];
         self.postMessage = ([event, files]) => {{
             if (event.Loaded) event.Loaded.can_be_verified = true;
             const run = found && event.Failed?.task.Run;
             plain([run ? {{ Verified: {{ run, verification: found }} }} : event, files]);
         }};
",
        json!(found)
    );
    reader.browser.before_every_page(&worker_that(&script.replace('\\', "\\\\"))).await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.press("verify").await.unwrap();
    reader
}

/// What GPT-2's own weights may give in 8 bits.
fn as_published() -> Verification {
    let figures = published().unwrap();
    let check = |expectation: &peargpt::evaluate::verify::Expectation| Check {
        prompt: expectation.prompt.clone(),
        tokens_equal: true,
        expected_top1: expectation.top10[0].id,
        found_top1: TokenSpan { id: expectation.top10[0].id, text: " next\n".into() },
        shared_top10: 9,
        largest_difference: 0.456,
        tolerance: 2.5,
        problems: Vec::new(),
        passed: true,
    };
    let (prompt, expected) = (figures.continuation.prompt, figures.continuation.text);
    let greedy = Greedy { prompt, expected, found: " was\n\nhere".into(), required: false };
    Verification { checks: figures.expectations.iter().map(check).collect(), greedy, passed: true }
}

#[tokio::test]
async fn what_is_as_published_is_said_and_what_rounding_may_change() {
    let reader = before_a_worker_that_finds(Some(as_published())).await;
    let said = verdict(&reader, "It is ").await;
    assert_eq!(said, "It is GPT-2: tokens and logits are as published; the text may differ.");
    assert_eq!(attribute(&reader, "verification", "data-passed").await.as_deref(), Some("true"));
    let checks = texts(&reader, "[data-testid=verification] .check[data-passed=true]").await;
    assert_eq!(checks.len(), 5);
    for words in ["As published: “On the deserted planet", "“ next↵”", "9 shared", "0.46, allowed 2.50"] {
        assert!(checks[3].contains(words), "`{words}` is not in: {}", checks[3]);
    }
    let help = texts(&reader, ".verify .help").await.join(" ");
    assert!(help.contains("rounded, as a rule to 8 bits") && help.contains("does not count"), "{help}");
    let greedy = texts(&reader, "[data-testid=verification] .check:last-child dd").await;
    assert_eq!(greedy, [as_published().greedy.found, as_published().greedy.expected]);
    expect_good_looks(&reader, "verified").await;

    let text_too = Verification {
        greedy: Greedy { found: as_published().greedy.expected, ..as_published().greedy },
        ..as_published()
    };
    let reader = before_a_worker_that_finds(Some(text_too)).await;
    assert_eq!(verdict(&reader, "It is ").await, "It is GPT-2: tokens, logits and text are as published.");
}

#[tokio::test]
async fn a_model_of_another_shape_is_told_so() {
    let reader = before_a_worker_that_finds(None).await;
    let said = "document.querySelector('[data-testid=verify-error]')?.textContent";
    let said = reader.browser.wait_until(said).await.unwrap();
    let words = "nothing to compare this model with: the figures are those of a model of 124439808 parameters";
    assert!(said.as_str().unwrap().contains(words), "{said}");
    reader.expect_recovery("").await.unwrap();
}
