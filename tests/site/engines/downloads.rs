//! GPT-2 on its way: what a cut connection and a closed page cost.

use super::for_both_engines;
use crate::browser::{Engine, Scheme};
use crate::model::{Gpt2, SMALL, WEIGHTS};
use crate::offer::{CHECKPOINT, Hub};
use crate::reader::Reader;
use crate::server::Fault;
use crate::subject::SLICE;
use crate::weights::verified;

for_both_engines!(a_stream_from_the_hub_goes_on_after_a_break, slices_of_the_site_go_on_after_a_break);

/// What the page says of a model that this engine does not keep, once it is ready.
async fn expect_told(reader: &Reader) {
    reader.wait_for_model().await.unwrap();
    let notice = reader.text("notice").await.unwrap();
    assert!(notice.contains("will not be kept for your next visit"), "{notice}");
    reader.expect_recovery("").await.unwrap();
}

async fn a_stream_from_the_hub_goes_on_after_a_break(engine: Engine) {
    let hub = Hub::of(Reader::with(engine, Scheme::Light).await.unwrap());
    hub.never_stalls();
    hub.ask().await;
    hub.hub.times(1, WEIGHTS, Fault::CutAt(400_000));
    hub.hub.times(1, WEIGHTS, Fault::StallAt(700_000));
    hub.reader.press("fetch").await.unwrap();
    hub.pause_behind(700_000).await;
    let from = |answer: usize| hub.hub.sent(WEIGHTS)[answer].from;
    assert!((300_000..=400_000).contains(&from(1)), "after a cut it goes on within the visit, from {}", from(1));
    hub.reader.press("resume").await.unwrap();
    match engine {
        Engine::WebKit => expect_told(&hub.reader).await,
        _ => hub.expect_kept().await,
    }
    assert!(from(2) > 600_000, "a pause costs nothing");

    // The next visit.
    let before = hub.hub.requests().len();
    hub.reader.browser.driver().refresh().await.unwrap();
    if engine == Engine::WebKit {
        hub.reader.wait_for("asking").await.unwrap();
        hub.reader.press("fetch").await.unwrap();
        expect_told(&hub.reader).await;
        assert_eq!(from(3), 0, "nothing was kept");
    } else {
        hub.expect_kept().await;
        assert_eq!(hub.hub.requests().len(), before, "what is stored is not fetched again");
        go_on_in_the_next_visit(&hub).await;
    }
}

/// A page that is loaded anew in the middle of a download.
async fn go_on_in_the_next_visit(hub: &Hub) {
    hub.reader.forget_stored().await.unwrap();
    hub.hub.times(1, WEIGHTS, Fault::StallAt(700_000));
    hub.fetch_anew().await;
    hub.pause_behind(700_000).await;
    hub.reader.browser.driver().refresh().await.unwrap();
    hub.reader.wait_for("asking").await.unwrap();
    assert!(hub.reader.text("offer").await.unwrap().contains("here already"));
    hub.reader.press("fetch").await.unwrap();
    hub.expect_kept().await;
    let from = hub.hub.sent(WEIGHTS).last().unwrap().from;
    assert!(from + CHECKPOINT >= 600_000, "a reload costs at most what lies behind the checkpoint: {from}");
}

async fn slices_of_the_site_go_on_after_a_break(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    let model = Gpt2::random(SMALL, 7);
    model.host(&reader.server, SLICE);
    let slices = model.gguf.len().div_ceil(SLICE);
    reader.server.rewrite("\"stall_ms\":2000", "\"stall_ms\":600000");
    reader.server.times(1, "weights/gpt2/gpt2.gguf.part003", Fault::CutAt(100));
    reader.server.times(1, "weights/gpt2/gpt2.gguf.part009", Fault::StallAt(100));
    reader.open("#/gpt2").await.unwrap();
    reader.server.wait_for_bytes("part009", 100);
    // A cut slice is fetched once more.
    reader.server.wait_for_bytes("part003", SLICE + 100);
    reader.press("pause").await.unwrap();
    reader.wait_for("paused").await.unwrap();
    let before = reader.server.count("weights/gpt2/");
    if engine == Engine::WebKit {
        reader.press("resume").await.unwrap();
        expect_told(&reader).await;
        assert!(reader.server.count("weights/gpt2/") < before + slices - 5, "what is in memory is not fetched again");
        return;
    }
    let kept = verified(&reader.browser).await.unwrap().len();
    assert!(kept > 5, "{kept} of {slices} slices");
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    reader.expect_recovery("").await.unwrap();
    assert_eq!(reader.server.count("weights/gpt2/") - before, slices - kept, "only what is missing is fetched");
}
