//! What happens is brought into view, and the focus is never lost.

use std::fs;

use crate::own::{NANOGPT, fixture};
use crate::reader::{Reader, WEIGHTS};
use crate::server::Fault;
use crate::subject::Subject;

impl Reader {
    /// Waits until an element is within the screen.
    async fn waits_to_see(&self, testid: &str) {
        let within = format!(
            "(() => {{
                const box = document.querySelector('[data-testid={testid}]')?.getBoundingClientRect();
                return box?.height > 0 && box.top >= 0 && box.bottom <= innerHeight;
            }})()"
        );
        self.browser.wait_until(&within).await.unwrap();
    }
}

#[tokio::test]
async fn what_becomes_of_dropped_files_is_seen_on_home() {
    let reader = Reader::new().await.unwrap();
    for (width, height) in [(1280, 600), (390, 700)] {
        reader.browser.set_look(width, height, false).await.unwrap();
        reader.open("#/").await.unwrap();
        reader.browser.find("import").await.unwrap();
        reader.browser.script("scrollTo(0, 0)").await.unwrap();
        let [ckpt, meta] = NANOGPT.map(|name| fs::read(fixture(name)).unwrap());
        reader.drop_files(&[("ckpt.pt", &ckpt), ("meta.pkl", &meta)]).await.unwrap();
        reader.waits_to_see("run-it").await;
        reader.press("start-over").await.unwrap();
        reader.browser.script("scrollTo(0, 0)").await.unwrap();
        reader.drop_files(&[("pear.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")]).await.unwrap();
        reader.waits_to_see("import-error").await;
        reader.press("start-over").await.unwrap();
    }
}

#[tokio::test]
async fn what_went_wrong_with_a_download_is_seen_on_a_phone() {
    let reader = Subject::Gpt2.reader().await.unwrap();
    reader.browser.set_look(390, 700, false).await.unwrap();
    reader.server.always("weights/gpt2/gpt2.gguf.part003", Fault::Status(404));
    reader.server.always(WEIGHTS, Fault::Status(404));
    for route in ["#/gpt2", "#/peargpt"] {
        reader.open(route).await.unwrap();
        reader.failure().await.unwrap();
        reader.waits_to_see("error").await;
        reader.waits_to_see("retry").await;
    }
}

#[tokio::test]
async fn what_romeo_speaks_is_seen_on_a_phone() {
    let reader = Reader::at("#/").await.unwrap();
    reader.browser.set_look(390, 800, false).await.unwrap();
    let speak = "document.querySelector('a[href*=\"run=1\"]').click()";
    // The second time the model is loaded, and there is nothing to wait for.
    for _ in 0..2 {
        reader.browser.find("import").await.unwrap();
        reader.browser.script(speak).await.unwrap();
        reader.first_text().await.unwrap();
        reader.waits_to_see("output").await;
        reader.finish().await.unwrap();
        reader.waits_to_see("output").await;
        reader.open("#/").await.unwrap();
    }
}

#[tokio::test]
async fn deleting_a_model_leaves_the_focus_in_the_list() {
    let reader = Subject::Gpt2.ready().await.unwrap();
    reader.open("#/model").await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    reader.run_it().await.unwrap();
    reader.keep().await.unwrap();
    reader.open("#/model").await.unwrap();
    let rows = |count: usize| format!("document.querySelectorAll('[data-testid=delete]').length === {count}");
    reader.browser.wait_until(&rows(2)).await.unwrap();
    reader.press("delete").await.unwrap();
    reader.browser.wait_until(&rows(1)).await.unwrap();
    reader.browser.wait_until("document.activeElement.dataset.testid === 'delete'").await.unwrap();
    reader.press("delete").await.unwrap();
    reader.browser.wait_until(&rows(0)).await.unwrap();
    reader.browser.wait_until("document.activeElement.tagName === 'SUMMARY'").await.unwrap();
}
