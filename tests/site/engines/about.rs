//! A machine checks itself.

use serde_json::Value;

use super::for_both_engines;
use crate::browser::{Engine, Scheme};
use crate::reader::Reader;

for_both_engines!(peargpt_writes_what_it_writes_natively);

async fn peargpt_writes_what_it_writes_natively(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    reader.open("#/about").await.unwrap();
    reader.press("about-check").await.unwrap();
    reader.wait_for("done").await.unwrap();
    let found: Value = serde_json::from_str(&reader.text("about-json").await.unwrap()).unwrap();
    assert_eq!(found["replay"], "passed", "{found}");
    assert_eq!(reader.heard().await.unwrap(), Vec::<String>::new());
}
