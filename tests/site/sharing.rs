//! A link to a text is a link to that text, whatever it went through and whatever the form says now.

use crate::own::NANOGPT;
use crate::reader::Reader;

/// The link that Share gives, and what its page shows.
pub async fn repeated(reader: &Reader) -> (String, String) {
    reader.press("share").await.unwrap();
    reader.browser.wait_until("document.querySelector('[data-testid=share]').textContent !== 'Share'").await.unwrap();
    let link = reader.browser.clipboard().await.unwrap();
    reader.browser.open_tab(&link).await.unwrap();
    reader.wait_for("done").await.unwrap();
    (link, reader.output().await.unwrap())
}

#[tokio::test]
async fn a_text_that_was_continued_is_linked_to_whatever_the_form_says() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("prompt", "ROMEO:\n").await.unwrap();
    reader.write(5).await.unwrap();
    reader.press("continue").await.unwrap();
    let text = reader.finish().await.unwrap();
    assert!(!reader.sees("keeps-settings").await.unwrap());
    reader.fill("prompt", "JULIET:\n").await.unwrap();
    reader.fill("temperature", "0.1").await.unwrap();
    assert!(reader.sees("keeps-settings").await.unwrap(), "Continue keeps the settings, and the page says so");
    let tokens = reader.number("tokens").await.unwrap();
    let (link, again) = repeated(&reader).await;
    assert!(link.contains(&format!("tokens={tokens}&")), "{link}");
    assert_eq!(again, text);

    assert_eq!(reader.value("tokens").await.unwrap(), tokens.to_string());
    reader.fill("top_k", "3").await.unwrap();
    assert_eq!(reader.value("tokens").await.unwrap(), "", "an exact length belongs to its text");
    let address = reader.address_with("top_k=3").await.unwrap();
    assert!(!address.contains("tokens"), "{address}");
}

#[tokio::test]
async fn a_text_that_was_stopped_is_linked_to_as_far_as_it_came() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    reader.press("stop").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    let text = reader.output().await.unwrap();
    let (link, again) = repeated(&reader).await;
    assert!(link.contains("tokens="), "{link}");
    assert_eq!(again, text);
}

#[tokio::test]
async fn a_text_that_ended_by_itself_is_linked_to_by_its_words() {
    let reader = Reader::ready().await.unwrap();
    let text = reader.write(5).await.unwrap();
    let (link, again) = repeated(&reader).await;
    assert!(!link.contains("tokens="), "{link}");
    assert_eq!(again, text);
}

#[tokio::test]
async fn a_seed_that_was_drawn_is_drawn_anew_and_one_that_was_typed_stays() {
    let reader = Reader::ready().await.unwrap();
    reader.write(3).await.unwrap();
    let first = reader.value("seed").await.unwrap();
    assert!(reader.sees("seed-kind").await.unwrap());
    reader.write(3).await.unwrap();
    assert_ne!(reader.value("seed").await.unwrap(), first);
    reader.press("draw").await.unwrap();
    let drawn = reader.value("seed").await.unwrap();
    assert!(!reader.sees("seed-kind").await.unwrap());
    reader.write(3).await.unwrap();
    assert_eq!(reader.value("seed").await.unwrap(), drawn, "the seed that Draw showed is used");
    reader.fill("seed", "7").await.unwrap();
    let text = reader.write(3).await.unwrap();
    assert_eq!(reader.write(3).await.unwrap(), text);
    assert_eq!(reader.value("seed").await.unwrap(), "7");
}

#[tokio::test]
async fn enter_in_a_name_renames_and_keeps_the_text() {
    let reader = Reader::at("#/model").await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    reader.run_it().await.unwrap();
    let text = reader.write(5).await.unwrap();
    let name = reader.browser.find("model-name").await.unwrap();
    name.clear().await.unwrap();
    name.send_keys("Will\u{e007}").await.unwrap();
    reader.browser.wait_until("document.querySelector('h1').textContent === 'Will'").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), text);
    reader.keep().await.unwrap();
    reader.press("stored").await.unwrap();
    let name = reader.browser.find("rename").await.unwrap();
    name.send_keys("iam\u{e007}").await.unwrap();
    reader.browser.wait_until("document.querySelector('h1').textContent === 'William'").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), text);
    assert_eq!(reader.state().await.unwrap(), "done");
}
