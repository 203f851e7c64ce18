//! Looking inside: the numbers are the terminal's, and another token is taken.

use super::for_both_engines;
use crate::browser::{Engine, Scheme};
use crate::inside::{FLAGS, TEXT, explained};
use crate::reader::Reader;
use crate::replay::in_the_terminal;

for_both_engines!(every_token_says_what_the_terminal_says_of_it_and_can_be_changed);

async fn every_token_says_what_the_terminal_says_of_it_and_can_be_changed(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    reader.open(&format!("{TEXT}&run=1")).await.unwrap();
    reader.wait_for("done").await.unwrap();
    let (drawn, lines) = (reader.output().await.unwrap(), explained(&FLAGS));
    reader.press("look").await.unwrap();
    reader.token(lines.len() as u64 - 1, "id").await.unwrap();
    reader.click_character(25).await.unwrap();
    let found: f64 = reader.token(25, "probability").await.unwrap().parse().unwrap();
    assert!((found - lines[25]["probability"].as_f64().unwrap()).abs() < 1e-14, "{found}");
    reader.press("view-attention").await.unwrap();
    reader.browser.wait_until("document.querySelectorAll('[data-testid=head]').length === 40").await.unwrap();
    reader.press("surprise").await.unwrap();
    let said = "document.querySelector('[data-testid=surprise-said]').textContent.includes('bits')";
    reader.browser.wait_until(said).await.unwrap();
    reader.press("view-token").await.unwrap();
    let id = reader.take_an_alternative(&drawn).await.unwrap();
    let taken = reader.output().await.unwrap();
    let terminal = in_the_terminal(&["--words=20", "--seed=3", &format!("--take=25:{id}"), "ROMEO:\n"]);
    assert_eq!(taken.trim_end(), terminal.trim_end());
    assert_eq!(reader.heard().await.unwrap(), Vec::<String>::new());
}
