//! GPT-2 from the hub: another origin, one stream, which becomes the file that `convert` writes.

use peargpt::app::catalog::{Converted, sha256};

use crate::model::{Gpt2, SMALL, WEIGHTS};
use crate::numbers::Numbers;
use crate::offer::{CHECKPOINT, Hub};
use crate::server::{Fault, Server};
use crate::weights::{self, FILLING, FLIPPING, MISSING, damage_at, storage_that, stored, verified};

#[tokio::test]
async fn nothing_is_fetched_before_the_reader_says_so() {
    let hub = Hub::new().await;
    for route in ["#/gpt2", "#/gpt2?words=3&seed=5&run=1", "#/bench?model=gpt2&prompt_tokens=4&tokens=4"] {
        hub.reader.open(route).await.unwrap();
        hub.reader.wait_for("asking").await.unwrap();
        let offer = hub.reader.text("offer").await.unwrap();
        let megabytes = format!("{:.1} MB", (hub.model.weights.len() as f64 / 1e6 * 10.0).ceil() / 10.0);
        assert!(offer.contains("127.0.0.1") && offer.contains("MB"), "{offer}: {megabytes} from 127.0.0.1");
    }
    assert_eq!(hub.hub.requests(), Vec::<String>::new());
    hub.reader.press("fetch").await.unwrap();
    hub.reader.wait_for("done").await.unwrap();
    hub.reader.open("#/gpt2").await.unwrap();
    hub.expect_kept().await;
    let requests = hub.hub.requests().len();
    assert_eq!(requests, 3, "the three files, once each");
    hub.reader.browser.driver().refresh().await.unwrap();
    hub.expect_kept().await;
    assert_eq!(hub.hub.requests().len(), requests, "what is stored is not fetched again");
    hub.reader.press("share").await.unwrap();
    let permalink = hub.reader.browser.clipboard().await.unwrap();
    assert!(permalink.contains(&format!("model={}", &sha256(&hub.model.gguf)[..12])), "{permalink}");
}

#[tokio::test]
async fn a_redirect_to_another_origin() {
    let hub = Hub::asking().await;
    let elsewhere = Server::start().unwrap();
    hub.model.publish(&hub.reader.server, &elsewhere);
    hub.model.publish(&hub.reader.server, &hub.hub);
    hub.hub.always(WEIGHTS, Fault::Redirect(elsewhere.url(WEIGHTS)));
    elsewhere.times(1, WEIGHTS, Fault::CutAt(300_000));
    hub.reader.press("fetch").await.unwrap();
    hub.expect_kept().await;
    assert_eq!((hub.hub.sent_bytes(WEIGHTS), elsewhere.sent(WEIGHTS).len()), (0, 2));
    assert!(elsewhere.sent(WEIGHTS)[1].from > 200_000, "it went on where it was cut");
}

#[tokio::test]
async fn a_connection_that_is_cut_at_fifty_places() {
    let hub = Hub::new().await;
    // A cut soon after another may bring nothing new.
    hub.reader.server.rewrite("\"tries\":2", "\"tries\":9");
    hub.ask().await;
    let mut numbers = Numbers(3);
    let mut places: Vec<usize> = (0..50).map(|_| numbers.below(hub.model.weights.len())).collect();
    places.sort_unstable();
    places.iter().for_each(|place| hub.hub.times(1, WEIGHTS, Fault::CutAt(*place)));
    hub.reader.press("fetch").await.unwrap();
    hub.expect_kept().await;
    let sent = hub.hub.sent(WEIGHTS);
    assert!(sent.len() > 30, "{} answers", sent.len());
    assert!(sent.is_sorted_by_key(|sent| sent.from), "none began anew: {sent:?}");
    assert!(hub.hub.sent_bytes(WEIGHTS) < hub.model.weights.len() + 50 * CHECKPOINT, "{sent:?}");
}

#[tokio::test]
async fn a_tab_that_is_closed_at_twenty_places() {
    let hub = Hub::new().await;
    hub.never_stalls();
    hub.ask().await;
    let driver = hub.reader.browser.driver();
    let first = driver.window().await.unwrap();
    hub.reader.open("#/").await.unwrap();
    let mut numbers = Numbers(4);
    let mut places: Vec<usize> = (0..20).map(|_| numbers.below(hub.model.weights.len())).collect();
    places.sort_unstable();
    for place in places {
        let before = hub.hub.sent(WEIGHTS).len();
        hub.hub.heal();
        hub.hub.always(WEIGHTS, Fault::StallAt(place));
        hub.reader.browser.open_tab(&hub.reader.server.url("#/gpt2")).await.unwrap();
        hub.reader.wait_for("asking").await.unwrap();
        hub.reader.press("fetch").await.unwrap();
        hub.reader.wait_for("downloading").await.unwrap();
        let started = std::time::Instant::now();
        while hub.hub.sent(WEIGHTS).len() == before || Hub::taken(&hub.reader.browser, hub.texts()).await < place {
            assert!(started.elapsed() < crate::browser::PATIENCE, "{place}: {:?}", hub.hub.sent(WEIGHTS).last());
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        driver.close_window().await.unwrap();
        driver.switch_to_window(first.clone()).await.unwrap();
        drop(verified(&hub.reader.browser).await.unwrap());
        let answer = hub.hub.sent(WEIGHTS)[before].clone();
        let reached: usize =
            hub.hub.sent(WEIGHTS)[..before].iter().map(|sent| sent.from + sent.bytes).max().unwrap_or(0);
        assert!(
            reached.saturating_sub(answer.from) <= CHECKPOINT,
            "{reached} were reached, it went on from {}",
            answer.from
        );
    }
    hub.hub.heal();
    hub.ask().await;
    assert!(hub.reader.text("offer").await.unwrap().contains("here already"));
    hub.reader.press("fetch").await.unwrap();
    hub.expect_kept().await;
}

#[tokio::test]
async fn a_hub_that_knows_no_ranges_sends_all_of_it_again() {
    let hub = Hub::asking().await;
    hub.hub.times(1, WEIGHTS, Fault::CutAt(500_000));
    hub.hub.times(1, WEIGHTS, Fault::NoRanges);
    hub.reader.press("fetch").await.unwrap();
    hub.expect_kept().await;
    let notice = hub.reader.text("notice").await.unwrap();
    assert!(notice.contains("from their beginning"), "{notice}");
}

#[tokio::test]
async fn a_hub_that_permits_no_other_headers() {
    let hub = Hub::asking().await;
    hub.hub.refuse_preflight();
    hub.hub.times(1, WEIGHTS, Fault::CutAt(500_000));
    hub.reader.press("fetch").await.unwrap();
    hub.expect_kept().await;
    assert!(
        hub.hub.sent(WEIGHTS).last().unwrap().from > 400_000,
        "`Range` needs no permission: {:?}",
        hub.hub.sent(WEIGHTS)
    );
}

#[tokio::test]
async fn faults_that_pass_are_gone_by_the_next_try() {
    let hub = Hub::asking().await;
    let faults = [429, 500, 503].map(Fault::Status).into_iter();
    for fault in faults.chain([Fault::StallAt(99_999), Fault::CutAt(0), Fault::Lie(1000)]) {
        hub.reader.forget_stored().await.unwrap();
        hub.hub.times(1, WEIGHTS, fault.clone());
        let before = hub.hub.count(WEIGHTS);
        hub.fetch_anew().await;
        hub.expect_kept().await;
        assert_eq!(hub.hub.count(WEIGHTS) - before, 2, "{fault:?}");
    }
}

#[tokio::test]
async fn faults_that_stay_are_said_and_what_came_is_kept() {
    let hub = Hub::asking().await;
    let length = hub.model.weights.len();
    for (fault, words) in [
        (Fault::Status(404), "404"),
        (Fault::Status(503), "503"),
        (Fault::StallAt(400_000), "nothing arrived for 2000 ms"),
        (Fault::CutAt(400_000), "could not be fetched"),
        (Fault::Lie(-5000), "wrong length"),
    ] {
        hub.reader.forget_stored().await.unwrap();
        hub.hub.heal();
        hub.hub.always(WEIGHTS, fault);
        hub.fetch_anew().await;
        let said = hub.reader.failure().await.unwrap();
        assert!(said.contains(words) && said.contains("model.safetensors"), "{said}");
        hub.hub.heal();
        let before = hub.hub.sent_bytes(WEIGHTS);
        let reached = hub.hub.sent(WEIGHTS).iter().map(|sent| sent.from + sent.bytes).max().unwrap_or(0);
        hub.reader.press("retry").await.unwrap();
        hub.expect_kept().await;
        if words.contains("could not") || words.contains("nothing") {
            assert!(hub.hub.sent_bytes(WEIGHTS) - before <= length - 400_000 + CHECKPOINT, "of {reached}");
        }
    }
}

#[tokio::test]
async fn a_flipped_byte_is_found_at_the_end_and_all_is_discarded() {
    let hub = Hub::asking().await;
    // The lowest byte of a weight, so that it stays a number.
    hub.hub.always(WEIGHTS, Fault::FlipAt(hub.model.weights.len() - 4));
    hub.reader.press("fetch").await.unwrap();
    let said = hub.reader.failure().await.unwrap();
    assert!(said.contains("not the file that was published") && said.contains("discarded"), "{said}");
    hub.expect_no_draft().await;
    hub.hub.heal();
    hub.reader.press("retry").await.unwrap();
    hub.expect_kept().await;
}

#[tokio::test]
async fn a_file_that_changes_on_the_way_is_found_out() {
    let hub = Hub::asking().await;
    hub.hub.times(1, WEIGHTS, Fault::CutAt(500_000));
    hub.hub.times(1, WEIGHTS, Fault::Other(Gpt2::random(SMALL, 9).weights));
    hub.reader.press("fetch").await.unwrap();
    let said = hub.reader.failure().await.unwrap();
    assert!(said.contains("not the file that was published"), "{said}");
    assert!(hub.reader.text("notice").await.unwrap().contains("from their beginning"), "`If-Range` told the hub");
    hub.reader.press("retry").await.unwrap();
    hub.expect_kept().await;
}

/// A byte of the header and one of the first tensors, which are there by then.
const PLACES: [&str; 2] = ["100", "bytes.length >> 3"];

#[tokio::test]
async fn what_changes_in_storage_while_a_download_rests_is_found_and_fetched_again() {
    for place in PLACES {
        let hub = Hub::new().await;
        hub.never_stalls();
        hub.ask().await;
        hub.hub.times(1, WEIGHTS, Fault::StallAt(1_000_000));
        hub.reader.press("fetch").await.unwrap();
        hub.pause_behind(1_000_000).await;
        damage_at(&hub.reader.browser, "draft.gguf", place).await.unwrap();
        hub.reader.press("resume").await.unwrap();
        hub.expect_kept().await;
        let notice = hub.reader.text("notice").await.unwrap();
        assert!(notice.contains("cannot be gone on from") && notice.contains("the GGUF so far"), "{notice}");
        assert_eq!(hub.hub.sent(WEIGHTS)[1].from, 0, "it is fetched from its beginning");
        assert_eq!(hub.hub.count(WEIGHTS), 2, "and only once");
    }
}

#[tokio::test]
async fn what_changes_on_its_way_to_the_disk_is_found_at_the_end() {
    let hub = Hub::new().await;
    hub.reader.browser.before_every_page(&storage_that(FLIPPING)).await.unwrap();
    hub.ask().await;
    hub.reader.press("fetch").await.unwrap();
    let said = hub.reader.failure().await.unwrap();
    assert!(said.contains("was damaged in this browser's storage while it arrived"), "{said}");
    assert!(said.contains("the GGUF so far` at byte"), "{said}");
    hub.expect_no_draft().await;
    hub.reader.press("retry").await.unwrap();
    hub.expect_kept().await;
}

#[tokio::test]
async fn what_becomes_of_it_is_what_the_catalog_names() {
    let hub = Hub::new().await;
    let right = Converted { bytes: hub.model.gguf.len() as u64, sha256: sha256(&hub.model.gguf) };
    let wrong = Converted { sha256: sha256(b"another file"), ..right.clone() };
    hub.model.publish_as(&hub.reader.server, &hub.hub, Some(wrong.clone()));
    hub.ask().await;
    hub.reader.press("fetch").await.unwrap();
    let said = hub.reader.failure().await.unwrap();
    assert!(said.contains("not the file that the catalog names"), "{said}");
    assert!(said.contains(&wrong.sha256) && said.contains(&right.sha256), "{said}");
    hub.expect_no_draft().await;
    assert!(verified(&hub.reader.browser).await.unwrap().iter().all(|file| file.sha256 != right.sha256));

    hub.model.publish_as(&hub.reader.server, &hub.hub, Some(right));
    hub.fetch_anew().await;
    hub.expect_kept().await;
    let before = hub.hub.requests().len();
    hub.reader.browser.driver().refresh().await.unwrap();
    hub.expect_kept().await;
    assert_eq!(hub.hub.requests().len(), before, "what is stored is what the catalog names");

    // A catalog that names another does not open what is stored.
    hub.model.publish_as(&hub.reader.server, &hub.hub, Some(wrong));
    hub.reader.browser.driver().refresh().await.unwrap();
    hub.reader.wait_for("asking").await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_weights_is_refused() {
    let hub = Hub::asking().await;
    let mut page = b"<!doctype html><title>Sign in to this network</title>".to_vec();
    page.resize(hub.model.weights.len(), b' ');
    hub.hub.times(1, WEIGHTS, Fault::Other(page));
    hub.reader.press("fetch").await.unwrap();
    let said = hub.reader.failure().await.unwrap();
    assert!(said.contains("cannot be converted"), "{said}");
    hub.expect_no_draft().await;
    hub.reader.press("retry").await.unwrap();
    hub.expect_kept().await;
}

#[tokio::test]
async fn a_hub_that_cannot_be_reached() {
    let hub = Hub::asking().await;
    hub.hub.stop();
    hub.reader.press("fetch").await.unwrap();
    let said = hub.reader.failure().await.unwrap();
    assert!(said.contains("could not be fetched") && said.contains("try again"), "{said}");
    hub.reader.open("#/peargpt").await.unwrap();
    hub.reader.wait_for("ready").await.unwrap();
    hub.reader.expect_recovery("").await.unwrap();
}

#[tokio::test]
async fn pause_resume_and_cancel() {
    let hub = Hub::new().await;
    hub.never_stalls();
    hub.ask().await;
    hub.hub.times(1, WEIGHTS, Fault::StallAt(500_000));
    hub.reader.press("fetch").await.unwrap();
    hub.pause_behind(500_000).await;
    hub.reader.press("resume").await.unwrap();
    hub.expect_kept().await;
    assert!(hub.hub.sent(WEIGHTS)[1].from >= 450_000, "a pause costs nothing");

    hub.reader.forget_stored().await.unwrap();
    hub.hub.times(1, WEIGHTS, Fault::StallAt(500_000));
    hub.fetch_anew().await;
    hub.reader.wait_for("downloading").await.unwrap();
    hub.reader.press("pause").await.unwrap();
    hub.reader.wait_for("paused").await.unwrap();
    hub.reader.press("cancel").await.unwrap();
    hub.reader.wait_for("asking").await.unwrap();
    assert!(stored(&hub.reader.browser).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_tabs_fetch_once() {
    let hub = Hub::asking().await;
    hub.hub.always(WEIGHTS, Fault::Slow(1_000_000));
    hub.reader.press("fetch").await.unwrap();
    hub.reader
        .browser
        .wait_until("+document.querySelector('[data-testid=progress]').dataset.received > 100000")
        .await
        .unwrap();
    let first = hub.reader.browser.driver().window().await.unwrap();
    hub.reader.browser.open_tab(&hub.reader.server.url("#/gpt2")).await.unwrap();
    hub.expect_kept().await;
    hub.reader.browser.driver().switch_to_window(first).await.unwrap();
    hub.expect_kept().await;
    assert_eq!(hub.hub.count(WEIGHTS), 1);
}

#[tokio::test]
async fn without_storage_it_runs_from_memory_and_says_so() {
    for fails in [MISSING, weights::FULL, FILLING] {
        let hub = Hub::new().await;
        hub.never_stalls();
        hub.reader.browser.before_every_page(&storage_that(fails)).await.unwrap();
        hub.ask().await;
        hub.hub.times(1, WEIGHTS, Fault::CutAt(700_000));
        hub.hub.times(1, WEIGHTS, Fault::StallAt(900_000));
        hub.reader.press("fetch").await.unwrap();
        hub.pause_behind(900_000).await;
        hub.reader.press("resume").await.unwrap();
        hub.reader.wait_for("ready").await.unwrap();
        let notice = hub.reader.text("notice").await.unwrap();
        assert!(notice.contains("will not be kept"), "{notice}");
        hub.reader.expect_recovery("").await.unwrap();
        let sent = hub.hub.sent(WEIGHTS);
        assert!(sent.len() == 3 && sent[2].from > 800_000, "what is in memory is not fetched again: {sent:?}");
    }
}
