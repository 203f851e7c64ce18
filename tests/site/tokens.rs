//! The prompt's tokens, as one types.

use crate::reader::Reader;
use crate::subject::Subject;

/// Waits until the page counts so many.
async fn expect_count(reader: &Reader, count: &str) {
    let shown = format!("document.querySelector('[data-testid=token-count]').textContent.trim() === '{count}'");
    reader.browser.wait_until(&shown).await.unwrap();
}

/// What stands in the view, piece by piece, and the ids.
async fn spans(reader: &Reader) -> Vec<(String, u32)> {
    let spans = "return [...document.querySelectorAll('[data-testid=token-list] [data-id]')]
        .map((span) => [span.textContent, +span.dataset.id])";
    serde_json::from_value(reader.browser.script(spans).await.unwrap()).unwrap()
}

#[tokio::test]
async fn tokens_are_counted_and_shown_as_one_types() {
    let reader = Subject::Gpt2.ready().await.unwrap();
    expect_count(&reader, "0 tokens").await;
    reader.fill("prompt", " pear").await.unwrap();
    expect_count(&reader, "1 token").await;
    // Two words of the vocabulary, a letter, and a character of four bytes without a merge.
    reader.fill("prompt", " old treex🍐").await.unwrap();
    expect_count(&reader, "7 tokens").await;
    reader.press("prompt-tokens").await.unwrap();
    reader.browser.wait_until("document.querySelector('[data-testid=token-list] [data-id]')").await.unwrap();
    let spans = spans(&reader).await;
    let texts: Vec<&str> = spans.iter().map(|(text, _)| text.trim()).collect();
    assert_eq!(texts, ["old", "tree", "x", "\\xF0", "\\x9F", "\\x8D", "\\x90"]);
    assert_eq!(spans[2].1, u32::from(b'x'), "the small vocabulary begins with the bytes");
    assert!(spans[0].1 > 255 && spans[1].1 > 255, "{spans:?}");
}

#[tokio::test]
async fn counting_disturbs_no_run() {
    let reader = Subject::Gpt2.ready().await.unwrap();
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    reader.fill("prompt", &" pear".repeat(50_000)).await.unwrap();
    expect_count(&reader, "50000 tokens").await;
    reader.finish().await.unwrap();
    assert!(reader.number("words").await.unwrap() >= 5000.0, "the run went on to its end");
}

#[tokio::test]
async fn a_model_of_characters_has_no_such_panel() {
    let reader = Subject::PearGpt.ready().await.unwrap();
    reader.fill("prompt", "To be").await.unwrap();
    assert!(!reader.sees("token-count").await.unwrap());
    assert!(!reader.sees("prompt-tokens").await.unwrap());
}
