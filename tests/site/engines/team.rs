//! Two workers compute one model.

use super::for_both_engines;
use crate::browser::{Engine, Scheme};
use crate::reader::Reader;

for_both_engines!(two_workers_write_what_one_writes);

async fn two_workers_write_what_one_writes(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    let mut texts = Vec::new();
    for threads in [1, 2] {
        reader.browser.open("about:blank").await.unwrap();
        reader.open(&format!("#/peargpt?prompt=ROMEO%3A&tokens=300&seed=7&threads={threads}&run=1")).await.unwrap();
        texts.push(reader.finish().await.unwrap());
        assert!(reader.backend().await.contains(&format!("{threads} thread")));
    }
    assert_eq!(texts[0], texts[1]);
    assert_eq!(reader.heard().await.unwrap(), Vec::<String>::new());
}
