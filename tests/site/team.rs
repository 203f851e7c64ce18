//! Several workers compute one model: the same bytes for any number of them.

use std::time::Duration;

use crate::own::NANOGPT;
use crate::reader::Reader;
use crate::server::Fault;
use crate::subject::Subject;
use crate::worker::worker_that;

impl Reader {
    /// What computes, as the page says it.
    pub async fn backend(&self) -> String {
        self.browser.find("stats").await.unwrap().attr("data-backend").await.unwrap().unwrap_or_default()
    }

    /// Continues the text with a few words, and expects the link to the whole of it to repeat it.
    pub async fn expect_continuation_and_link(&self, words: u32) {
        let stopped = self.output().await.unwrap();
        self.fill("words", &words.to_string()).await.unwrap();
        self.press("continue").await.unwrap();
        self.wait_for("done").await.unwrap();
        let text = self.output().await.unwrap();
        assert!(text.starts_with(&stopped) && text.len() > stopped.len());
        self.press("share").await.unwrap();
        let link = self.browser.clipboard().await.unwrap();
        self.browser.open("about:blank").await.unwrap();
        self.browser.open(&link).await.unwrap();
        assert_eq!(self.finish().await.unwrap(), text, "the link repeats it");
    }

    /// The text of an address that runs by itself, with so many threads, in a new document.
    async fn text_of(&self, address: &str, threads: u32) -> String {
        self.browser.open("about:blank").await.unwrap();
        self.open(&format!("{address}&threads={threads}&run=1")).await.unwrap();
        let text = self.finish().await.unwrap();
        let backend = self.backend().await;
        let said = if threads == 1 { ", 1 thread".to_string() } else { format!(", {threads} threads") };
        assert!(backend.ends_with(&said), "{threads} threads: {backend}");
        text
    }
}

#[tokio::test]
async fn any_number_of_workers_writes_the_same() {
    for (subject, address) in [
        // Past the context, twice.
        (Subject::PearGpt, "#/peargpt?prompt=ROMEO%3A&tokens=450&seed=7"),
        (Subject::Gpt2, "#/gpt2?prompt=the%20river&tokens=150&seed=3&temperature=1.2"),
    ] {
        let reader = subject.reader().await.unwrap();
        let alone = reader.text_of(address, 1).await;
        for threads in [2, 3, 5, 8] {
            assert_eq!(reader.text_of(address, threads).await, alone, "{subject:?}, {threads} threads");
        }
        // The address that is shared does not say how many.
        let hash = reader.browser.script("return location.hash").await.unwrap();
        assert!(!hash.as_str().unwrap().contains("threads="), "{hash}");
    }
}

#[tokio::test]
async fn a_text_is_stopped_and_continued_with_two_workers() {
    let reader = Reader::at("#/peargpt?prompt=ROMEO%3A&words=3000&seed=7&threads=2&run=1").await.unwrap();
    reader.first_text().await.unwrap();
    reader.press("stop").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    let stopped = reader.output().await.unwrap();
    // The bench computes something else between, with a cache of its own.
    reader.browser.script("location.hash = '#/bench?prompt_tokens=8&tokens=20'").await.unwrap();
    reader.wait_for("done").await.unwrap();
    let report = reader.text("bench-json").await.unwrap();
    assert!(report.contains("\"threads\": 2"), "{report}");
    reader.browser.script("history.back()").await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    assert_eq!(reader.output().await.unwrap(), stopped);
    // The link says nothing of threads: one repeats it.
    reader.expect_continuation_and_link(60).await;
}

/// A member that stops in the middle of a text of more than 570 tokens.
const HANGS: &str = "
    const store = Atomics.store;
    let stores = 0;
    Atomics.store = (...of) => {
        stores += 1;
        while (globalThis.program.role === 'member' && stores > 20000);
        return store(...of);
    };";

#[tokio::test]
async fn a_worker_that_does_not_answer_ends_the_run_with_a_sentence_and_a_new_team_writes() {
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page(&worker_that(HANGS)).await.unwrap();
    reader.open("#/peargpt?words=5000&seed=7&threads=2&run=1").await.unwrap();
    let said = reader.failure().await.unwrap();
    assert!(said.contains("thread 2 of 2 does not answer") && said.contains("Your text is kept"), "{said}");
    let kept = reader.output().await.unwrap();
    assert!(!kept.is_empty());
    // At most 330 tokens.
    reader.fill("words", "5").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.wait_for("done").await.unwrap();
    assert!(reader.backend().await.ends_with("2 threads"));
}

#[tokio::test]
async fn where_a_worker_cannot_have_its_part_one_thread_computes_and_the_page_says_so() {
    let reader = Reader::new().await.unwrap();
    let fails = "
        const instantiate = WebAssembly.instantiate;
        WebAssembly.instantiate = (...of) =>
            globalThis.program.role === 'member' ? Promise.reject(new Error('no room here')) : instantiate(...of);";
    reader.browser.before_every_page(&worker_that(fails)).await.unwrap();
    reader.open("#/peargpt?words=20&seed=7&threads=2&run=1").await.unwrap();
    reader.finish().await.unwrap();
    assert!(reader.backend().await.ends_with("1 thread"));
    let notice = reader.text("notice").await.unwrap();
    assert!(notice.contains("One thread computes: ") && notice.contains("no room here"), "{notice}");
}

#[tokio::test]
async fn without_shared_memory_one_thread_computes_whatever_the_address_says() {
    let reader = Reader::plain().await.unwrap();
    reader.server.always("service-worker.js", Fault::Status(404));
    reader.open("#/peargpt?words=5&seed=7&threads=4&run=1").await.unwrap();
    reader.wait_for("done").await.unwrap();
    assert!(reader.backend().await.ends_with("1 thread"));
}

#[tokio::test]
async fn a_model_of_the_readers_own_is_computed_by_two_workers() {
    let reader = Reader::new().await.unwrap();
    let mut texts = Vec::new();
    for threads in [1, 2] {
        reader.browser.open_tab(&reader.server.url(&format!("#/model?threads={threads}"))).await.unwrap();
        reader.pick_fixtures(&NANOGPT).await.unwrap();
        reader.run_it().await.unwrap();
        reader.fill("seed", "5").await.unwrap();
        texts.push(reader.write(40).await.unwrap());
        assert!(reader.backend().await.contains(&format!("{threads} thread")));
    }
    assert_eq!(texts[0], texts[1]);
}

#[tokio::test]
async fn a_team_that_has_nothing_to_do_does_not_compute() {
    let reader = Reader::at("#/peargpt?words=200&seed=7&threads=2&run=1").await.unwrap();
    reader.finish().await.unwrap();
    assert!(reader.backend().await.ends_with("2 threads"));
    let written = reader.browser.workers_computed_ns().unwrap();
    assert!(written > 50_000_000, "{written} ns: the workers' threads are not found");
    // The end of the text, and the page's questions about it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = reader.browser.workers_computed_ns().unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let computed = reader.browser.workers_computed_ns().unwrap() - before;
    assert!(computed < 50_000_000, "{computed} ns of 5 s");
}

#[tokio::test]
async fn eight_workers_stop_while_they_read_a_prompt_and_while_they_write() {
    let prompt = "The sun is up. ".repeat(400);
    let reader =
        Reader::at(&format!("#/peargpt?words=4000&seed=7&threads=8&prompt={}", prompt.replace(' ', "%20"))).await;
    let reader = reader.unwrap();
    reader.wait_for("ready").await.unwrap();
    for waits_for_text in [false, true] {
        reader.press("generate").await.unwrap();
        if waits_for_text {
            reader.first_text().await.unwrap();
        }
        reader.press("stop").await.unwrap();
        reader.wait_for("stopped").await.unwrap();
    }
    assert!(reader.backend().await.ends_with("8 threads"));
}
