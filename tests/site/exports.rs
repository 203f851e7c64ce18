//! Models exported as files for other programs, while a text goes on.

use std::fs;
use std::io::{Cursor, Read};

use anyhow::{Result, ensure};
use peargpt::app::catalog::sha256;
use peargpt::checkpoint::import::{Answers, Inspection, Named, inspect};
use serde_json::json;

use crate::downloads::Downloads;
use crate::own::{LISTEN, NANOGPT};
use crate::reader::Reader;

#[tokio::test]
async fn a_model_is_taken_along() {
    let reader = Reader::at("#/model").await.unwrap();
    let downloads = Downloads::of(&reader).await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    let id = reader.run_it().await.unwrap();
    reader.press("take-along").await.unwrap();
    reader.press("export-gguf-q8_0").await.unwrap();
    assert_eq!(sha256(&downloads.take("ckpt-q8_0.gguf").await.unwrap()), id, "the address is the file's");
    reader.press("export-gguf-f16").await.unwrap();
    let f16 = downloads.take("ckpt-f16.gguf").await.unwrap();
    assert!(f16.starts_with(b"GGUF"));

    reader.press("export-huggingface").await.unwrap();
    let zip = downloads.take("ckpt.zip").await.unwrap();
    let mut zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut files: Vec<Named<Cursor<Vec<u8>>>> = Vec::new();
    for index in 0..zip.len() {
        let (mut file, mut bytes) = (zip.by_index(index).unwrap(), Vec::new());
        file.read_to_end(&mut bytes).unwrap();
        files.push(Named { name: file.name().unwrap().to_string(), reader: Cursor::new(bytes) });
    }
    let Inspection::Ready(draft) = inspect(&mut files, &Answers::default()).unwrap() else { panic!("{files:?}") };
    assert_eq!((draft.config.layers, draft.config.heads), (2, 4));

    // What was taken along is handed over again, and stays as it is.
    reader.open("#/model").await.unwrap();
    reader.drop_files(&[("again.gguf", &f16)]).await.unwrap();
    assert!(reader.text("summary").await.unwrap().contains("F16"));
    assert_eq!(reader.run_it().await.unwrap(), sha256(&f16));

    // A model of the site's own.
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.press("take-along").await.unwrap();
    reader.press("export-gguf-q8_0").await.unwrap();
    let site = fs::read(crate::server::dist().join("weights/peargpt.gguf")).unwrap();
    assert_eq!(downloads.take("pearGPT-q8_0.gguf").await.unwrap().len(), site.len());
    assert_eq!(reader.browser.console().await.unwrap(), Vec::<String>::new());
}

/// The page says when it lets a file go, and waits for long only until it is told not to.
const HOLDS: &str = "
    const test = new BroadcastChannel('exports');
    const late = [];
    const [timer, revoke] = [self.setTimeout, URL.revokeObjectURL];
    self.setTimeout = (act, ms, ...rest) => ms < 30000 ? timer(act, ms, ...rest) : (late.push(act), -1);
    test.onmessage = () => late.splice(0).forEach((act) => act());
    URL.revokeObjectURL = (url) => {
        revoke.call(URL, url);
        test.postMessage(url);
    };";

#[tokio::test]
async fn a_file_that_was_taken_along_is_let_go() {
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page(HOLDS).await.unwrap();
    reader.open("#/model").await.unwrap();
    let downloads = Downloads::of(&reader).await.unwrap();
    let listen = "
        window.gone = [];
        window.exports = new BroadcastChannel('exports');
        window.exports.onmessage = ({ data }) => window.gone.push(data);";
    reader.browser.script(listen).await.unwrap();
    let gone = async |count: usize| reader.browser.wait_until(&format!("gone.length === {count}")).await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    reader.run_it().await.unwrap();
    reader.press("take-along").await.unwrap();
    reader.press("export-gguf-q8_0").await.unwrap();
    downloads.take("ckpt-q8_0.gguf").await.unwrap();
    assert_eq!(reader.browser.script("return gone").await.unwrap(), json!([]));
    // After a while.
    reader.browser.script("exports.postMessage('later')").await.unwrap();
    gone(1).await;
    // When another is written; the first is gone for good.
    reader.press("export-gguf-f16").await.unwrap();
    downloads.take("ckpt-f16.gguf").await.unwrap();
    gone(2).await;
    // When another model is opened.
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    gone(3).await;
    let gone = reader.browser.script("return new Set(gone).size").await.unwrap();
    assert_eq!(gone, json!(2), "one of each file, and the first twice");
}

/// How often a text grew between the first event of one kind and the first of another.
const GROWN: &str = "
    const [from, to] = ['FROM', 'TO'].map((event) => window.heard.indexOf(event));
    return window.heard.slice(from, to).filter((event) => event === 'Text').length;";

impl Reader {
    /// Has a long text written, and goes on once it has begun.
    async fn begin_a_long_text(&self) -> Result<()> {
        self.fill("words", "5000").await?;
        self.press("generate").await?;
        self.first_text().await.map(drop)
    }

    /// Fails unless the text still grows.
    async fn expect_to_go_on(&self) -> Result<()> {
        let length = self.output().await?.len();
        ensure!(self.state().await? == "generating", "the page is `{}`", self.state().await?);
        let grown = format!("document.querySelector('[data-testid=output]').textContent.length > {}", length + 100);
        self.browser.wait_until(&grown).await.map(drop)
    }
}

#[tokio::test]
async fn a_text_goes_on_while_its_model_is_exported() {
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page(LISTEN).await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    let downloads = Downloads::of(&reader).await.unwrap();
    reader.begin_a_long_text().await.unwrap();
    reader.press("take-along").await.unwrap();
    reader.press("export-huggingface").await.unwrap();
    downloads.take("pearGPT.zip").await.unwrap();
    reader.expect_to_go_on().await.unwrap();
    reader.press("stop").await.unwrap();
    let script = GROWN.replace("FROM", "Exporting").replace("TO", "Exported");
    let grown = reader.browser.script(&script).await.unwrap().as_u64().unwrap();
    assert!(grown > 2, "the text grew {grown} times while the file was written");
}

#[tokio::test]
async fn a_text_goes_on_while_its_model_is_kept() {
    let reader = Reader::at("#/model").await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    reader.run_it().await.unwrap();
    reader.begin_a_long_text().await.unwrap();
    reader.keep().await.unwrap();
    reader.expect_to_go_on().await.unwrap();
    reader.press("stop").await.unwrap();
}
