//! Models of the reader's own: handed over, run, kept, named, deleted.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use thirtyfour::prelude::*;

use crate::looks::expect_good_looks;
use crate::reader::Reader;

/// Notes down which events come from workers.
pub const LISTEN: &str = "
    window.heard = [];
    window.Worker = class extends Worker {
        constructor(...anything) {
            super(...anything);
            this.addEventListener('message', ({ data }) => window.heard.push(Object.keys(data[0])[0]));
        }
    };";

/// Drops the lecture's GPT, which asks for its alphabet, with 64 MB of text, and goes back to what is being written; once
/// it is seen to go on, it is stopped.
const DROP_AND_STOP: &str = "
    const text = 'to be or not to be, that is the question. '.repeat(25000);
    const files = [new File([new Uint8Array(BYTES)], 'bare.pth'), new File(Array(64).fill(text), 'input.txt')];
    const transfer = new DataTransfer();
    files.forEach((file) => transfer.items.add(file));
    const before = window.heard.length;
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    location.hash = '#/peargpt';
    const watch = () => {
        const stop = document.querySelector('[data-testid=stop]');
        const goes_on = window.heard.slice(before).filter((event) => event === 'Text').length > 3;
        if (stop && goes_on) stop.click(); else setTimeout(watch, 1);
    };
    watch();";

/// A character model of nanoGPT, and its alphabet.
pub const NANOGPT: [&str; 2] = ["imported/nanogpt/ckpt.pt", "imported/nanogpt/meta.pkl"];

pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

impl Reader {
    /// Picks files with the file button.
    pub async fn pick(&self, files: &[PathBuf]) -> Result<()> {
        let paths: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        Ok(self.browser.find("files").await?.send_keys(paths.join("\n")).await?)
    }

    /// Picks fixtures.
    pub async fn pick_fixtures(&self, names: &[&str]) -> Result<()> {
        self.pick(&names.iter().map(|name| fixture(name)).collect::<Vec<_>>()).await
    }

    /// Drops a file on the page.
    pub async fn drop_files(&self, files: &[(&str, &[u8])]) -> Result<()> {
        let script = format!(
            "const transfer = new DataTransfer();
             for (const [name, bytes] of {}) transfer.items.add(new File([new Uint8Array(bytes)], name));
             return ['dragover', 'drop'].map((kind) => {{
                 const event = new DragEvent(kind, {{ dataTransfer: transfer, bubbles: true, cancelable: true }});
                 return [!document.body.dispatchEvent(event), document.body.matches('.dropping')];
             }});",
            json!(files)
        );
        let seen = self.browser.script(&script).await?;
        ensure!(seen == json!([[true, true], [true, false]]), "a drop is taken, and shown before: {seen}");
        Ok(())
    }

    /// Runs what has been handed over, and returns its hash.
    pub async fn run_it(&self) -> Result<String> {
        self.press("run-it").await?;
        let hash = self.address_with("#/model?sha256=").await?;
        self.wait_for("ready").await?;
        let digits = hash.split("sha256=").nth(1).context("a hash")?;
        Ok(digits.chars().take(64).collect())
    }

    /// Has the open model kept.
    pub async fn keep(&self) -> Result<()> {
        self.press("keep").await?;
        self.browser.wait_until("document.querySelector('[data-testid=keep]').textContent === 'Kept'").await?;
        Ok(())
    }

    /// What the page says of files that are no model.
    pub async fn refusal(&self, files: &[(&str, &[u8])]) -> Result<String> {
        self.drop_files(files).await?;
        let said = self.text("import-error").await?;
        self.press("start-over").await?;
        Ok(said)
    }
}

#[tokio::test]
async fn a_model_is_dropped_run_kept_found_again_and_deleted() {
    let reader = Reader::at("#/").await.unwrap();
    reader.browser.find("import").await.unwrap();
    let [ckpt, meta] = NANOGPT.map(|name| fs::read(fixture(name)).unwrap());
    reader.drop_files(&[("shakespeare.pt", &ckpt), ("meta.pkl", &meta)]).await.unwrap();
    let summary = reader.text("summary").await.unwrap();
    for fact in ["nanoGPT", "2 layers, 32 wide, 4 heads", "16 tokens", "F32 in the files"] {
        assert!(summary.contains(fact), "{fact} is not in `{summary}`");
    }
    let id = reader.run_it().await.unwrap();
    let text = reader.write(5).await.unwrap();
    let address = reader.address_with("seed=").await.unwrap();
    assert!(address.contains(&id), "{address}");

    reader.keep().await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    reader.press("generate").await.unwrap();
    assert_eq!(reader.finish().await.unwrap(), text, "the address repeats the text after a reload");
    assert_eq!(reader.value("model-name").await.unwrap(), "shakespeare");

    reader.fill("model-name", "My Shakespeare").await.unwrap();
    reader.open("#/").await.unwrap();
    let link = "[...document.querySelectorAll('.kept-models a')].find((link) => link.textContent === 'My Shakespeare')";
    reader.browser.wait_until(&format!("{link}?.hash")).await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.browser.wait_until(&format!("{link}?.hash")).await.unwrap();
    reader.browser.script(&format!("{link}.click()")).await.unwrap();
    reader.wait_for_model().await.unwrap();

    reader.open("#/model").await.unwrap();
    reader.press("delete").await.unwrap();
    reader.browser.wait_until("!document.querySelector('[data-testid=rename]')").await.unwrap();
    reader.open(&address).await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    assert!(reader.text("not-here").await.unwrap().contains("not in this browser"));
    assert!(reader.sees("not-here").await.unwrap());
}

#[tokio::test]
async fn an_address_of_a_model_that_is_not_here_goes_on_with_its_files() {
    let reader = Reader::at("#/model").await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    let id = reader.run_it().await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    let address = format!("#/model?sha256={id}&words=3&seed=7&run=1");
    reader.open(&address).await.unwrap();
    assert!(reader.text("not-here").await.unwrap().contains("not in this browser"));
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    reader.press("run-it").await.unwrap();
    let text = reader.finish().await.unwrap();
    assert!(!text.is_empty());
    assert_eq!(reader.value("seed").await.unwrap(), "7");

    // Another model takes its place in memory, and it comes back from its files.
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.open(&address).await.unwrap();
    assert_eq!(reader.finish().await.unwrap(), text);
}

#[tokio::test]
async fn the_file_that_is_missing_is_named_and_waited_for() {
    let reader = Reader::at("#/model").await.unwrap();
    let files = ["config.json", "tokenizer.json", "model.safetensors.index.json"];
    let shards = ["model-00001-of-00003.safetensors", "model-00003-of-00003.safetensors"];
    let names: Vec<String> = files.iter().chain(&shards).map(|name| format!("imported/sharded/{name}")).collect();
    reader.pick_fixtures(&names.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    let asked = reader.text("question").await.unwrap();
    assert!(asked.starts_with("model-00002-of-00003.safetensors is missing"), "{asked}");
    reader.pick_fixtures(&["imported/sharded/model-00002-of-00003.safetensors"]).await.unwrap();
    assert!(reader.text("summary").await.unwrap().contains("byte pairs"));
    reader.run_it().await.unwrap();
    reader.fill("prompt", "the ").await.unwrap();
    reader
        .browser
        .wait_until("/^[0-9]/.test(document.querySelector('[data-testid=token-count]').textContent)")
        .await
        .unwrap();
}

#[tokio::test]
async fn what_goes_with_a_checkpoint_may_come_before_it() {
    let reader = Reader::at("#/model").await.unwrap();
    reader.pick_fixtures(&[NANOGPT[1]]).await.unwrap();
    assert!(reader.text("question").await.unwrap().starts_with("The weights are missing."));
    reader.pick_fixtures(&[NANOGPT[0]]).await.unwrap();
    assert!(reader.text("summary").await.unwrap().contains("nanoGPT"), "meta.pkl is not asked for again");
    reader.run_it().await.unwrap();
}

#[tokio::test]
async fn a_folder_is_opened_as_a_whole() {
    let reader = Reader::at("#/model").await.unwrap();
    let folder = fixture("imported/sharded").display().to_string();
    reader.browser.find("folder").await.unwrap().send_keys(folder).await.unwrap();
    let summary = reader.text("summary").await.unwrap();
    assert!(summary.contains("Hugging Face") && summary.contains("logits.json"), "{summary}");
    reader.run_it().await.unwrap();
}

#[tokio::test]
async fn what_the_files_do_not_say_is_asked_for() {
    let reader = Reader::at("#/model").await.unwrap();
    reader.pick_fixtures(&["small/model.safetensors", "small/vocab.json", "small/merges.txt"]).await.unwrap();
    assert!(reader.text("question").await.unwrap().contains("Number of heads (n_head)"));
    reader.fill("heads", "5").await.unwrap();
    reader.press("go-on").await.unwrap();
    let asks = "document.querySelector('[data-testid=question]')?.textContent";
    reader
        .browser
        .wait_until(&format!("{asks}?.includes('expected a divisor of the width, which is 32')"))
        .await
        .unwrap();
    assert_eq!(reader.value("heads").await.unwrap(), "5", "what was typed is not lost");
    reader.fill("heads", "4").await.unwrap();
    reader.press("go-on").await.unwrap();
    assert!(reader.text("summary").await.unwrap().contains("4 heads"));
    reader.press("start-over").await.unwrap();

    reader.pick_fixtures(&["imported/lecture/bare.pth"]).await.unwrap();
    assert!(reader.text("question").await.unwrap().contains("which 65 characters"));
    assert_eq!(reader.value("alphabet").await.unwrap().chars().count(), 65, "tiny Shakespeare's is proposed");
    reader.press("go-on").await.unwrap();
    assert!(reader.text("summary").await.unwrap().contains("ReLU"));
    reader.run_it().await.unwrap();
    reader.write(3).await.unwrap();
}

#[tokio::test]
async fn what_is_no_model_is_told_so() {
    let reader = Reader::at("#/model").await.unwrap();
    let ckpt = fs::read(fixture(NANOGPT[0])).unwrap();
    let gguf = fs::read(fixture("../../weights/peargpt.gguf")).unwrap();
    for (name, bytes, begins, part) in [
        ("pear.png", &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], "This cannot be opened", "pear.png: an image"),
        ("nothing.pt", &[], "This cannot be opened", "nothing.pt: an empty file"),
        ("cut.pt", &ckpt[..ckpt.len() / 2], "cut.pt is", "Download it again"),
        ("notes.txt", b"Dear diary,\nnothing happened.", "This cannot be opened", "notes.txt"),
        ("cut.gguf", &gguf[..20_000], "cut.gguf is incomplete. Download it again.", "` at byte "),
    ] {
        let said = reader.refusal(&[(name, bytes)]).await.unwrap();
        assert!(said.starts_with(begins) && said.contains(part), "{said}");
    }
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    reader.run_it().await.unwrap();
}

#[tokio::test]
async fn a_text_goes_on_and_can_be_stopped_while_a_large_file_is_looked_at() {
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page(LISTEN).await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.fill("words", "5000").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.first_text().await.unwrap();
    let bytes = fs::read(fixture("imported/lecture/bare.pth")).unwrap();
    reader.browser.script(&DROP_AND_STOP.replace("BYTES", &json!(bytes).to_string())).await.unwrap();
    reader.wait_for("stopped").await.unwrap();
    reader.open("#/model").await.unwrap();
    assert!(reader.text("question").await.unwrap().contains("which 65 characters"));
    let heard = reader.browser.script("return window.heard.indexOf('Inspected') - window.heard.indexOf('Done')").await;
    let after = heard.unwrap().as_i64().unwrap();
    assert!(after > 0, "Stop was seen only after the files had been looked at: {after}");
}

#[tokio::test]
async fn a_model_of_ones_own_is_measured() {
    let reader = Reader::at("#/model").await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    let id = reader.run_it().await.unwrap();
    reader.open(&format!("#/bench?model={id}&prompt_tokens=8&tokens=4")).await.unwrap();
    reader.wait_for("done").await.unwrap();
    assert!(reader.text("bench-json").await.unwrap().contains(&id));
    let choice = format!("a[href='#/bench?model={id}']");
    let choice = reader.browser.driver().query(By::Css(choice)).nowait().first().await.unwrap();
    assert_eq!(choice.text().await.unwrap(), "ckpt");
}

#[tokio::test]
async fn where_models_are_handed_over_looks_good() {
    let reader = Reader::at("#/model").await.unwrap();
    reader.browser.find("import").await.unwrap();
    expect_good_looks(&reader, "own").await;
    reader.pick_fixtures(&["imported/lecture/bare.pth"]).await.unwrap();
    reader.browser.find("alphabet").await.unwrap();
    expect_good_looks(&reader, "own-asking").await;
    reader.press("go-on").await.unwrap();
    reader.browser.find("summary").await.unwrap();
    expect_good_looks(&reader, "own-summary").await;
    reader.run_it().await.unwrap();
    reader.press("take-along").await.unwrap();
    reader.keep().await.unwrap();
    reader.write(20).await.unwrap();
    expect_good_looks(&reader, "own-studio").await;
    reader.open("#/model").await.unwrap();
    reader.browser.find("rename").await.unwrap();
    expect_good_looks(&reader, "own-kept").await;
    reader.open("#/").await.unwrap();
    reader.browser.find("import").await.unwrap();
    expect_good_looks(&reader, "home-kept").await;
    assert!(reader.browser.driver().query(By::Css(".kept-models a")).nowait().any().await.unwrap().len() == 1);
}
