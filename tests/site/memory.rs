//! How much memory GPT-2 takes at its full size, on both ways to the browser.

use peargpt::app::catalog::sha256;

use crate::model::{FULL, Gpt2};
use crate::reader::Reader;
use crate::server::Server;
use crate::weights::verified;

/// At most one and a half times the quantised weights and 64 MB, from nothing to the first token.
async fn expect_modest(reader: &Reader, model: &Gpt2) {
    expect_modest_of(reader, model, 1).await;
}

/// The same, with 16 MB more for each further thread.
async fn expect_modest_of(reader: &Reader, model: &Gpt2, threads: u32) {
    reader.wait_for_model().await.unwrap();
    reader.expect_recovery("").await.unwrap();
    let (used, weights) = (reader.number("wasm-memory-bytes").await.unwrap(), model.gguf.len() as f64);
    let most = 1.5 * weights + 64e6 + 16e6 * f64::from(threads - 1);
    assert!(used <= most, "{threads} threads: {used} bytes for {weights} of weights");
    assert!(used > weights, "{threads} threads: {used} bytes, less than {weights} of weights");
}

#[tokio::test]
async fn memory_stays_modest_where_files_are_handed_over() {
    let model = Gpt2::random(FULL, 1);
    let folder = std::env::temp_dir().join(format!("peargpt-full-{}", std::process::id()));
    let files = model.save(&folder);
    let reader = Reader::at("#/model").await.unwrap();
    reader.pick(&files).await.unwrap();
    assert_eq!(reader.value("heads").await.unwrap(), "12", "64 wide, as in all of OpenAI's sizes");
    reader.press("go-on").await.unwrap();
    reader.press("run-it").await.unwrap();
    reader.press("import-stop").await.unwrap();
    reader.run_it().await.unwrap();
    expect_modest(&reader, &model).await;
    reader.press("take-along").await.unwrap();
    reader.press("export-gguf-f16").await.unwrap();
    reader.press("export-stop").await.unwrap();
    reader.browser.wait_until("!document.querySelector('[data-testid=export-gguf-f16]').disabled").await.unwrap();
    assert_eq!(reader.text("exported").await.unwrap(), "");
    reader.keep().await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    expect_modest(&reader, &model).await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn memory_stays_modest_on_both_ways() {
    let model = Gpt2::random(FULL, 1);
    let (reader, hub) = (Reader::new().await.unwrap(), Server::start().unwrap());
    model.publish(&reader.server, &hub);
    // On a busy machine, half a gigabyte may take its time to begin.
    reader.server.rewrite("\"stall_ms\":2000", "\"stall_ms\":600000");
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("asking").await.unwrap();
    reader.press("fetch").await.unwrap();
    expect_modest(&reader, &model).await;
    assert_eq!(verified(&reader.browser).await.unwrap()[0].sha256, sha256(&model.gguf));

    reader.forget_stored().await.unwrap();
    model.host(&reader.server, peargpt::app::publish::SLICE);
    reader.browser.driver().refresh().await.unwrap();
    expect_modest(&reader, &model).await;
    // Another model takes its place.
    let before = reader.number("wasm-memory-bytes").await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.expect_recovery("").await.unwrap();
    assert_eq!(reader.number("wasm-memory-bytes").await.unwrap(), before);
}

#[tokio::test]
async fn memory_stays_modest_with_several_threads() {
    let (model, reader) = (Gpt2::random(FULL, 1), Reader::new().await.unwrap());
    model.host(&reader.server, peargpt::app::publish::SLICE);
    for threads in [3, 2] {
        reader.browser.open("about:blank").await.unwrap();
        reader.open(&format!("#/gpt2?threads={threads}")).await.unwrap();
        expect_modest_of(&reader, &model, threads).await;
        assert!(reader.backend().await.ends_with(&format!("{threads} threads")));
    }
}
