//! A small screen: what is written, and what ends it, are within reach.

use crate::reader::Reader;

/// Whether the button at the lower edge is within the screen.
const WITHIN: &str = "
    const { top, bottom, height } = document.querySelector('[data-testid=stop-below]').getBoundingClientRect();
    return height >= 44 && top >= 0 && bottom <= innerHeight;";

#[tokio::test]
async fn stop_is_within_reach_while_a_long_text_is_written() {
    let reader = Reader::ready().await.unwrap();
    reader.browser.set_look(390, 700, false).await.unwrap();
    assert!(!reader.sees("stop-below").await.unwrap());
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    assert_eq!(reader.browser.script(WITHIN).await.unwrap(), true);
    reader.press("stop-below").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    assert!(!reader.sees("stop-below").await.unwrap());
}
