//! What tabs of the site do to each other: files that are open elsewhere, locks that are held, or that nobody lends.

use std::time::Duration;

use crate::model::{Gpt2, SMALL};
use crate::reader::Reader;
use crate::server::Fault;
use crate::subject::{SLICE, Subject};
use crate::weights::{folders, hold_open, let_go, lock, stored, unlock, verified};
use crate::worker::worker_that;

const PART: &str = "weights/gpt2/gpt2.gguf.part003";

/// No lock is lent, as in a frame that is shut off from its site.
const REFUSED: &str = "LockManager.prototype.request = () => Promise.reject(new DOMException('The request was denied.', 'SecurityError'));";
/// The same, said at once.
const THROWN: &str =
    "LockManager.prototype.request = () => { throw new DOMException('The request was denied.', 'SecurityError'); };";

/// Names of what is stored of GPT-2.
async fn names(reader: &Reader) -> Vec<String> {
    let mut names: Vec<String> = stored(&reader.browser).await.unwrap().into_iter().map(|file| file.name).collect();
    names.sort_unstable();
    names
}

impl Reader {
    /// Waits for a notice with these words.
    async fn notice(&self, words: &str) {
        let notice = "document.querySelector('[data-testid=notice]')?.textContent";
        self.browser.wait_until(&format!("{notice}?.includes('{words}')")).await.unwrap();
    }

    /// Does something in another tab of the site, and comes back.
    async fn elsewhere<T>(&self, act: impl AsyncFnOnce() -> anyhow::Result<T>) {
        let driver = self.browser.driver();
        let here = driver.window().await.unwrap();
        match driver.windows().await.unwrap().into_iter().find(|tab| *tab != here) {
            Some(other) => driver.switch_to_window(other).await.unwrap(),
            None => self.browser.open_tab(&self.server.url("#/")).await.unwrap(),
        }
        act().await.unwrap();
        driver.switch_to_window(here).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_open_in_another_tab_is_not_deleted_and_the_page_says_so() {
    let reader = Subject::Gpt2.ready().await.unwrap();
    let before = names(&reader).await;
    let part = before.iter().find(|name| name.len() == 64).unwrap().clone();
    reader.press("stored").await.unwrap();
    reader.browser.wait_until("document.querySelector('[data-model=gpt2]')").await.unwrap();
    reader.elsewhere(async || hold_open(&reader.browser, "gpt2", &part).await).await;
    reader.press("delete").await.unwrap();
    reader.notice("It cannot be removed: a file of it is open, here or in another tab").await;
    let after = names(&reader).await;
    assert!(before.iter().all(|name| after.contains(name)), "of {before:?} only {after:?} are there");
    assert!(reader.text("stored").await.unwrap().contains("GPT-2"));

    // The page of the reader's own models lists all of them, and says it too.
    reader.open("#/model").await.unwrap();
    reader.press("delete").await.unwrap();
    reader.browser.wait_until("document.querySelector('[data-testid=mishap]')?.textContent").await.unwrap();
    assert!(reader.text("mishap").await.unwrap().contains("It cannot be removed"));

    reader.elsewhere(async || let_go(&reader.browser).await).await;
    reader.press("delete").await.unwrap();
    reader.browser.wait_until("!document.querySelector('[data-model=gpt2]')").await.unwrap();
    assert!(names(&reader).await.is_empty());
    assert_eq!(reader.text("mishap").await.unwrap(), "", "what was wrong is over");
}

#[tokio::test]
async fn a_download_whose_file_another_tab_has_open_is_not_cancelled() {
    let reader = Subject::Gpt2.reader().await.unwrap();
    reader.server.rewrite("\"stall_ms\":2000", "\"stall_ms\":600000");
    reader.server.always(PART, Fault::StallAt(100));
    reader.open("#/gpt2").await.unwrap();
    reader.server.wait_for_bytes("part003", 100);
    reader.press("pause").await.unwrap();
    reader.wait_for("paused").await.unwrap();
    let before = verified(&reader.browser).await.unwrap();
    assert!(!before.is_empty());
    reader.elsewhere(async || hold_open(&reader.browser, "gpt2", &before[0].name).await).await;
    reader.press("cancel").await.unwrap();
    reader.notice("It cannot be removed: a file of it is open").await;
    reader.wait_for("paused").await.unwrap();
    reader.elsewhere(async || let_go(&reader.browser).await).await;

    reader.press("cancel").await.unwrap();
    reader.wait_for("asking").await.unwrap();
    assert!(stored(&reader.browser).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_download_that_is_cancelled_goes_to_the_tab_that_waits_for_it() {
    let reader = Subject::Gpt2.reader().await.unwrap();
    reader.server.rewrite("\"stall_ms\":2000", "\"stall_ms\":600000");
    reader.server.always(PART, Fault::StallAt(100));
    reader.open("#/gpt2").await.unwrap();
    reader.server.wait_for_bytes("part003", 100);
    // What has come is written down a moment later.
    let mut tries = 0..100;
    while verified(&reader.browser).await.unwrap().is_empty() {
        assert!(tries.next().is_some(), "nothing has been written down");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let waits = "document.querySelector('[data-testid=status]')?.textContent.startsWith('Another tab is using')";
    reader
        .elsewhere(async || {
            reader.open("#/gpt2").await?;
            reader.browser.wait_until(waits).await
        })
        .await;

    reader.server.heal();
    reader.press("cancel").await.unwrap();
    reader.wait_for("asking").await.unwrap();
    reader.notice("Another tab goes on with it.").await;
    assert!(!reader.sees("error").await.unwrap());
    reader.elsewhere(async || reader.wait_for("ready").await).await;
    for part in 0..3 {
        assert_eq!(reader.server.count(&format!("part{part:03}")), 1, "what had come was not fetched again");
    }

    reader.press("fetch").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    assert!(!reader.text("notice").await.unwrap().contains("cancelled"));
}

#[tokio::test]
async fn a_tab_that_waits_for_a_download_can_cancel_and_leaves_it_to_the_other() {
    let reader = Subject::Gpt2.reader().await.unwrap();
    reader.elsewhere(async || lock(&reader.browser, "gpt2").await).await;
    reader.elsewhere(async || hold_open(&reader.browser, "gpt2", "half").await).await;
    reader.open("#/gpt2").await.unwrap();
    reader.browser.wait_until("!document.querySelector('[data-testid=cancel]')?.hidden").await.unwrap();
    reader.press("cancel").await.unwrap();
    reader.wait_for("asking").await.unwrap();
    reader.notice("Another tab goes on with it.").await;
    assert!(names(&reader).await.contains(&"half".to_string()), "what the other tab writes is left alone");
}

#[tokio::test]
async fn a_model_that_another_tab_is_busy_with_is_kept_once_it_is_done() {
    let reader = Reader::at("#/model").await.unwrap();
    reader.pick_fixtures(&crate::own::NANOGPT).await.unwrap();
    let id = reader.run_it().await.unwrap();
    reader.elsewhere(async || lock(&reader.browser, &id).await).await;
    reader.elsewhere(async || hold_open(&reader.browser, &id, "model.new").await).await;
    reader.press("keep").await.unwrap();
    reader.notice("The model is not kept: another tab is busy with it").await;
    assert_eq!(
        folders(&reader.browser).await.unwrap(),
        std::slice::from_ref(&id),
        "what the other tab writes is left alone"
    );
    reader.elsewhere(async || let_go(&reader.browser).await).await;
    reader.elsewhere(async || unlock(&reader.browser).await).await;
    reader.keep().await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
}

#[tokio::test]
async fn a_keep_that_fails_leaves_nothing_and_removes_no_model() {
    let reader = Reader::new().await.unwrap();
    let full =
        "FileSystemSyncAccessHandle.prototype.write = () => { throw new DOMException('', 'QuotaExceededError'); };";
    reader.browser.before_every_page(&worker_that(full)).await.unwrap();
    reader.open("#/model").await.unwrap();
    reader.pick_fixtures(&crate::own::NANOGPT).await.unwrap();
    reader.run_it().await.unwrap();
    reader.press("keep").await.unwrap();
    reader.notice("The model is not kept: ").await;
    reader.browser.wait_until("document.querySelector('[data-testid=keep]')").await.unwrap();
    assert!(folders(&reader.browser).await.unwrap().is_empty());
}

#[tokio::test]
async fn without_locks_it_runs_from_memory_and_says_so() {
    for refuses in [REFUSED, THROWN] {
        let reader = Subject::Gpt2.reader().await.unwrap();
        reader.browser.before_every_page(&worker_that(refuses)).await.unwrap();
        reader.open("#/gpt2").await.unwrap();
        reader.wait_for("ready").await.unwrap();
        reader.notice("will not be kept for your next visit: locks between tabs are not to be had here").await;
        reader.expect_recovery("").await.unwrap();
        assert!(folders(&reader.browser).await.unwrap().is_empty());
        // Another model, and back; nothing waits for ever.
        reader.open("#/peargpt").await.unwrap();
        reader.wait_for("ready").await.unwrap();

        reader.open("#/model").await.unwrap();
        reader.pick_fixtures(&crate::own::NANOGPT).await.unwrap();
        reader.run_it().await.unwrap();
        reader.press("keep").await.unwrap();
        reader.notice("The model is not kept: locks between tabs are not to be had here").await;
    }
}

#[tokio::test]
async fn without_locks_a_model_that_is_kept_is_read_and_can_be_deleted() {
    let reader = Reader::at("#/model").await.unwrap();
    reader.pick_fixtures(&crate::own::NANOGPT).await.unwrap();
    reader.run_it().await.unwrap();
    reader.keep().await.unwrap();
    reader.browser.before_every_page(&worker_that(REFUSED)).await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    reader.open("#/model").await.unwrap();
    reader.press("delete").await.unwrap();
    reader.browser.wait_until("!document.querySelector('[data-testid=rename]')").await.unwrap();
    assert!(folders(&reader.browser).await.unwrap().is_empty());
}

#[tokio::test]
async fn in_a_frame_that_is_shut_off_from_its_site_it_runs_from_memory() {
    let reader = Reader::new().await.unwrap();
    // What isolates answers keeps such a frame from reading them.
    reader.server.isolate(false);
    Gpt2::random(SMALL, 7).host(&reader.server, SLICE);
    for model in ["peargpt", "gpt2"] {
        let frame = format!("<iframe sandbox='allow-scripts allow-forms' src='index.html#/{model}'></iframe>");
        let page = format!("{model}.html");
        reader.server.put(&page, format!("<!doctype html>{frame}").into_bytes());
        reader.browser.open(&reader.server.url(&page)).await.unwrap();
        reader.browser.driver().enter_frame(0).await.unwrap();
        reader.wait_for("ready").await.unwrap();
        reader.notice("will not be kept for your next visit").await;
        reader.expect_recovery("").await.unwrap();
        reader.browser.driver().enter_default_frame().await.unwrap();
    }
}

#[tokio::test]
async fn looking_makes_no_folder() {
    let reader = Reader::at(&format!("#/model?sha256={}", "0a".repeat(32))).await.unwrap();
    assert!(reader.text("not-here").await.unwrap().contains("not in this browser"));
    reader.browser.wait_until("!document.querySelector('[data-testid=not-here]').hidden").await.unwrap();
    reader.browser.find("room").await.unwrap();
    assert_eq!(folders(&reader.browser).await.unwrap(), Vec::<String>::new());
    // The list of what is stored, and a model that waits for the reader's word.
    let hub = crate::server::Server::start().unwrap();
    Gpt2::random(SMALL, 7).publish(&reader.server, &hub);
    reader.browser.driver().refresh().await.unwrap();
    reader.open("#/gpt2").await.unwrap();
    reader.wait_for("asking").await.unwrap();
    reader.press("stored").await.unwrap();
    reader.browser.find("room").await.unwrap();
    assert_eq!(folders(&reader.browser).await.unwrap(), Vec::<String>::new());
}
