//! How many threads compute: measured, chosen by the reader, held against each text's speed.

use crate::own::NANOGPT;
use crate::reader::Reader;

const SHAPE: &str = "8x320x1280x5x65";

impl Reader {
    /// A reader of a page that is not told how many threads compute.
    async fn automatic() -> Reader {
        let reader = Reader::new().await.unwrap();
        reader.server.rewrite("peargpt:threads\" content=\"1\"", "peargpt:threads\" content=\"\"");
        reader
    }

    /// Waits until the page says that so many threads compute.
    async fn expect_threads(&self, threads: u32) {
        let end = if threads == 1 { ", 1 thread".to_string() } else { format!(", {threads} threads") };
        let says = format!("document.querySelector('[data-testid=stats]')?.dataset.backend?.endsWith('{end}')");
        self.browser.wait_until(&says).await.unwrap();
        self.wait_for_model().await.unwrap();
    }

    /// What this browser remembers under a name.
    async fn remembered(&self, name: &str) -> String {
        let found = self.browser.script(&format!("return localStorage.getItem('peargpt:{name}') ?? ''")).await.unwrap();
        found.as_str().unwrap().to_string()
    }

    /// Has the browser remember something before the page begins.
    async fn remember(&self, name: &str, value: &str) {
        let store = format!("localStorage.setItem('peargpt:{name}', {})", serde_json::Value::from(value));
        self.browser.before_every_page(&store).await.unwrap();
    }
}

/// A line about pearGPT's shape, measured today.
fn measured(ms: &str) -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{} {SHAPE} {ms}", since.as_secs() / 86400)
}

#[tokio::test]
async fn the_fastest_number_is_found_out_once_and_remembered() {
    let reader = Reader::automatic().await;
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    let line = reader.remembered("speeds").await;
    let ms: Vec<f64> = line.split(' ').skip(2).map(|word| word.split_once(':').unwrap().1.parse().unwrap()).collect();
    let is_of_both = line.contains(SHAPE) && line.contains(" 1:") && line.contains(" 2:");
    assert!(is_of_both && ms.iter().all(|ms| (0.01..1000.0).contains(ms)), "{line}");
    let best = if ms[1] < 0.95 * ms[0] { 2 } else { 1 };
    reader.expect_threads(best).await;
    assert_eq!(reader.remembered("threads").await, "", "the reader has chosen nothing");
    let chosen =
        reader.browser.script("return document.querySelector('[data-testid=threads]').selectedOptions[0].text");
    assert_eq!(chosen.await.unwrap(), format!("Automatic ({best})"));
    reader.browser.driver().refresh().await.unwrap();
    reader.expect_threads(best).await;
    assert_eq!(reader.remembered("speeds").await, line, "it is not measured again");
}

#[tokio::test]
async fn what_is_remembered_decides_until_a_text_was_slower() {
    let reader = Reader::automatic().await;
    // Nothing is as fast as that.
    reader.remember("speeds", &measured("1:0.002 2:0.001")).await;
    reader.open("#/peargpt").await.unwrap();
    reader.expect_threads(2).await;
    reader.write(40).await.unwrap();
    reader.expect_threads(1).await;
    let text = reader.output().await.unwrap();
    let line = reader.remembered("speeds").await;
    let two: f64 = line.split_once(" 1:0.002 2:").unwrap().1.parse().unwrap();
    assert!(two > 0.01, "the text's speed is noted: {line}");
    reader.press("continue").await.unwrap();
    reader.wait_for("done").await.unwrap();
    assert!(reader.output().await.unwrap().starts_with(&text), "the text can still be continued");
}

#[tokio::test]
async fn the_readers_choice_is_kept_and_the_address_overrules_it() {
    let reader = Reader::ready().await.unwrap();
    reader.expect_threads(1).await;
    reader.fill("seed", "7").await.unwrap();
    let text = reader.write(60).await.unwrap();
    reader.fill("threads", "2").await.unwrap();
    reader.expect_threads(2).await;
    assert_eq!(reader.output().await.unwrap(), text, "the text stays");
    assert_eq!(reader.write(60).await.unwrap(), text);
    let hash = reader.browser.script("return location.hash").await.unwrap();
    assert!(!hash.as_str().unwrap().contains("threads"), "{hash}");
    reader.browser.driver().refresh().await.unwrap();
    reader.expect_threads(2).await;
    assert_eq!(reader.remembered("threads").await, "2");
    reader.browser.open("about:blank").await.unwrap();
    reader.open("#/peargpt?threads=3").await.unwrap();
    reader.expect_threads(3).await;
    assert_eq!((reader.value("threads").await.unwrap(), reader.remembered("threads").await), ("3".into(), "2".into()));
    reader.fill("threads", "automatic").await.unwrap();
    reader.browser.wait_until("localStorage.getItem('peargpt:threads') === 'automatic'").await.unwrap();
    reader.browser.wait_until("!location.hash.includes('threads')").await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    assert_eq!(reader.value("threads").await.unwrap(), "automatic");
}

#[tokio::test]
async fn a_choice_during_a_text_counts_after_it() {
    let reader = Reader::at("#/peargpt?words=4000&seed=7&threads=1&run=1").await.unwrap();
    reader.first_text().await.unwrap();
    reader.fill("threads", "2").await.unwrap();
    reader.browser.wait_until("document.querySelector('[data-testid=stats]').dataset.tokens > 400").await.unwrap();
    assert_eq!(reader.state().await.unwrap(), "generating");
    assert!(reader.backend().await.ends_with("1 thread"));
    reader.press("stop").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    reader.expect_threads(2).await;
    reader.expect_continuation_and_link(40).await;
}

#[tokio::test]
async fn a_model_that_is_not_kept_is_opened_anew() {
    let reader = Reader::at("#/model").await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    reader.run_it().await.unwrap();
    reader.expect_threads(1).await;
    reader.fill("seed", "5").await.unwrap();
    let text = reader.write(40).await.unwrap();
    for threads in [2, 1, 2] {
        reader.fill("threads", &threads.to_string()).await.unwrap();
        reader.expect_threads(threads).await;
        assert_eq!(reader.write(40).await.unwrap(), text);
    }
}

#[tokio::test]
async fn where_memory_cannot_be_shared_there_is_nothing_to_choose_and_the_page_says_why() {
    let reader = Reader::plain().await.unwrap();
    reader.server.always("service-worker.js", crate::server::Fault::Status(404));
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    let script = "const control = document.querySelector('[data-testid=threads]');
        return control.disabled && control.closest('.control').querySelector('.help').textContent";
    let said = reader.browser.script(script).await.unwrap();
    assert!(said.as_str().is_some_and(|said| said.contains("SharedArrayBuffer")), "{said}");
}
