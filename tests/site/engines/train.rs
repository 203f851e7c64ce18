//! A model learns a text.

use super::for_both_engines;
use crate::browser::{Engine, Scheme};
use crate::reader::Reader;
use crate::train::{expect_the_same_curve, in_the_terminal, route, words};

for_both_engines!(a_short_run_learns_what_the_terminals_does);

async fn a_short_run_learns_what_the_terminals_does(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    reader.open(&route(40)).await.unwrap();
    reader.learn(&words()).await.unwrap();
    let name = format!("{engine:?}");
    let (_, expected) = in_the_terminal(&name, &words(), 40);
    expect_the_same_curve(&reader.training_csv().await.unwrap(), &expected);
    assert!(!reader.text("train-sample").await.unwrap().is_empty());
    assert_eq!(reader.heard().await.unwrap(), Vec::<String>::new());
}
