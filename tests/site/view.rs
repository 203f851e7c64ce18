//! What happens is brought into view, and the focus is never lost.

use std::fs;

use serde_json::json;
use thirtyfour::prelude::*;

use crate::looks::FITS;
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

    /// The `data-testid` of what has the focus, or the name of its element.
    async fn focus(&self) -> String {
        let script = "return document.activeElement.dataset.testid ?? document.activeElement.tagName";
        self.browser.script(script).await.unwrap().as_str().unwrap_or_default().to_string()
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
async fn the_end_key_follows_the_text_again() {
    let reader = Reader::ready().await.unwrap();
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    let grown_by = |characters: usize| {
        format!(
            "(() => {{
                const sheet = document.querySelector('[data-testid=output]');
                window.begun ??= sheet.textContent.length;
                if (sheet.textContent.length < begun + {characters} || sheet.scrollHeight < sheet.clientHeight + 200) return;
                window.begun = undefined;
                return {{ left: sheet.scrollHeight - sheet.clientHeight - sheet.scrollTop }};
            }})()"
        )
    };
    let left = async || reader.browser.wait_until(&grown_by(1500)).await.unwrap()["left"].as_f64().unwrap();
    assert!(left().await < 2.0, "the text is followed from the beginning");
    // The event is what a reader's scrolling makes, before anything is written after it.
    let back = "const sheet = document.querySelector('[data-testid=output]');
        sheet.scrollTop = 0;
        sheet.dispatchEvent(new Event('scroll'));";
    reader.browser.script(back).await.unwrap();
    assert!(left().await > 200.0, "not by a reader who has gone back");
    let output = reader.browser.find("output").await.unwrap();
    output.send_keys(Key::End).await.unwrap();
    assert!(left().await < 2.0, "the End key goes to the end and stays there");
    reader.press("stop").await.unwrap();
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

#[tokio::test]
async fn nothing_is_wider_than_the_smallest_phone() {
    let reader = Reader::at("#/model").await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    reader.run_it().await.unwrap();
    reader.keep().await.unwrap();
    let look = async |page: &str| {
        reader.browser.set_look(320, 700, false).await.unwrap();
        assert_eq!(reader.browser.script(FITS).await.unwrap(), true, "{page} fits 320 pixels");
    };
    look("the page that writes").await;
    reader.press("settings").await.unwrap();
    reader.press("stored").await.unwrap();
    reader.write(20).await.unwrap();
    look("with settings and a text").await;
    reader.open("#/model").await.unwrap();
    let name = reader.browser.find("rename").await.unwrap();
    look("the list of what is stored").await;
    assert!(name.rect().await.unwrap().width > 150.0, "a name has room");
    for route in ["#/", "#/peargpt", "#/gpt2", "#/bench?prompt_tokens=4&tokens=2", "#/about", "#/nowhere"] {
        reader.open(route).await.unwrap();
        reader.browser.wait_until("document.querySelector('h1[tabindex]')").await.unwrap();
        look(route).await;
    }
}

#[tokio::test]
async fn help_is_no_column_of_single_words_on_a_phone() {
    let reader = Reader::at("#/peargpt").await.unwrap();
    reader.browser.set_look(390, 700, false).await.unwrap();
    reader.browser.find("words").await.unwrap();
    let lines = "const help = document.getElementById('words-help');
        return Math.round(help.getBoundingClientRect().height / parseFloat(getComputedStyle(help).lineHeight))";
    let lines = reader.browser.script(lines).await.unwrap().as_f64().unwrap();
    assert!((1.0..=2.0).contains(&lines), "{lines} lines");
}

#[tokio::test]
async fn the_bench_runs_again_from_the_page() {
    let reader = Reader::at("#/bench?prompt_tokens=8&tokens=4").await.unwrap();
    reader.wait_for("done").await.unwrap();
    let mark = "document.querySelector('[data-testid=bench-json]').dataset.isOld = true";
    reader.browser.script(mark).await.unwrap();
    reader.press("run-again").await.unwrap();
    let is_new =
        "document.querySelector('[data-testid=bench-json]:not([data-is-old])')?.textContent.includes('decode')";
    reader.browser.wait_until(is_new).await.unwrap();
    assert_eq!(reader.state().await.unwrap(), "done");
    assert_eq!(reader.focus().await, "run-again");
}

#[tokio::test]
async fn a_link_to_the_site_has_a_preview() {
    let reader = Reader::at("#/").await.unwrap();
    let preview = "return ['og:title', 'og:description', 'og:type']
        .map((name) => document.querySelector(`meta[property=\"${name}\"]`)?.content)";
    let description = "Small GPTs that run in a browser tab. No server, nothing leaves your machine.";
    let expected = json!(["peargpt: small GPTs in a browser tab", description, "website"]);
    assert_eq!(reader.browser.script(preview).await.unwrap(), expected);
    let foot = reader.browser.script("return document.querySelector('footer').textContent").await.unwrap();
    assert!(foot.as_str().unwrap().contains("MIT licence"));
}
