//! A text lasts as long as its tab: it survives a reload, a visit to another model, and the next text, and Continue writes
//! what it would have written.

use crate::model::{Gpt2, SMALL};
use crate::reader::Reader;
use crate::sharing::repeated;
use crate::subject::SLICE;

/// A reader with pearGPT ready, and a small GPT-2 beside it.
async fn with_both() -> Reader {
    let reader = Reader::new().await.unwrap();
    Gpt2::random(SMALL, 7).host(&reader.server, SLICE);
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader
}

/// Continues the text, and checks that its link leads to the same bytes.
async fn expect_continuation(reader: &Reader, text: &str) {
    reader.press("continue").await.unwrap();
    let longer = reader.finish().await.unwrap();
    assert!(longer.starts_with(text) && longer.len() > text.len(), "{longer:?} continues {text:?}");
    let (link, again) = repeated(reader).await;
    assert_eq!(again, longer, "{link}");
}

#[tokio::test]
async fn a_text_survives_a_reload_and_is_continued() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("prompt", "ROMEO:\n").await.unwrap();
    // Further than a context reaches.
    reader.press("generate").await.unwrap();
    reader.finish().await.unwrap();
    reader.press("continue").await.unwrap();
    let text = reader.finish().await.unwrap();
    let (tokens, seed) = (reader.number("tokens").await.unwrap(), reader.value("seed").await.unwrap());
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for("done").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), text);
    assert_eq!(reader.number("tokens").await.unwrap(), tokens);
    assert_eq!(reader.value("seed").await.unwrap(), seed);
    expect_continuation(&reader, &text).await;
}

#[tokio::test]
async fn a_text_that_is_being_written_survives_a_reload_as_far_as_it_came() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    let before = reader.first_text().await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    let text = reader.output().await.unwrap();
    assert!(text.starts_with(&before));
    reader.fill("words", "3").await.unwrap();
    expect_continuation(&reader, &text).await;
}

#[tokio::test]
async fn a_text_survives_a_visit_to_another_model() {
    let reader = with_both().await;
    let text = reader.write(5).await.unwrap();
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    let other = reader.write(3).await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("done").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), text);
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("done").await.unwrap();
    expect_continuation(&reader, &other).await;
}

#[tokio::test]
async fn an_earlier_text_is_taken_up_again() {
    let reader = Reader::ready().await.unwrap();
    assert!(!reader.sees("history").await.unwrap());
    reader.fill("prompt", "ROMEO:\n").await.unwrap();
    let first = reader.write(5).await.unwrap();
    reader.fill("prompt", "JULIET:\n").await.unwrap();
    let second = reader.write(5).await.unwrap();
    reader.press("history").await.unwrap();
    assert!(reader.text("earlier").await.unwrap().starts_with("ROMEO:"));
    reader.press("earlier").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), first);
    assert_eq!(reader.browser.script("return document.activeElement.dataset.testid").await.unwrap(), "output");
    assert!(reader.text("earlier").await.unwrap().starts_with("JULIET:"), "the other one has taken its place");
    // Both are there after a reload.
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for("done").await.unwrap();
    reader.press("history").await.unwrap();
    reader.press("earlier").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), second);
    reader.press("earlier").await.unwrap();
    expect_continuation(&reader, &first).await;
}

#[tokio::test]
async fn a_text_of_other_weights_is_not_continued_and_the_page_says_so() {
    let reader = Reader::ready().await.unwrap();
    let text = reader.write(3).await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for("done").await.unwrap();
    // As if the site had got other weights meanwhile.
    let change = "const { setItem } = Storage.prototype;
        Storage.prototype.setItem = function (key, value) {
            setItem.call(this, key, value.replace(/model=[0-9a-f]{12}/, 'model=0123456789ab'));
        }";
    reader.browser.script(change).await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for("done").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), text);
    assert!(!reader.browser.find("continue").await.unwrap().is_enabled().await.unwrap());
    assert!(reader.text("keeps-settings").await.unwrap().contains("other weights"));
}

#[tokio::test]
async fn what_cannot_be_read_of_an_earlier_visit_is_left_alone() {
    let reader = Reader::ready().await.unwrap();
    for nonsense in ["{", "{}", "[]", r#"[["Ay"]]"#, r##"[["Ay","#/peargpt","1,x",0,0,0,1]]"##] {
        let set = format!(
            "const {{ setItem }} = Storage.prototype;
             Storage.prototype.removeItem = Storage.prototype.setItem = () => {{}};
             setItem.call(sessionStorage, 'peargpt:texts:peargpt', `{nonsense}`);"
        );
        reader.browser.script(&set).await.unwrap();
        reader.browser.driver().refresh().await.unwrap();
        reader.wait_for("ready").await.unwrap();
        assert_eq!(reader.output().await.unwrap(), "");
        let kept = reader.browser.script("return sessionStorage.getItem('peargpt:texts:peargpt')").await.unwrap();
        assert_eq!(kept, nonsense);
    }
    reader.expect_recovery("").await.unwrap();
}

#[tokio::test]
async fn a_text_that_was_cleared_while_it_was_written_is_continued_without_a_gap() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    reader.press("clear").await.unwrap();
    reader.press("clear").await.unwrap();
    let text = reader.output().await.unwrap();
    reader.fill("words", "3").await.unwrap();
    expect_continuation(&reader, &text).await;
}
