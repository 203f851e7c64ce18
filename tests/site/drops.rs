//! What else is dropped than the files of one model: folders, several models, an export.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;
use thirtyfour::prelude::*;

use crate::downloads::Downloads;
use crate::looks::expect_good_looks;
use crate::own::{NANOGPT, fixture};
use crate::reader::Reader;

/// A drop of a folder as a script can make it: what the entry gives, it gives only while the event is handled, and its
/// files in two pieces.
const DROP_FOLDER: &str = "
    const [name, contents, beside] = CONTENTS;
    const file = ([name, bytes]) => new File([new Uint8Array(bytes)], name);
    const entry = (file) => ({ isFile: true, isDirectory: false, name: file.name, file: (given) => given(file) });
    const folder = (name, entries) => ({ isFile: false, isDirectory: true, name, createReader: () => {
        const pieces = [entries.slice(0, 1), entries.slice(1)].filter((piece) => piece.length);
        return { readEntries: (given) => setTimeout(() => given(pieces.shift() ?? [])) };
    } });
    const within = folder('onnx', [entry(file(['model.bin', [1]]))]);
    let isHandled = false;
    const item = (entry, file) => ({ kind: 'file', webkitGetAsEntry: () => isHandled ? null : entry, getAsFile: () => file });
    const items = [item(folder(name, [within, ...contents.map(file).map(entry)]), null)];
    for (const one of beside.map(file)) items.push(item(entry(one), one));
    const event = new DragEvent('drop', { bubbles: true, cancelable: true });
    Object.defineProperty(event, 'dataTransfer', { value: { types: ['Files'], items } });
    document.body.dispatchEvent(event);
    isHandled = true;";

/// The models that can be chosen.
const CHOICES: &str =
    "[...document.querySelectorAll('[data-testid=choose-model]')].map((button) => button.textContent)";

impl Reader {
    /// Drops files and folders of the disk, as a hand does.
    async fn drop_paths(&self, paths: &[PathBuf]) -> Result<()> {
        let data = json!({ "items": [], "files": paths, "dragOperationsMask": 1 });
        for kind in ["dragEnter", "dragOver", "drop"] {
            let event = json!({ "type": kind, "x": 200, "y": 200, "data": data });
            self.browser.devtools("Input.dispatchDragEvent", event).await?;
        }
        Ok(())
    }

    /// Drops a folder with these files, and with a folder in it, and files beside it, by a script.
    pub async fn drop_folder(&self, name: &str, contents: &[(&str, &[u8])], beside: &[(&str, &[u8])]) -> Result<()> {
        let script = DROP_FOLDER.replace("CONTENTS", &json!([name, contents, beside]).to_string());
        self.browser.script(&script).await.map(drop)
    }

    /// Has the model that was handed over keep the precision of its files.
    async fn keep_precision(&self) -> Result<()> {
        self.press("as-they-are").await?;
        let seen = "document.querySelector('[data-testid=summary]')?.textContent.includes('F32 here')";
        self.browser.wait_until(seen).await.map(drop)
    }

    /// Chooses one of several models.
    pub async fn choose(&self, model: &str) -> Result<()> {
        self.browser.find("choose-model").await?;
        let buttons = self.browser.driver().query(By::Css("[data-testid=choose-model]")).nowait().any().await?;
        for button in buttons {
            if button.text().await? == model {
                button.focus().await?;
                return Ok(button.send_keys(" ").await?);
            }
        }
        Err(anyhow::anyhow!("{model} cannot be chosen"))
    }
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(fixture(name)).unwrap()
}

/// A new folder of this name with these fixtures.
fn folder(name: &str, fixtures: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("drops").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for name in fixtures {
        let from = fixture(name);
        fs::copy(&from, folder.join(from.file_name().unwrap())).unwrap();
    }
    folder
}

#[tokio::test]
async fn a_folder_is_dropped() {
    let reader = Reader::at("#/").await.unwrap();
    reader.browser.find("import").await.unwrap();
    let names = ["config.json", "pytorch_model.bin", "tokenizer.json"].map(|name| format!("imported/bin/{name}"));
    let folder = folder("juliet", &names.each_ref().map(String::as_str));
    // Chromium lists a hundred at a time.
    (0..120).for_each(|number| fs::write(folder.join(format!("{number}.png")), "\x7fPNG").unwrap());
    fs::create_dir(folder.join("onnx")).unwrap();
    fs::copy(fixture("imported/lecture/bare.pth"), folder.join("onnx/bare.pth")).unwrap();
    reader.drop_paths(&[folder]).await.unwrap();
    let summary = reader.text("summary").await.unwrap();
    assert!(summary.contains("Hugging Face, torch"), "{summary}");
    assert_eq!(summary.matches(".png").count(), 120, "{summary}");
    reader.run_it().await.unwrap();
    assert_eq!(reader.value("model-name").await.unwrap(), "juliet");
    assert_eq!(reader.browser.console().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_beside_a_folder_counts_and_an_empty_folder_is_told_so() {
    let reader = Reader::at("#/model").await.unwrap();
    reader.browser.find("import").await.unwrap();
    let empty = folder("empty", &[]);
    reader.drop_paths(std::slice::from_ref(&empty)).await.unwrap();
    assert!(reader.text("import-error").await.unwrap().starts_with("There are no files in this folder."));
    reader.press("start-over").await.unwrap();
    let out = folder("out", &[NANOGPT[0]]);
    reader.drop_paths(&[empty, out, fixture(NANOGPT[1])]).await.unwrap();
    assert!(reader.text("summary").await.unwrap().contains("nanoGPT"));
    reader.run_it().await.unwrap();
}

#[tokio::test]
async fn which_of_several_models_is_asked() {
    let reader = Reader::at("#/model").await.unwrap();
    reader.browser.find("import").await.unwrap();
    let (gguf, ckpt, meta) = (bytes("imported/quantised/model.gguf"), bytes(NANOGPT[0]), bytes(NANOGPT[1]));
    let files = [("romeo.gguf", &*gguf), ("juliet.pt", &*ckpt), ("meta.pkl", &*meta)];
    reader.drop_files(&files).await.unwrap();
    let asked = reader.text("question").await.unwrap();
    assert_eq!(asked, "These files hold several models. Which one do you want to run?");
    assert_eq!(reader.browser.script(&format!("return {CHOICES}")).await.unwrap(), json!(["romeo.gguf", "juliet.pt"]));
    assert!(!reader.sees("go-on").await.unwrap());
    expect_good_looks(&reader, "own-choosing").await;
    reader.choose("juliet.pt").await.unwrap();
    let summary = reader.text("summary").await.unwrap();
    assert!(summary.contains("nanoGPT") && summary.contains("romeo.gguf"), "{summary}");
    let id = reader.run_it().await.unwrap();
    assert_eq!(reader.value("model-name").await.unwrap(), "juliet");

    // The choice stays when the model is opened again from its files.
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.open(&format!("#/model?sha256={id}")).await.unwrap();
    reader.wait_for("ready").await.unwrap();
    assert_eq!(reader.value("model-name").await.unwrap(), "juliet");

    reader.open("#/model").await.unwrap();
    reader.drop_files(&files).await.unwrap();
    reader.choose("romeo.gguf").await.unwrap();
    assert!(reader.text("summary").await.unwrap().contains("GGUF"));
    assert_ne!(reader.run_it().await.unwrap(), id);
    assert_eq!(reader.value("model-name").await.unwrap(), "romeo");
}

#[tokio::test]
async fn an_exported_folder_is_dropped_back() {
    let reader = Reader::at("#/model").await.unwrap();
    let downloads = Downloads::of(&reader).await.unwrap();
    let ckpt = bytes(NANOGPT[0]);
    reader.browser.find("import").await.unwrap();
    reader.drop_files(&[("juliet.pt", &ckpt), ("meta.pkl", &bytes(NANOGPT[1]))]).await.unwrap();
    // In 32 bits, which the export keeps.
    reader.keep_precision().await.unwrap();
    let id = reader.run_it().await.unwrap();
    reader.fill("seed", "7").await.unwrap();
    let text = reader.write(5).await.unwrap();
    reader.press("clear").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.press("take-along").await.unwrap();
    reader.press("export-huggingface").await.unwrap();
    let zip = downloads.take("juliet.zip").await.context("the export").unwrap();

    reader.open("#/model").await.unwrap();
    reader.browser.find("import").await.unwrap();
    reader.drop_files(&[("mercutio.zip", &zip)]).await.unwrap();
    assert!(reader.text("summary").await.unwrap().contains("Hugging Face, safetensors"));
    reader.keep_precision().await.unwrap();
    assert_eq!(reader.run_it().await.unwrap(), id, "the same model");
    reader.fill("seed", "7").await.unwrap();
    assert_eq!(reader.write(5).await.unwrap(), text);
    assert_eq!(reader.browser.console().await.unwrap(), Vec::<String>::new());
}
