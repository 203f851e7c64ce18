//! GPT-2 in slices on the site itself: what comes, what is kept, and what may go wrong on the way.

use crate::browser::PLAIN_HOST;
use crate::model::{Gpt2, SMALL};
use crate::numbers::Numbers;
use crate::reader::Reader;
use crate::server::Fault;
use crate::subject::{SLICE, Subject};
use crate::weights::{FILLING, FULL, MISSING, checksums, damage, storage_that, stored, verified};

/// A slice in the middle.
const PART: &str = "weights/gpt2/gpt2.gguf.part003";

/// How many slices there are.
fn slices() -> usize {
    Gpt2::random(SMALL, 7).gguf.len().div_ceil(SLICE)
}

/// How often each slice was sent from its beginning to its end.
fn times_sent_whole(reader: &Reader) -> Vec<usize> {
    let whole = Gpt2::random(SMALL, 7).gguf;
    let times = whole.chunks(SLICE).enumerate().map(|(index, slice)| {
        let sent = reader.server.sent(&format!("part{index:03}"));
        sent.iter().filter(|sent| sent.bytes == slice.len()).count()
    });
    times.collect()
}

/// The model is ready and writes; all of it is stored, as verified.
async fn expect_kept(reader: &Reader) {
    reader.wait_for_model().await.unwrap();
    reader.expect_recovery("").await.unwrap();
    assert_eq!(verified(&reader.browser).await.unwrap().len(), slices());
}

#[tokio::test]
async fn what_is_here_is_never_fetched_again() {
    let reader = Subject::Gpt2.ready().await.unwrap();
    expect_kept(&reader).await;
    assert!(times_sent_whole(&reader).iter().all(|times| *times == 1));
    reader.browser.driver().refresh().await.unwrap();
    expect_kept(&reader).await;
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("done").await.unwrap();
    assert_eq!(reader.server.count("weights/gpt2/"), slices(), "each slice was asked for once");
    let names: Vec<String> = stored(&reader.browser).await.unwrap().into_iter().map(|file| file.name).collect();
    assert!(names.iter().all(|name| name.len() == 64 || name == "record.json"), "{names:?}");
}

#[tokio::test]
async fn a_connection_that_is_cut_again_and_again() {
    let reader = Subject::Gpt2.reader().await.unwrap();
    reader.server.rewrite("\"tries\":2", "\"tries\":51");
    let mut numbers = Numbers(1);
    for _ in 0..50 {
        let (part, place) = (numbers.below(slices()), numbers.below(SLICE));
        reader.server.times(1, &format!("weights/gpt2/gpt2.gguf.part{part:03}"), Fault::CutAt(place));
    }
    reader.open("#/gpt2").await.unwrap();
    expect_kept(&reader).await;
    assert!(times_sent_whole(&reader).iter().all(|times| *times == 1), "nothing that came whole was fetched again");
}

#[tokio::test]
async fn a_tab_that_is_closed_again_and_again() {
    let reader = Subject::Gpt2.reader().await.unwrap();
    let mut numbers = Numbers(2);
    let last = slices() - 1;
    let first = reader.browser.driver().window().await.unwrap();
    for closing in 0..20 {
        let (part, place) = (numbers.below(last), numbers.below(SLICE));
        let file = format!("weights/gpt2/gpt2.gguf.part{part:03}");
        reader.server.heal();
        reader.server.always(&file, Fault::StallAt(place));
        // Always something is missing.
        reader.server.always(&format!("weights/gpt2/gpt2.gguf.part{last:03}"), Fault::StallAt(0));
        reader.browser.open_tab(&reader.server.url("#/gpt2")).await.unwrap();
        reader.wait_for("downloading").await.unwrap();
        let started = std::time::Instant::now();
        let before = reader.server.sent_bytes("weights/gpt2/");
        // Until a seeded count of bytes has been served, or nothing more comes.
        while reader.server.sent_bytes("weights/gpt2/") < before + place && started.elapsed().as_millis() < 300 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        reader.browser.driver().close_window().await.unwrap();
        reader.browser.driver().switch_to_window(first.clone()).await.unwrap();
        if closing % 5 == 0 {
            reader.open("#/").await.unwrap();
            drop(verified(&reader.browser).await.unwrap());
        }
    }
    reader.server.heal();
    reader.open("#/gpt2").await.unwrap();
    expect_kept(&reader).await;
    let again = times_sent_whole(&reader).iter().map(|times| times - 1).sum::<usize>();
    assert!(again <= 40, "each closing costs at most the two slices in flight, and cost {again} in all");
}

#[tokio::test]
async fn faults_that_pass_are_gone_by_the_next_try() {
    let reader = Subject::Gpt2.ready().await.unwrap();
    let faults = [429, 500, 503].map(Fault::Status).into_iter();
    for fault in faults.chain([Fault::StallAt(999), Fault::CutAt(0), Fault::Lie(10), Fault::FlipAt(77)]) {
        reader.forget_stored().await.unwrap();
        let before = reader.server.count(PART);
        reader.server.times(1, PART, fault.clone());
        reader.browser.driver().refresh().await.unwrap();
        expect_kept(&reader).await;
        assert_eq!(reader.server.count(PART) - before, 2, "{fault:?}");
    }
}

#[tokio::test]
async fn faults_that_stay_are_named_and_cost_only_their_part() {
    let reader = Subject::Gpt2.ready().await.unwrap();
    let other = Gpt2::random(SMALL, 8).gguf[3 * SLICE..4 * SLICE].to_vec();
    let faults = [
        (Fault::Status(404), "404"),
        (Fault::Status(500), "500"),
        (Fault::StallAt(5), "nothing arrived for 2000 ms"),
        (Fault::CutAt(5), "could not be fetched"),
        (Fault::Lie(-10), "wrong length"),
        (Fault::FlipAt(5), "is damaged"),
        // An old file under a new catalog, or a part that was swapped.
        (Fault::Other(other), "is damaged"),
    ];
    for (fault, words) in faults {
        reader.forget_stored().await.unwrap();
        reader.server.always(PART, fault);
        reader.browser.driver().refresh().await.unwrap();
        let said = reader.failure().await.unwrap();
        assert!(said.contains(words) && said.contains("gpt2.gguf.part003"), "{said}");
        let stored = verified(&reader.browser).await.unwrap().len();
        assert!(stored < slices(), "the part is not there");
        reader.server.heal();
        let before = reader.server.count("weights/gpt2/");
        reader.press("retry").await.unwrap();
        expect_kept(&reader).await;
        assert_eq!(reader.server.count("weights/gpt2/") - before, slices() - stored, "only what is missing is fetched");
    }
}

#[tokio::test]
async fn a_part_that_is_damaged_in_storage_is_fetched_again() {
    let reader = Subject::Gpt2.ready().await.unwrap();
    let name = verified(&reader.browser).await.unwrap()[1].name.clone();
    reader.open("#/").await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    damage(&reader.browser, &name).await.unwrap();
    reader.open("#/gpt2").await.unwrap();
    expect_kept(&reader).await;
    assert_eq!(reader.server.count("weights/gpt2/"), slices() + 1);
    assert!(reader.text("notice").await.unwrap().contains("damaged in this browser"));
}

#[tokio::test]
async fn what_an_earlier_version_stored_without_checksums_is_verified_once() {
    let reader = Subject::Gpt2.ready().await.unwrap();
    let name = verified(&reader.browser).await.unwrap()[1].name.clone();
    reader.open("#/").await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    assert_eq!(checksums(&reader.browser, "delete record.checksums;").await.unwrap(), slices() as u64);
    damage(&reader.browser, &name).await.unwrap();
    reader.open("#/gpt2").await.unwrap();
    expect_kept(&reader).await;
    assert_eq!(reader.server.count("weights/gpt2/"), slices() + 1);
    assert!(reader.text("notice").await.unwrap().contains("damaged in this browser"));
    assert_eq!(checksums(&reader.browser, "").await.unwrap(), slices() as u64);
}

#[tokio::test]
async fn a_record_that_is_wrong_costs_a_second_look_and_no_byte() {
    let reader = Subject::Gpt2.ready().await.unwrap();
    reader.open("#/").await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    checksums(&reader.browser, "record.checksums[1][0] = 7;").await.unwrap();
    reader.open("#/gpt2").await.unwrap();
    expect_kept(&reader).await;
    assert_eq!(reader.server.count("weights/gpt2/"), slices());
}

#[tokio::test]
async fn a_new_catalog_takes_over_what_it_has_in_common_with_the_old() {
    let reader = Subject::Gpt2.ready().await.unwrap();
    let mut newer = Gpt2::random(SMALL, 7);
    *newer.gguf.last_mut().unwrap() ^= 1;
    newer.host(&reader.server, SLICE);
    reader.browser.driver().refresh().await.unwrap();
    expect_kept(&reader).await;
    assert_eq!(reader.server.count("weights/gpt2/"), slices() + 1, "one slice is another");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached() {
    let reader = Subject::Gpt2.reader().await.unwrap();
    reader.open("#/").await.unwrap();
    reader.server.always("weights/gpt2/gpt2.gguf.part005", Fault::StallAt(10));
    reader.browser.find("theme").await.unwrap();
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("downloading").await.unwrap();
    reader.server.wait_for_bytes("part005", 10);
    reader.server.stop();
    let said = reader.failure().await.unwrap();
    assert!(said.contains("could not be fetched"), "{said}");
    drop(verified(&reader.browser).await.unwrap());
}

#[tokio::test]
async fn two_tabs_fetch_once() {
    let reader = Subject::Gpt2.reader().await.unwrap();
    // Some ten seconds, in which the second tab comes.
    reader.server.times(1, PART, Fault::Slow(3000));
    reader.open("#/gpt2").await.unwrap();
    reader.server.wait_for_bytes("part003", 100);
    let first = reader.browser.driver().window().await.unwrap();
    reader.browser.open_tab(&reader.server.url("#/gpt2")).await.unwrap();
    reader
        .browser
        .wait_until("document.querySelector('[data-testid=status]')?.textContent.includes('Another tab')")
        .await
        .unwrap();
    expect_kept(&reader).await;
    reader.browser.driver().switch_to_window(first).await.unwrap();
    expect_kept(&reader).await;
    assert!(times_sent_whole(&reader).iter().all(|times| *times == 1));
}

#[tokio::test]
async fn pause_resume_and_cancel() {
    let reader = Subject::Gpt2.reader().await.unwrap();
    reader.server.rewrite("\"stall_ms\":2000", "\"stall_ms\":600000");
    reader.server.times(1, PART, Fault::StallAt(100));
    reader.open("#/gpt2?words=3&run=1").await.unwrap();
    reader.server.wait_for_bytes("part003", 100);
    reader.press("pause").await.unwrap();
    reader.wait_for("paused").await.unwrap();
    let before = reader.server.count("weights/gpt2/");
    let kept = verified(&reader.browser).await.unwrap().len();
    assert!(kept >= 1);
    reader.press("resume").await.unwrap();
    reader.finish().await.unwrap();
    assert_eq!(reader.server.count("weights/gpt2/") - before, slices() - kept);

    // Once the text has begun, the address no longer asks for it; it is written after a moment.
    reader.browser.wait_until("location.hash.includes('seed=') && !location.hash.includes('run=')").await.unwrap();
    reader.forget_stored().await.unwrap();
    reader.server.always(PART, Fault::StallAt(100));
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for("downloading").await.unwrap();
    reader.press("cancel").await.unwrap();
    reader.wait_for("asking").await.unwrap();
    assert!(stored(&reader.browser).await.unwrap().is_empty(), "nothing is left of it");
    reader.server.heal();
    reader.press("fetch").await.unwrap();
    expect_kept(&reader).await;
}

#[tokio::test]
async fn without_storage_it_runs_from_memory_and_says_so() {
    for fails in [MISSING, FULL, FILLING] {
        let reader = Subject::Gpt2.reader().await.unwrap();
        reader.browser.before_every_page(&storage_that(fails)).await.unwrap();
        reader.open("#/gpt2").await.unwrap();
        reader.wait_for("ready").await.unwrap();
        let notice = reader.text("notice").await.unwrap();
        assert!(notice.contains("will not be kept"), "{notice}");
        reader.expect_recovery("").await.unwrap();
        drop(verified(&reader.browser).await.unwrap());
    }
}

#[tokio::test]
async fn on_plain_http_it_runs_from_memory_and_says_so() {
    let reader = Subject::Gpt2.reader().await.unwrap();
    let here = format!("127.0.0.1:{}", reader.server.port());
    let there = format!("{PLAIN_HOST}:{}", reader.server.port());
    reader.browser.open(&reader.server.url("#/gpt2").replace(&here, &there)).await.unwrap();
    reader.wait_for("ready").await.unwrap();
    let notice = reader.text("notice").await.unwrap();
    assert!(notice.contains("will not be kept"), "{notice}");
    reader.expect_recovery("").await.unwrap();
}

#[tokio::test]
async fn the_panel_shows_what_is_stored_and_deletes_it() {
    let reader = Subject::Gpt2.ready().await.unwrap();
    reader.press("stored").await.unwrap();
    reader.browser.wait_until("document.querySelector('[data-model=gpt2]')").await.unwrap();
    let said = reader.text("stored").await.unwrap();
    let size = format!("{:.1} MB", Gpt2::random(SMALL, 7).gguf.len() as f64 / 1e6);
    assert!(said.contains("GPT-2") && said.contains(&size) && said.contains("the browser allows"), "{said}");
    reader.press("delete").await.unwrap();
    reader.browser.wait_until("!document.querySelector('[data-model=gpt2]')").await.unwrap();
    assert!(stored(&reader.browser).await.unwrap().is_empty());
    reader.expect_recovery("").await.unwrap();
}
