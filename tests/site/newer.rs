//! A release is used whole: what is no file of it does not run, and the page says why.

use std::fs;

use crate::looks::expect_good_looks;
use crate::reader::{Reader, WEIGHTS};
use crate::release;
use crate::server::{Fault, dist};

const NEWER: &str = "There is a newer release of this page. Reload it.";

/// A server whose page has become another since the document came.
const DEPLOYED: &str = "
    const plain = window.fetch;
    const newer = '<meta name=\"peargpt:release\" content=\"newer\">';
    window.fetch = (url, options) =>
        options?.cache === 'no-store' ? Promise.resolve(new Response(newer)) : plain(url, options);";

/// A file as a newer release could have it, which would run as well as this one's: a comment more, an empty section more.
fn changed(name: &str) -> Vec<u8> {
    let mut bytes = fs::read(dist().join(release::path(&dist(), name))).unwrap();
    bytes.extend_from_slice(if name.ends_with(".js") { b"\n//" } else { b"\0\x01\0" });
    bytes
}

/// From now on the server has another release than the page that is open.
fn deploy(reader: &Reader) {
    let page = fs::read_to_string(dist().join("index.html")).unwrap();
    let (_, pin) = page.split_once("name=\"peargpt:release\" content=\"").unwrap();
    reader.server.rewrite(&pin[..64], &"0".repeat(64));
}

/// What stands above the page.
async fn told(reader: &Reader) -> String {
    reader.text("newer-release").await.unwrap()
}

/// Loads the page again by its own button, and writes.
async fn reload(reader: &Reader) {
    reader.server.heal();
    reader.press("reload").await.unwrap();
    reader.browser.wait_until("!document.querySelector('[data-testid=newer-release]')").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.expect_recovery("").await.unwrap();
}

#[test]
fn every_file_is_listed_with_its_hash() {
    let page = fs::read(dist().join("index.html")).unwrap();
    let manifest = fs::read(dist().join("release.json")).unwrap();
    let hex = |bytes: &[u8]| peargpt::app::catalog::sha256(bytes);
    assert!(String::from_utf8(page).unwrap().contains(&hex(&manifest)), "index.html does not pin release.json");
    let files = release::files(&dist());
    for file in &files {
        let bytes = fs::read(dist().join(&file.path)).unwrap();
        assert_eq!((file.bytes, &file.sha256), (bytes.len() as u64, &hex(&bytes)), "{}", file.path);
        let is_weights = file.path.starts_with("weights/") && !file.path.ends_with(".json");
        assert!(is_weights || file.path.contains(&format!("-{}", &file.sha256[..16])), "{}", file.path);
    }
    let names = fs::read_dir(dist()).unwrap().map(|entry| entry.unwrap()).filter(|entry| entry.path().is_file());
    // What is asked for by a name that stays.
    let unlisted = ["index.html", "release.json", "service-worker.js", "embed.html", "peargpt.js", "pear-gpt.js"];
    for name in names.map(|entry| entry.file_name().into_string().unwrap()) {
        let is_listed = files.iter().any(|file| file.path == name);
        assert!(is_listed || unlisted.contains(&name.as_str()), "{name} is not listed");
    }
}

#[tokio::test]
async fn a_workers_file_that_is_another_does_not_run() {
    for name in ["worker-relaxed.js", "worker-relaxed_bg.wasm"] {
        for fault in [Fault::Other(changed(name)), Fault::FlipAt(5000)] {
            let reader = Reader::new().await.unwrap();
            reader.server.always(name, fault);
            reader.open("#/peargpt").await.unwrap();
            let said = reader.failure().await.unwrap();
            let expected = format!("{} is damaged or missing on the server", reader.server.path(name));
            assert!(said.contains(&expected), "{said}");
            assert!(!reader.sees("newer-release").await.unwrap());
        }
    }
}

#[tokio::test]
async fn a_page_whose_file_is_another_does_not_start() {
    for name in ["programs.js", "page.js", "page_bg.wasm"] {
        for fault in [Fault::Other(changed(name)), Fault::FlipAt(5000)] {
            let reader = Reader::new().await.unwrap();
            reader.server.always(name, fault);
            reader.open("#/").await.unwrap();
            let said = reader.text("error").await.unwrap();
            let expected = format!("{} is damaged or missing on the server", reader.server.path(name));
            assert!(said.contains(&expected), "{said}");
            assert!(!reader.sees("theme").await.unwrap(), "{name}: the page was started");
        }
    }
}

#[tokio::test]
async fn a_start_script_that_is_another_does_not_run() {
    let reader = Reader::new().await.unwrap();
    reader.server.always("start.js", Fault::Other(changed("start.js")));
    reader.open("#/").await.unwrap();
    assert_eq!(reader.browser.script("return globalThis.peargpt === undefined").await.unwrap(), true);
}

#[tokio::test]
async fn files_that_are_gone_after_a_deploy() {
    for file in ["worker-relaxed.js", "worker-relaxed_bg.wasm", "weights/catalog.json", WEIGHTS] {
        let reader = Reader::at("#/").await.unwrap();
        reader.browser.find("theme").await.unwrap();
        deploy(&reader);
        reader.server.always(file, Fault::Status(404));
        reader.browser.script("location.hash = '#/peargpt'").await.unwrap();
        assert_eq!(told(&reader).await, NEWER, "{file}");
        reload(&reader).await;
    }
}

#[tokio::test]
async fn what_is_told_of_a_newer_release_looks_good() {
    let reader = Reader::at("#/").await.unwrap();
    reader.browser.find("theme").await.unwrap();
    deploy(&reader);
    reader.server.always(WEIGHTS, Fault::Status(404));
    reader.browser.script("location.hash = '#/peargpt'").await.unwrap();
    assert_eq!(told(&reader).await, NEWER);
    expect_good_looks(&reader, "newer").await;
}

#[tokio::test]
async fn a_page_whose_files_are_gone_is_told_so_in_its_place() {
    for file in ["page.js", "page_bg.wasm"] {
        let reader = Reader::new().await.unwrap();
        reader.browser.before_every_page(DEPLOYED).await.unwrap();
        reader.server.always(file, Fault::Status(404));
        reader.open("#/peargpt").await.unwrap();
        assert_eq!(told(&reader).await, NEWER, "{file}");
        assert!(reader.sees("reload").await.unwrap());
    }
}

#[tokio::test]
async fn a_network_that_is_gone_is_not_taken_for_a_deploy() {
    let reader = Reader::at("#/").await.unwrap();
    reader.browser.find("theme").await.unwrap();
    reader.server.stop();
    reader.browser.script("location.hash = '#/peargpt'").await.unwrap();
    let said = reader.failure().await.unwrap();
    assert!(said.contains("could not be fetched"), "{said}");
    assert!(!reader.sees("newer-release").await.unwrap());
}
