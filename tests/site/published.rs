//! What visitors of published sites find: of one that is published anew, of two at one address, and beside the home.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use thirtyfour::prelude::*;

use crate::browser::Engine;
use crate::own::{NANOGPT, fixture};
use crate::publish::{folder, publish, visitor};
use crate::reader::Reader;

/// Another model.
const UNBIASED: [&str; 3] =
    ["imported/unbiased/ckpt.pt", "imported/unbiased/vocab.json", "imported/unbiased/merges.txt"];

/// A site of the model in these fixtures, and the model's hash.
fn site(folder: &Path, title: &str, fixtures: &[&str], more: &[&str]) -> (PathBuf, String) {
    let (model, out) = (folder.join(format!("{title}.gguf")), folder.join(title));
    let files = fixtures.iter().map(|name| fixture(name));
    let made = Command::new(env!("CARGO_BIN_EXE_convert")).args(files).arg("--out").arg(&model).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    publish(&model, &[&["--title", title.trim_end_matches('+')], more].concat(), &out);
    (out, peargpt::app::catalog::sha256(&std::fs::read(model).unwrap()))
}

/// What the page says at a place that only some pages have.
async fn said(reader: &Reader, testid: &str) -> String {
    reader.browser.find(testid).await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_site_that_is_published_anew_keeps_its_visitors() {
    let folder = folder("a_site_that_is_published_anew_keeps_its_visitors");
    let (first, old) = site(&folder, "Mine", &NANOGPT, &[]);
    let (second, new) = site(&folder, "Mine+", &UNBIASED, &["--defaults", "temperature=0.5"]);
    let address = "#/?words=5&seed=1&run=1";
    let reader = visitor(first, Engine::Chromium).await;
    reader.open(address).await.unwrap();
    let text = reader.finish().await.unwrap();
    reader.wait_for_release().await;
    // The new release is kept beside the old one, but its model was never here.
    reader.server.deploy(second.clone());
    reader.browser.open_tab(&reader.server.url("#/about")).await.unwrap();
    reader.browser.find("newer-release").await.unwrap();
    reader.server.stop();
    assert_eq!(reader.text_at(address).await.unwrap(), text, "without a network the old model writes");
    drop(reader);

    // Who has a link to the old model finds the new one.
    let reader = visitor(second, Engine::Chromium).await;
    reader.open(&format!("#/model?sha256={old}&words=7&seed=2")).await.unwrap();
    assert!(said(&reader, "home-changed").await.contains("it has changed since"));
    reader
        .browser
        .driver()
        .query(By::Css("[data-testid=home-changed] a"))
        .first()
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    reader.wait_for_model().await.unwrap();
    assert_eq!(reader.heading().await.unwrap(), "Mine");
    assert_eq!(
        (reader.value("words").await.unwrap().as_str(), reader.value("seed").await.unwrap().as_str()),
        ("7", "2")
    );
    reader.address_with(&new).await.unwrap();
}

#[tokio::test]
async fn two_sites_at_one_address_of_this_machine_are_not_mixed_up() {
    let folder = folder("two_sites_at_one_address_of_this_machine_are_not_mixed_up");
    let (one, other) = (site(&folder, "One", &NANOGPT, &[]).0, site(&folder, "Other", &UNBIASED, &[]).0);
    let reader = visitor(one, Engine::Chromium).await;
    for (site, title) in [(None, "One"), (Some(other), "Other")] {
        if let Some(site) = site {
            reader.server.deploy(site);
        }
        reader.browser.open_tab(&reader.server.url("#/")).await.unwrap();
        reader.wait_for_model().await.unwrap();
        assert_eq!(reader.heading().await.unwrap(), title);
        assert!(!reader.sees("newer-release").await.unwrap());
        // Once all of it is kept, it is the next start's, too.
        let release = reader.browser.script("return peargpt.release()").await.unwrap();
        let is_kept = format!(
            "caches.keys().then(async (names) => {{
                const [name] = names.filter((name) => name.includes({release}));
                return Boolean(name && (await caches.match(new URL('./', document.baseURI).href, {{ cacheName: name }})));
            }})"
        );
        while reader.browser.promise(&is_kept).await.unwrap() != true {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn beside_its_home_a_site_has_what_fits_it() {
    let folder = folder("beside_its_home_a_site_has_what_fits_it");
    let (mine, id) = site(&folder, "Mine", &NANOGPT, &[]);
    let reader = visitor(mine.clone(), Engine::Chromium).await;
    reader.open("#/").await.unwrap();
    reader.wait_for_model().await.unwrap();
    reader.fill("prompt", "ROMEO:").await.unwrap();
    reader.fill("words", "9").await.unwrap();
    reader.address_with("words=9").await.unwrap();
    reader.browser.driver().query(By::Css("footer a")).first().await.unwrap().click().await.unwrap();
    // It checks what there is.
    reader.press("about-check").await.unwrap();
    reader.wait_for("done").await.unwrap();
    let found: Value = serde_json::from_str(&said(&reader, "about-json").await).unwrap();
    assert_eq!((&found["model"], &found["replay"]), (&id[..12].into(), &"not compared".into()), "{found}");
    assert!(found["decode_tokens_per_second"].as_f64().unwrap() > 0.0, "{found}");
    assert_eq!(found["gpt2"], "not stored");
    assert_eq!(reader.browser.script("return document.title").await.unwrap(), "About · Mine");
    // The way back leads to what was asked for.
    reader.browser.driver().query(By::Css("a.brand")).first().await.unwrap().click().await.unwrap();
    reader.wait_for_model().await.unwrap();
    assert_eq!(
        (reader.value("prompt").await.unwrap().as_str(), reader.value("words").await.unwrap().as_str()),
        ("ROMEO:", "9")
    );
    assert_eq!(reader.browser.left_the_machine(), Vec::<String>::new());
    drop(reader);

    let (with_others, _) = site(&folder, "Mine+", &NANOGPT, &["--others"]);
    let reader = visitor(with_others, Engine::Chromium).await;
    reader.open("#/").await.unwrap();
    reader.wait_for_model().await.unwrap();
    let current =
        "return [...document.querySelectorAll('nav [aria-current]')].map((link) => link.textContent.trim()).join()";
    assert_eq!(reader.browser.script(current).await.unwrap(), "Mine");
    reader.open("#/model").await.unwrap();
    reader.browser.find("import").await.unwrap();
    assert_eq!(reader.browser.script(current).await.unwrap(), "Yours");
}
