//! A model published as a website, in the tab and in the terminal, and what its visitors find.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use peargpt::app::catalog::sha256;
use serde_json::json;
use thirtyfour::prelude::*;

use crate::browser::{Browser, Engine, Scheme};
use crate::downloads::Downloads;
use crate::looks::expect_good_looks;
use crate::own::NANOGPT;
use crate::reader::Reader;
use crate::server::{Fault, Server, dist};

const TITLE: &str = "<b>Mine</b> & \"yours\"";
const ZIP: &str = "b-Mine--b-----yours.zip";
const SENTENCE: &str = "Writes <i>something</i>.";
const PROMPTS: &str = "hello\n\nfirst\\nsecond";

/// A folder for one test's files.
pub fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp").join(test);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What the program that `cargo xtask dist --model` calls makes of the built site.
fn in_the_terminal(model: &str, more: &[&str], folder: &Path) -> Vec<u8> {
    let out = folder.join("terminal.zip");
    publish(Path::new(model), &[&["--zip"], more].concat(), &out);
    fs::read(out).unwrap()
}

/// Has that program write a site.
pub fn publish(model: &Path, more: &[&str], out: &Path) {
    let mut publish = Command::new(env!("CARGO_BIN_EXE_publish"));
    publish.arg("--site").arg(dist()).arg("--model").arg(model).arg("--out").arg(out).args(more);
    let made = publish.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// What is in a zip file.
fn unpack(zip: &[u8], folder: &Path) -> PathBuf {
    let site = folder.join("site");
    zip::ZipArchive::new(Cursor::new(zip)).unwrap().extract(&site).unwrap();
    site
}

/// Where two files begin to differ.
fn difference(one: &[u8], other: &[u8]) -> Option<(usize, String)> {
    let at = one.iter().zip(other).position(|(one, other)| one != other);
    let at = at.or((one.len() != other.len()).then(|| one.len().min(other.len())))?;
    let around =
        |bytes: &[u8]| String::from_utf8_lossy(&bytes[at.saturating_sub(200)..bytes.len().min(at + 60)]).into_owned();
    Some((at, format!("{}\n=====\n{}", around(one), around(other))))
}

/// A visitor of a site in this folder, whose host sends no header.
pub async fn visitor(site: PathBuf, engine: Engine) -> Reader {
    let server = Server::of(site).unwrap();
    server.isolate(false);
    server.rewrite("peargpt:threads\" content=\"\"", "peargpt:threads\" content=\"1\"");
    Reader { server, browser: Browser::of(engine, Scheme::Light).await.unwrap() }
}

/// A model is published in an engine as in the terminal, and there its site writes the same text.
pub async fn published_and_visited(engine: Engine) {
    let folder = folder(&format!("published_and_visited_{engine:?}"));
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    reader.open("#/model").await.unwrap();
    reader.browser.find("import").await.unwrap();
    let downloads = Downloads::of(&reader).await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    let id = reader.run_it().await.unwrap();
    let text = reader.write(5).await.unwrap();
    reader.press("take-along").await.unwrap();
    reader.press("export-gguf-q8_0").await.unwrap();
    let model = folder.join("mine.gguf");
    fs::write(&model, downloads.take("ckpt-q8_0.gguf").await.unwrap()).unwrap();
    reader.fill("publish-title", "Mine").await.unwrap();
    let zip = reader.publish(&downloads, "Mine.zip").await.unwrap();
    let address = reader.browser.script("return location.hash").await.unwrap();
    assert_eq!(reader.heard().await.unwrap(), Vec::<String>::new());
    drop(reader);
    let said = ["--title", "Mine", "--defaults", "words=5"];
    let made = in_the_terminal(model.to_str().unwrap(), &said, &folder);
    assert_eq!(difference(&zip, &made), None, "the terminal makes the same bytes");

    let reader = visitor(unpack(&zip, &folder), engine).await;
    reader.open("#/").await.unwrap();
    reader.wait_for_model().await.unwrap();
    assert_eq!(reader.heading().await.unwrap(), "Mine");
    let address = address.as_str().unwrap();
    assert!(address.contains(&id), "{address}");
    reader.open(&format!("{address}&run=1")).await.unwrap();
    assert_eq!(reader.finish().await.unwrap(), text);
    assert_eq!(reader.heard().await.unwrap(), Vec::<String>::new());
    assert_eq!(reader.browser.left_the_machine(), Vec::<String>::new());
}

impl Reader {
    /// Has the open model published, and returns the zip file of this name.
    async fn publish(&self, downloads: &Downloads, name: &str) -> Result<Vec<u8>> {
        self.press("publish").await?;
        downloads.take(name).await
    }

    pub async fn heading(&self) -> Result<String> {
        let found = self.browser.wait_until("document.querySelector('h1')?.textContent").await?;
        Ok(found.as_str().unwrap_or_default().to_string())
    }

    /// The text of an address, in a new tab.
    pub async fn text_at(&self, address: &str) -> Result<String> {
        self.browser.open_tab(&self.server.url(address)).await?;
        let text = self.finish().await?;
        ensure!(!text.is_empty(), "{address} writes nothing");
        Ok(text)
    }
}

#[tokio::test]
async fn a_published_model_writes_the_same_anywhere() {
    let folder = folder("a_published_model_writes_the_same_anywhere");
    let reader = Reader::at("#/model").await.unwrap();
    let downloads = Downloads::of(&reader).await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    let id = reader.run_it().await.unwrap();
    let address = format!("#/model?sha256={id}&words=20&seed=7&run=1");
    reader.fill("seed", "7").await.unwrap();
    let text = reader.write(20).await.unwrap();
    reader.fill("words", "12").await.unwrap();
    reader.press("settings").await.unwrap();
    reader.fill("temperature", "0.5").await.unwrap();

    reader.press("take-along").await.unwrap();
    assert_eq!(reader.value("publish-title").await.unwrap(), "ckpt", "the model's name, until another is typed");
    reader.fill("publish-title", TITLE).await.unwrap();
    reader.fill("publish-sentence", SENTENCE).await.unwrap();
    reader.fill("publish-prompts", PROMPTS).await.unwrap();
    let zip = reader.publish(&downloads, ZIP).await.unwrap();
    expect_good_looks(&reader, "publish").await;
    reader.press("export-gguf-q8_0").await.unwrap();
    let gguf = downloads.take("ckpt-q8_0.gguf").await.unwrap();
    assert_eq!(sha256(&gguf), id);
    assert_eq!(reader.browser.console().await.unwrap(), Vec::<String>::new());
    drop(reader);

    let model = folder.join("mine.gguf");
    fs::write(&model, gguf).unwrap();
    let said = ["--title", TITLE, "--sentence", SENTENCE, "--prompt", "hello", "--prompt", "first\nsecond"];
    let more = [&said[..], &["--defaults", "words=12&temperature=0.5"]].concat();
    let made = in_the_terminal(model.to_str().unwrap(), &more, &folder);
    assert_eq!(difference(&zip, &made), None, "the terminal makes the same bytes");

    let site = unpack(&zip, &folder);
    let page = fs::read_to_string(site.join("index.html")).unwrap();
    assert!(!page.contains("huggingface") && !page.contains("<b>"), "{page}");
    let reader = visitor(site, Engine::Chromium).await;
    reader.open("#/").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    assert_eq!(reader.heading().await.unwrap(), TITLE);
    assert_eq!(reader.browser.script("return document.title").await.unwrap(), TITLE);
    assert_eq!(reader.browser.script("return document.querySelector('.lede').textContent").await.unwrap(), SENTENCE);
    assert_eq!(
        (reader.value("words").await.unwrap(), reader.value("temperature").await.unwrap()),
        ("12".into(), "0.5".into())
    );
    let labels = "return [...document.querySelectorAll('[data-testid=example]')].map((chip) => chip.textContent)";
    assert_eq!(reader.browser.script(labels).await.unwrap(), json!(["hello", "first"]));
    assert!(!reader.sees("keep").await.unwrap(), "it comes with the site");
    // After a reset, too, it has the site's settings.
    reader.press("settings").await.unwrap();
    reader.fill("temperature", "0.9").await.unwrap();
    reader.fill("words", "13").await.unwrap();
    reader.press("reset-settings").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.finish().await.unwrap();
    reader.address_with(&format!("#/model?sha256={id}&words=12&seed=")).await.unwrap();
    assert_eq!(reader.value("temperature").await.unwrap(), "0.5");
    expect_good_looks(&reader, "published").await;
    assert_eq!(reader.text_at(&address).await.unwrap(), text);
    // Other pages get it by its id.
    let module = reader.server.url("peargpt.js");
    let embedded = format!(
        "(async () => {{
            const {{ load }} = await import('{module}');
            const gpt = await load('{id}');
            const {{ text }} = await gpt.generate('', {{ words: 20, seed: 7 }}).result;
            gpt.destroy();
            return text;
        }})()"
    );
    assert_eq!(reader.browser.promise(&embedded).await.unwrap(), text);
    // What is not offered is not there.
    reader.browser.open_tab(&reader.server.url("#/gpt2")).await.unwrap();
    assert!(reader.text("error").await.unwrap().contains("no page “/gpt2”"));
    assert!(!reader.driver_sees("nav a").await);
    assert_eq!(reader.browser.console().await.unwrap(), Vec::<String>::new());
    assert_eq!(reader.browser.left_the_machine(), Vec::<String>::new());

    // Published once more it is the same, also when the server has another release by now.
    reader.wait_for_release().await;
    reader.browser.open_tab(&reader.server.url("#/")).await.unwrap();
    reader.wait_for("ready").await.unwrap();
    let downloads = Downloads::of(&reader).await.unwrap();
    reader.press("take-along").await.unwrap();
    assert_eq!(reader.value("publish-title").await.unwrap(), TITLE);
    assert_eq!(reader.value("publish-sentence").await.unwrap(), SENTENCE);
    for file in ["release.json", "service-worker.js"] {
        reader.server.always(file, Fault::Status(404));
    }
    let again = reader.publish(&downloads, ZIP).await.unwrap();
    assert_eq!(difference(&again, &zip), None);

    // A second visit needs no network.
    reader.server.stop();
    assert_eq!(reader.text_at(&address).await.unwrap(), text);
    reader.browser.open_tab(&reader.server.url("#/")).await.unwrap();
    reader.wait_for("ready").await.unwrap();
    assert_eq!(reader.heading().await.unwrap(), TITLE);
}

impl Reader {
    async fn driver_sees(&self, selector: &str) -> bool {
        let found = self.browser.driver().query(By::Css(selector)).nowait().any().await.unwrap();
        let mut is_shown = false;
        for element in found {
            is_shown |= element.is_displayed().await.unwrap();
        }
        is_shown
    }
}

#[tokio::test]
async fn the_sites_own_model_is_published_beside_the_others() {
    let folder = folder("the_sites_own_model_is_published_beside_the_others");
    let reader = Reader::ready().await.unwrap();
    let downloads = Downloads::of(&reader).await.unwrap();
    reader.press("take-along").await.unwrap();
    reader.press("publish-others").await.unwrap();
    let zip = reader.publish(&downloads, "pearGPT.zip").await.unwrap();
    drop(reader);
    let made = in_the_terminal("peargpt", &["--title", "pearGPT", "--others"], &folder);
    assert_eq!(difference(&zip, &made), None, "the terminal makes the same bytes");

    let reader = visitor(unpack(&zip, &folder), Engine::Chromium).await;
    let address = "#/?prompt=ROMEO%3A&words=5&seed=1&run=1";
    let text = reader.text_at(address).await.unwrap();
    assert!(text.starts_with("ROMEO:"), "{text}");
    assert_eq!(reader.text_at("#/peargpt?prompt=ROMEO%3A&words=5&seed=1&run=1").await.unwrap(), text);
    let link = reader.browser.driver().query(By::Css("nav a[href^='#/gpt2']")).first().await.unwrap();
    link.click().await.unwrap();
    reader.wait_for("asking").await.unwrap();
    assert!(reader.text("offer").await.unwrap().contains("huggingface.co"));
}

#[tokio::test]
async fn what_keeps_a_site_from_being_published_is_told() {
    let reader = Reader::at("#/model").await.unwrap();
    let downloads = Downloads::of(&reader).await.unwrap();
    reader.pick_fixtures(&NANOGPT).await.unwrap();
    reader.run_it().await.unwrap();
    reader.press("take-along").await.unwrap();
    let told = async |part: &str| {
        reader.press("publish").await.unwrap();
        let said =
            format!("document.querySelector('[data-testid=export-error]').textContent.includes({})", json!(part));
        reader.browser.wait_until(&said).await.unwrap();
    };
    reader.fill("publish-title", " ").await.unwrap();
    told("the title takes 1 to 80 characters").await;
    reader.fill("publish-title", "Mine").await.unwrap();
    reader.server.always("trainer_bg.wasm", Fault::FlipAt(1000));
    told("could not be fetched as it was built").await;
    reader.fill("publish-title", "").await.unwrap();
    told("the title takes 1 to 80 characters").await;
    reader.fill("publish-title", "Mine").await.unwrap();
    // What its visitors would be told at once.
    reader.fill("publish-prompts", "hello\nab:").await.unwrap();
    told("does not know “:”, which the example prompt “ab:” has").await;
    reader.fill("publish-prompts", "hello").await.unwrap();
    reader.fill("words", "many").await.unwrap();
    told("“Words” is wrong").await;
    reader.fill("words", "5").await.unwrap();
    // It can be stopped, and tried again.
    reader.server.always("trainer_bg.wasm", Fault::StallAt(1000));
    reader.press("publish").await.unwrap();
    reader.press("export-stop").await.unwrap();
    reader.browser.wait_until("!document.querySelector('[data-testid=publish]').disabled").await.unwrap();
    assert_eq!(reader.text("exported").await.unwrap(), "");
    reader.server.heal();
    reader.publish(&downloads, "Mine.zip").await.unwrap();
    reader.write(3).await.unwrap();
}
