//! What can be done with a text: saved, cleared, brought back.

use crate::downloads::Downloads;
use crate::own::NANOGPT;
use crate::reader::Reader;

#[tokio::test]
async fn a_text_that_was_cleared_is_brought_back_as_it_was() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("prompt", "ROMEO:\n").await.unwrap();
    let text = reader.write(5).await.unwrap();
    let tokens = reader.number("tokens").await.unwrap();
    reader.press("clear").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), "");
    assert_eq!(reader.text("clear").await.unwrap(), "Undo clear");
    reader.press("clear").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), text);
    assert_eq!(reader.number("tokens").await.unwrap(), tokens);
    assert_eq!(reader.state().await.unwrap(), "done");
    reader.press("continue").await.unwrap();
    let longer = reader.finish().await.unwrap();
    assert!(longer.starts_with(&text) && longer.len() > text.len(), "Continue goes on from it");

    // Until another text is begun; then it is with the earlier ones.
    reader.press("clear").await.unwrap();
    reader.write(3).await.unwrap();
    assert_eq!(reader.text("clear").await.unwrap(), "Clear");
}

#[tokio::test]
async fn a_text_that_is_cleared_while_it_is_written_is_brought_back_as_far_as_it_came() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    reader.press("clear").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), "");
    reader.press("clear").await.unwrap();
    assert!(!reader.output().await.unwrap().is_empty());
    assert_eq!(reader.state().await.unwrap(), "stopped");
}

#[tokio::test]
async fn a_text_whose_model_was_closed_is_brought_back_and_gone_on_with() {
    let reader = Reader::ready().await.unwrap();
    let text = reader.write(5).await.unwrap();
    reader.press("clear").await.unwrap();
    reader.open("#/model").await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    reader.run_it().await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.press("clear").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), text);
    reader.press("continue").await.unwrap();
    let longer = reader.finish().await.unwrap();
    assert!(longer.starts_with(&text) && longer.len() > text.len());
}

#[tokio::test]
async fn a_text_is_saved_byte_for_byte() {
    let reader = Reader::ready().await.unwrap();
    let downloads = Downloads::of(&reader).await.unwrap();
    let text = reader.write(5).await.unwrap();
    reader.press("save").await.unwrap();
    assert_eq!(downloads.take("pearGPT.txt").await.unwrap(), text.as_bytes());
}
