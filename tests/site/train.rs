//! A model learns a text in the tab.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use peargpt::app::catalog::sha256;
use peargpt::train::curve;
use serde_json::Value;

use crate::downloads::Downloads;
use crate::looks::expect_good_looks;
use crate::numbers::Numbers;
use crate::reader::Reader;
use crate::weights::{FILLING, storage_that};
use crate::worker::{Break, breakable};

/// A shape that learns in seconds, as parameters of an address and as flags.
const SHAPE: [(&str, &str); 7] = [
    ("n_layer", "2"),
    ("n_head", "2"),
    ("n_embd", "32"),
    ("block_size", "32"),
    ("batch_size", "12"),
    ("dropout", "0.1"),
    ("seed", "3"),
];

/// The text that the tests learn: sentences of a few words.
pub fn words() -> String {
    let words = ["the", "king", "and", "his", "fool", "speak", "of", "love", "night", "is", "long", "O", "thou", "art"];
    let mut numbers = Numbers(7);
    let mut word = || words[numbers.below(words.len())];
    (0..400).map(|_| format!("{} {} {} {}.\n", word(), word(), word(), word())).collect()
}

/// The address of a run of so many steps.
pub fn route(steps: u32) -> String {
    let shape: String = SHAPE.iter().map(|(name, value)| format!("&{name}={value}")).collect();
    format!("#/train?steps={steps}{shape}")
}

/// What `train` makes of a text in so many steps: the model's file, and the curve.
pub fn in_the_terminal(name: &str, text: &str, steps: u32) -> (Vec<u8>, String) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("train-site").join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("mine.txt"), text).unwrap();
    let mut train = Command::new(env!("CARGO_BIN_EXE_train"));
    train.current_dir(&folder).args(["mine.txt", "--out", "mine.gguf", "--threads=1", "--steps", &steps.to_string()]);
    train.args(SHAPE.iter().map(|(name, value)| format!("--{}={value}", name.replace('_', "-"))));
    let output = train.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = |name: &str| fs::read(folder.join(name)).unwrap();
    (file("mine.gguf"), String::from_utf8(file("mine.gguf.csv")).unwrap())
}

impl Reader {
    /// Waits until the run is in this state; a failure that was not waited for ends the wait, with what the page says of it.
    pub async fn wait_for_training(&self, state: &str) -> Result<()> {
        let found = "document.querySelector('[data-testid=train-status]')?.dataset.state";
        let awaited = format!("['{state}', 'failed'].includes({found}) && {found}");
        let found = self.browser.wait_until(&awaited).await?;
        ensure!(found == state, "waited for `{state}`, but the run failed: {}", self.text("error").await?);
        Ok(())
    }

    /// A number of the run's.
    pub async fn training_number(&self, name: &str) -> Result<f64> {
        let stats = self.browser.find("train-stats").await?;
        let text = stats.attr(format!("data-{name}")).await?.with_context(|| format!("no data-{name}"))?;
        Ok(text.parse()?)
    }

    /// Pastes a text and waits until it is known how long a run on it takes.
    pub async fn paste_and_measure(&self, text: &str) -> Result<()> {
        self.fill("train-text", text).await?;
        let measured = "document.querySelector('[data-testid=train-estimate]')?.dataset.seconds";
        self.browser.wait_until(measured).await.map(drop)
    }

    /// Starts a run on this text, and waits for its end.
    pub async fn learn(&self, text: &str) -> Result<()> {
        self.paste_and_measure(text).await?;
        self.press("train-start").await?;
        self.wait_for_training("done").await
    }

    /// The curve as the page has it.
    pub async fn training_csv(&self) -> Result<String> {
        let run: Value = serde_json::from_str(&self.text("train-json").await?)?;
        Ok(run["csv"].as_str().context("a curve")?.to_string())
    }
}

/// The same losses, as closely as another arithmetic allows.
pub fn expect_the_same_curve(tab: &str, terminal: &str) {
    let (tab_points, terminal_points) = (curve::read(tab), curve::read(terminal));
    assert_eq!(tab_points.len(), terminal_points.len(), "{tab}\n{terminal}");
    for (one, other) in tab_points.iter().zip(&terminal_points) {
        let (one_held, other_held) = (one.held_out.unwrap(), other.held_out.unwrap());
        let is_near = (one.train - other.train).abs() < 1e-3 && (one_held - other_held).abs() < 1e-3;
        assert!(one.step == other.step && is_near, "{tab}\n{terminal}");
    }
}

#[tokio::test]
async fn a_run_in_the_tab_is_the_terminals_and_survives_a_reload_and_a_crash() {
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page(&breakable()).await.unwrap();
    reader.open(&route(200)).await.unwrap();
    let downloads = Downloads::of(&reader).await.unwrap();
    reader.paste_and_measure(&words()).await.unwrap();
    reader.press("train-start").await.unwrap();
    let taken = "+document.querySelector('[data-testid=train-stats]')?.dataset.step >= 20";
    reader.browser.wait_until(taken).await.unwrap();
    reader.press("train-pause").await.unwrap();
    reader.wait_for_training("paused").await.unwrap();
    let stored = "+document.querySelector('[data-testid=train-status]')?.dataset.saved >= 20";
    reader.browser.wait_until(stored).await.unwrap();

    reader.browser.driver().refresh().await.unwrap();
    reader.press("train-restore").await.unwrap();
    let further = "+document.querySelector('[data-testid=train-stats]')?.dataset.step >= 60";
    reader.browser.wait_until(further).await.unwrap();
    reader.break_worker(Break::Trap).await.unwrap();
    reader.wait_for_training("failed").await.unwrap();
    let said = reader.text("error").await.unwrap();
    assert!(said.contains("crashed") && said.contains("The run is stored as it was after step"), "{said}");
    reader.press("train-restore").await.unwrap();
    reader.wait_for_training("done").await.unwrap();

    let (file, csv) = in_the_terminal("reload", &words(), 200);
    let here = reader.training_csv().await.unwrap();
    reader.press("train-save").await.unwrap();
    let saved = downloads.take("mine.gguf").await.unwrap();
    // Relaxed SIMD fuses where the processor does, as the terminal does always.
    let is_fused = reader.browser.script(IS_FUSED).await.unwrap() == true;
    if is_fused {
        assert_eq!(here, csv);
        assert_eq!(sha256(&saved), sha256(&file), "the model's bytes");
    } else {
        expect_the_same_curve(&here, &csv);
    }
    reader.press("train-csv").await.unwrap();
    assert_eq!(String::from_utf8(downloads.take("mine.csv").await.unwrap()).unwrap(), here);
}

/// Whether the relaxed multiply-add rounds once: (1 + 2⁻¹²)² − (1 + 2⁻¹¹) is 2⁻²⁴ then, and 0 else.
const IS_FUSED: &str = "
    const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 125, 125, 1, 125, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0,
        10, 22, 1, 20, 0, 32, 0, 253, 19, 32, 0, 253, 19, 32, 1, 253, 19, 253, 133, 2, 253, 31, 0, 11];
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes))).exports;
    return f(1 + 1 / 4096, -1 - 1 / 2048) !== 0;";

#[tokio::test]
async fn two_workers_learn_the_same_bytes_as_one() {
    let learned = async |threads: u32| {
        let reader = Reader::at(&format!("{}&threads={threads}", route(50))).await.unwrap();
        let downloads = Downloads::of(&reader).await.unwrap();
        reader.paste_and_measure(&words()).await.unwrap();
        let said = reader.text("train-estimate").await.unwrap();
        assert!(said.contains(if threads == 1 { "with 1 thread." } else { "with 2 threads." }), "{said}");
        reader.press("train-start").await.unwrap();
        reader.wait_for_training("done").await.unwrap();
        assert!(!reader.sees("train-alone").await.unwrap());
        reader.press("train-save").await.unwrap();
        (reader.training_csv().await.unwrap(), sha256(&downloads.take("mine.gguf").await.unwrap()))
    };
    assert_eq!(learned(1).await, learned(2).await);
}

#[tokio::test]
async fn one_sees_it_learn_and_writes_with_what_it_has_learned() {
    let reader = Reader::at(&route(120)).await.unwrap();
    reader.fill("prompt", "the king").await.unwrap();
    reader.learn(&words()).await.unwrap();
    let (first, last): (f64, f64) = {
        let points = curve::read(&reader.training_csv().await.unwrap());
        (points[0].train, points.last().unwrap().train)
    };
    assert!(last < first / 1.5, "{first} to {last}");
    assert_eq!(reader.training_number("step").await.unwrap(), 120.0);
    assert_eq!(
        reader.browser.script("return document.querySelectorAll('.train-curve polyline').length").await.unwrap(),
        2
    );

    // All samples are kept, from the same prompt.
    let newest = reader.text("train-sample").await.unwrap();
    assert!(newest.starts_with("the king") && newest.len() > 20, "{newest}");
    reader.fill("train-slider", "0").await.unwrap();
    assert_eq!(reader.text("train-sample-label").await.unwrap(), "After step 1");
    assert!(reader.text("train-sample").await.unwrap().starts_with("the king"));
    assert_ne!(reader.text("train-sample").await.unwrap(), newest);
    expect_good_looks(&reader, "train-done").await;

    reader.press("train-write").await.unwrap();
    reader.address_with("#/model?sha256=").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    assert_eq!(reader.value("model-name").await.unwrap(), "mine");
    reader.write(5).await.unwrap();
    reader.keep().await.unwrap();
    // The run is still there, and gives the recipe.
    reader.open("#/train").await.unwrap();
    reader.wait_for_training("done").await.unwrap();
    reader.press("train-share").await.unwrap();
    let link = reader.browser.promise("navigator.clipboard.readText()").await.unwrap();
    let link = link.as_str().unwrap();
    let digits = &sha256(words().as_bytes())[..12];
    assert!(link.contains("steps=120") && link.contains(&format!("text={digits}")), "{link}");
    assert_eq!(reader.browser.console().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_address_asks_for_its_text() {
    let digits = &sha256(words().as_bytes())[..12];
    let reader = Reader::at(&format!("{}&text={digits}", route(40))).await.unwrap();
    assert!(reader.text("train-wanted").await.unwrap().contains(digits));
    reader.paste_and_measure(&format!("{}!", words())).await.unwrap();
    assert!(reader.text("train-wanted").await.unwrap().contains("another text"));
    reader.paste_and_measure(&words()).await.unwrap();
    assert!(!reader.sees("train-wanted").await.unwrap());
    assert_eq!(reader.value("n_embd").await.unwrap(), "32");
    reader.fill("steps", "many").await.unwrap();
    assert!(!reader.browser.find("train-start").await.unwrap().is_enabled().await.unwrap());
}

#[tokio::test]
async fn texts_that_cannot_be_learned_are_told_before_anything_starts() {
    let reader = Reader::at("#/train").await.unwrap();
    let problem = async |text: &str| {
        reader.fill("train-text", text).await.unwrap();
        let said = "['train-text-problem', 'train-estimate-problem']
            .map((id) => document.querySelector(`[data-testid=${id}]`)?.textContent ?? '').join('')";
        let said = reader.browser.wait_until(said).await.unwrap();
        reader.fill("train-text", "").await.unwrap();
        said.as_str().unwrap().to_string()
    };
    let short = problem("to be or not to be").await;
    assert_eq!(short, "The text is too short: expected 65 tokens or more to learn, found 16.");
    assert_eq!(problem(&"a".repeat(5000)).await, "The text has one kind of character only, `a`.");
    let many: String = ('\u{4e00}'..).take(2000).collect();
    assert_eq!(problem(&many).await, "The text has more than 1024 kinds of characters.");
    assert!(problem("a\0b").await.starts_with("This is not a text"), "zero bytes");
    // What is no text at all is dropped.
    let png = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0xff, 0xfe];
    reader.drop_files(&[("picture.png", &png)]).await.unwrap();
    let said = "document.querySelector('[data-testid=train-text-problem]').textContent";
    let said = reader.browser.wait_until(said).await.unwrap();
    assert!(said.as_str().unwrap().starts_with("This is not a text"), "{said}");
    // A model that no tab has room for.
    reader.open("#/train?n_embd=2048&n_layer=48&n_head=32").await.unwrap();
    let large = problem(&words()).await;
    assert!(large.contains("GB to learn"), "{large}");
    reader.open("#/train?n_embd=33&n_head=2").await.unwrap();
    assert_eq!(problem(&words()).await, "Expected a width that 2 heads divide, found 33.");
    assert!(!reader.browser.find("train-start").await.unwrap().is_enabled().await.unwrap());
    expect_good_looks(&reader, "train").await;
}

#[tokio::test]
async fn a_full_disk_ends_nothing_and_is_told() {
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page(&storage_that(FILLING)).await.unwrap();
    reader.open(&route(60)).await.unwrap();
    reader.learn(&words()).await.unwrap();
    let said = reader.text("train-unsaved").await.unwrap();
    assert!(said.starts_with("The run could not be stored: ") && said.ends_with("It goes on in memory."), "{said}");
    assert_eq!(reader.training_number("step").await.unwrap(), 60.0);
}

#[tokio::test]
async fn a_disk_that_fills_up_in_the_middle_keeps_what_was_stored() {
    let reader = Reader::new().await.unwrap();
    // The state of a run of this shape takes half a megabyte.
    reader.browser.before_every_page(&storage_that(&FILLING.replace("100000", "1000000"))).await.unwrap();
    reader.open(&route(100_000)).await.unwrap();
    reader.paste_and_measure(&words()).await.unwrap();
    reader.press("train-start").await.unwrap();
    let attribute = |name: &str| format!("document.querySelector('[data-testid=train-status]')?.dataset.{name}");
    let unsaved = "document.querySelector('[data-testid=train-unsaved]')?.textContent";
    // Each pause stores it.
    while reader.browser.script(&format!("return {unsaved} ?? ''")).await.unwrap() == "" {
        let step = reader.training_number("step").await.unwrap_or(0.0);
        let taken = format!("+document.querySelector('[data-testid=train-stats]')?.dataset.step > {step}");
        reader.browser.wait_until(&taken).await.unwrap();
        reader.press("train-pause").await.unwrap();
        reader.wait_for_training("paused").await.unwrap();
        let told = format!("{} !== 'paused' || +{} > {step} || {unsaved}", attribute("state"), attribute("saved"));
        reader.browser.wait_until(&told).await.unwrap();
        reader.press("train-pause").await.unwrap();
        reader.wait_for_training("training").await.unwrap();
    }
    let said = reader.text("train-unsaved").await.unwrap();
    assert!(said.ends_with("It goes on in memory."), "{said}");
    let step = reader.training_number("step").await.unwrap();
    let goes_on = format!("+document.querySelector('[data-testid=train-stats]').dataset.step > {step}");
    reader.browser.wait_until(&goes_on).await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.press("train-restore").await.unwrap();
    reader.wait_for_training("training").await.unwrap();
    assert!(reader.training_number("step").await.unwrap() < step, "as it was stored last");
}

#[tokio::test]
async fn a_loss_that_is_no_number_ends_the_run_with_its_last_good_state() {
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page(&breakable()).await.unwrap();
    reader.open(&route(100_000)).await.unwrap();
    reader.paste_and_measure(&words()).await.unwrap();
    reader.press("train-start").await.unwrap();
    let taken = "+document.querySelector('[data-testid=train-stats]')?.dataset.step >= 20";
    reader.browser.wait_until(taken).await.unwrap();
    reader.press("train-pause").await.unwrap();
    let stored = "+document.querySelector('[data-testid=train-status]')?.dataset.saved >= 20";
    reader.browser.wait_until(stored).await.unwrap();
    reader.press("train-pause").await.unwrap();
    reader.wait_for_training("training").await.unwrap();
    reader.break_worker(Break::Numbers).await.unwrap();
    reader.wait_for_training("done").await.unwrap();
    let said = reader.text("error").await.unwrap();
    let step = reader.training_number("step").await.unwrap();
    assert!(said.contains("NaN"), "{said}");
    assert!(said.ends_with(&format!("The model is that of the last good state, after step {step}.")), "{said}");
    let csv = reader.training_csv().await.unwrap();
    assert!(curve::read(&csv).iter().all(|point| point.step <= step as u64 && point.train.is_finite()), "{csv}");
    // Its model writes.
    reader.press("train-write").await.unwrap();
    reader.address_with("#/model?sha256=").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.write(5).await.unwrap();
}

#[tokio::test]
async fn a_hidden_tab_goes_on_and_another_one_is_told() {
    let reader = Reader::at(&route(100_000)).await.unwrap();
    reader.paste_and_measure(&words()).await.unwrap();
    reader.press("train-start").await.unwrap();
    reader.wait_for_training("training").await.unwrap();
    reader.browser.wait_until("+document.querySelector('[data-testid=train-stats]')?.dataset.step >= 5").await.unwrap();
    let first = reader.browser.driver().window().await.unwrap();
    reader.browser.open_tab(&reader.server.url(&route(3))).await.unwrap();
    reader.learn(&words()).await.unwrap();
    let said = reader.text("train-unsaved").await.unwrap();
    assert_eq!(said, "This run lives in this tab only and is lost with it: another tab is training.");
    reader.browser.driver().switch_to_window(first).await.unwrap();
    let step = reader.training_number("step").await.unwrap();
    reader
        .browser
        .wait_until(&format!("+document.querySelector('[data-testid=train-stats]').dataset.step > {step}"))
        .await
        .unwrap();
    assert!(step > 5.0, "{step}");
    reader.press("train-stop").await.unwrap();
    reader.wait_for_training("done").await.unwrap();
    reader.press("train-again").await.unwrap();
    // What it has learned is still stored, and goes when the reader says so.
    reader.press("train-discard").await.unwrap();
    reader.browser.wait_until("!document.querySelector('[data-testid=train-stored]')").await.unwrap();
    assert!(reader.sees("train-start").await.unwrap());
}

#[tokio::test]
async fn peargpt_learns_new_characters() {
    let reader = Reader::at("#/train?from=peargpt&steps=2&batch_size=1&dropout=0").await.unwrap();
    let text = words().replace("king", "König");
    reader.paste_and_measure(&text).await.unwrap();
    assert_eq!(reader.text("train-added").await.unwrap(), "ö");
    reader.press("train-start").await.unwrap();
    reader.wait_for_training("done").await.unwrap();
    let points = curve::read(&reader.training_csv().await.unwrap());
    assert!(points[0].train < 4.0, "it knows English: {}", points[0].train);
}
