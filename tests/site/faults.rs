//! What goes wrong, and what the page makes of it: a sentence, a way on, and nothing lost.

use crate::browser::PLAIN_HOST;
use crate::reader::{Reader, WEIGHTS};
use crate::server::Fault;
use crate::worker::{Break, breakable};

/// Opens pearGPT with weights that arrive with this fault, and returns what the page says. What was typed meanwhile
/// survives, and "Try again" works once the fault is gone.
async fn failure_and_recovery(fault: Fault) -> String {
    let reader = Reader::new().await.unwrap();
    reader.server.always(WEIGHTS, fault);
    reader.open("#/peargpt").await.unwrap();
    reader.fill("prompt", "HAMLET:\n").await.unwrap();
    let said = reader.failure().await.unwrap();
    assert_eq!(reader.value("prompt").await.unwrap(), "HAMLET:\n");
    reader.server.heal();
    reader.press("retry").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    assert!(!reader.sees("error").await.unwrap());
    reader.expect_recovery("HAMLET:\n").await.unwrap();
    said
}

#[tokio::test]
async fn weights_that_are_not_there() {
    let said = failure_and_recovery(Fault::Status(404)).await;
    assert!(said.contains("404") && said.contains("peargpt.gguf"), "{said}");
}

#[tokio::test]
async fn weights_that_the_server_fails_to_send() {
    let said = failure_and_recovery(Fault::Status(500)).await;
    assert!(said.contains("500"), "{said}");
}

#[tokio::test]
async fn weights_that_are_cut_off_half_way() {
    let said = failure_and_recovery(Fault::CutAt(5_000_000)).await;
    assert!(said.contains("of 10937408 bytes"), "{said}");
}

#[tokio::test]
async fn weights_that_stop_coming() {
    let said = failure_and_recovery(Fault::StallAt(3_000_000)).await;
    assert!(said.contains("nothing arrived for 2000 ms"), "{said}");
}

#[tokio::test]
async fn weights_with_a_flipped_byte() {
    let said = failure_and_recovery(Fault::FlipAt(7_000_000)).await;
    assert!(said.contains("damaged") && said.contains("sha256"), "{said}");
}

#[tokio::test]
async fn a_passing_fault_is_not_even_seen() {
    let reader = Reader::ready().await.unwrap();
    for fault in [Fault::Status(503), Fault::CutAt(9_000_000), Fault::StallAt(0), Fault::FlipAt(0)] {
        reader.forget_stored().await.unwrap();
        let before = reader.server.count(WEIGHTS);
        reader.server.times(1, WEIGHTS, fault.clone());
        reader.browser.driver().refresh().await.unwrap();
        reader.wait_for("ready").await.unwrap();
        assert_eq!(reader.server.count(WEIGHTS) - before, 2, "{fault:?} is tried again once");
    }
}

#[tokio::test]
async fn a_list_of_models_that_is_not_there() {
    let reader = Reader::new().await.unwrap();
    reader.server.always("weights/catalog.json", Fault::Status(404));
    reader.open("#/peargpt").await.unwrap();
    let said = reader.failure().await.unwrap();
    assert!(said.contains("list of models") && said.contains("catalog"), "{said}");
    reader.server.heal();
    reader.press("retry").await.unwrap();
    reader.wait_for("ready").await.unwrap();
}

#[tokio::test]
async fn generate_pressed_early_waits_for_the_weights() {
    let reader = Reader::new().await.unwrap();
    reader.server.always(WEIGHTS, Fault::Slow(4_000_000));
    reader.open("#/peargpt").await.unwrap();
    reader.wait_for("downloading").await.unwrap();
    reader.fill("prompt", "OPHELIA:\n").await.unwrap();
    reader.fill("words", "5").await.unwrap();
    reader.press("generate").await.unwrap();
    reader.browser.wait_until("+document.querySelector('[data-testid=progress]').ariaValueNow > 10").await.unwrap();
    assert_eq!(reader.state().await.unwrap(), "downloading", "the page is usable while the weights arrive");
    assert!(reader.finish().await.unwrap().starts_with("OPHELIA:\n"));
}

#[tokio::test]
async fn a_reload_while_the_weights_arrive() {
    let reader = Reader::new().await.unwrap();
    reader.server.times(1, WEIGHTS, Fault::StallAt(5_000_000));
    reader.open("#/peargpt").await.unwrap();
    reader
        .browser
        .wait_until("+document.querySelector('[data-testid=progress]')?.dataset.received > 1e6")
        .await
        .unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for("ready").await.unwrap();
    reader.expect_recovery("").await.unwrap();
}

/// A reader who has opened this route, and whose worker can be broken.
async fn before_a_breakable_worker(route: &str) -> Reader {
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page(&breakable()).await.unwrap();
    reader.open(route).await.unwrap();
    reader
}

/// Nothing that a page or a visitor can send breaks a worker that is shipped.
#[tokio::test]
async fn no_page_has_a_way_to_break_its_worker() {
    let reader = Reader::ready().await.unwrap();
    reader.browser.script("dispatchEvent(new Event('peargpt:panic'))").await.unwrap();
    // The worker answers what it is asked after that.
    reader.expect_recovery("").await.unwrap();
    assert!(!reader.text("notice").await.unwrap().contains("crashed"));
    for entry in std::fs::read_dir(crate::server::dist()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "wasm") {
            let program = std::fs::read(&path).unwrap();
            let has = |text: &[u8]| program.windows(text.len()).any(|window| window == text);
            assert!(!has(b"peargpt:panic") && !has(b"a panic on request"), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn a_worker_that_breaks_while_it_writes() {
    let reader = before_a_breakable_worker("#/peargpt?prompt=LEAR%3A%0A&words=5000&run=1").await;
    let text = reader.first_text().await.unwrap();
    reader.break_worker(Break::Trap).await.unwrap();
    let said = reader.failure().await.unwrap();
    assert!(said.contains("crashed") && said.contains("restarted"), "{said}");
    assert!(reader.output().await.unwrap().starts_with(&text), "what was written stays");
    assert_eq!(reader.value("prompt").await.unwrap(), "LEAR:\n");
    reader.fill("words", "3").await.unwrap();
    reader.press("retry").await.unwrap();
    assert!(reader.finish().await.unwrap().starts_with("LEAR:\n"));
}

#[tokio::test]
async fn a_worker_that_breaks_while_it_waits() {
    let reader = before_a_breakable_worker("#/peargpt").await;
    reader.wait_for("ready").await.unwrap();
    let text = reader.write(3).await.unwrap();
    reader.break_worker(Break::Message).await.unwrap();
    reader
        .browser
        .wait_until("document.querySelector('[data-testid=notice]').textContent.includes('crashed')")
        .await
        .unwrap();
    assert_eq!(reader.output().await.unwrap(), text);
    reader.expect_recovery("").await.unwrap();
}

#[tokio::test]
async fn worker_files_that_are_not_there() {
    for file in ["worker-relaxed.js", "worker-relaxed_bg.wasm"] {
        let reader = Reader::new().await.unwrap();
        reader.server.always(file, Fault::Status(404));
        reader.open("#/peargpt").await.unwrap();
        let said = reader.failure().await.unwrap();
        assert!(said.contains("could not be started"), "{file}: {said}");
        reader.server.heal();
        reader.press("retry").await.unwrap();
        reader.wait_for("ready").await.unwrap();
    }
}

#[tokio::test]
async fn a_page_that_arrives_in_part() {
    let reader = Reader::new().await.unwrap();
    reader.server.always("page_bg.wasm", Fault::CutAt(500_000));
    reader.open("#/").await.unwrap();
    let said = reader.text("error").await.unwrap();
    assert!(said.contains("could not be started") && said.contains("Load it again"), "{said}");
}

#[tokio::test]
async fn a_server_that_stops_once_all_is_there() {
    let reader = Reader::ready().await.unwrap();
    reader.server.stop();
    reader.expect_recovery("").await.unwrap();
    reader.open("#/").await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.fill("prompt", "PROSPERO:\n").await.unwrap();
    reader.expect_recovery("PROSPERO:\n").await.unwrap();
}

/// What a reader of a browser is told that lacks something: `script` takes it away.
async fn told_without(script: &str) -> String {
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page(script).await.unwrap();
    reader.open("#/peargpt").await.unwrap();
    reader.text("error").await.unwrap()
}

#[tokio::test]
async fn a_browser_without_simd_is_told_which_have_it() {
    let said = told_without("WebAssembly.validate = () => false").await;
    assert!(said.contains("lacks WebAssembly SIMD"), "{said}");
    for version in ["Chrome or Edge 97", "Firefox 89", "Safari 16.4"] {
        assert!(said.contains(version), "{version} is not in `{said}`");
    }
}

#[tokio::test]
async fn a_browser_without_webassembly_is_told_so() {
    let said = told_without("delete globalThis.WebAssembly").await;
    assert!(said.contains("lacks WebAssembly."), "{said}");
}

#[tokio::test]
async fn a_browser_without_reference_types_is_told_so() {
    // `ref.null extern`
    let without = "
        const validate = WebAssembly.validate;
        WebAssembly.validate = (bytes) => !String(bytes).includes('208,111') && validate(bytes);";
    let said = told_without(without).await;
    assert!(said.contains("lacks WebAssembly's reference types."), "{said}");
}

#[tokio::test]
async fn a_browser_that_does_not_know_the_policys_word_for_webassembly_is_told_so() {
    let reader = Reader::new().await.unwrap();
    reader.server.rewrite("'wasm-unsafe-eval'", "'an-unknown-word'");
    reader.open("#/peargpt").await.unwrap();
    let said = reader.text("error").await.unwrap();
    assert!(said.contains("lacks WebAssembly in pages with a strict policy"), "{said}");
}

#[tokio::test]
async fn plain_http_on_a_local_network_has_no_clipboard_but_works() {
    let reader = Reader::new().await.unwrap();
    let here = format!("127.0.0.1:{}", reader.server.port());
    let there = format!("{}:{}", PLAIN_HOST, reader.server.port());
    reader.browser.open(&reader.server.url("#/peargpt").replace(&here, &there)).await.unwrap();
    assert_eq!(reader.browser.script("return isSecureContext").await.unwrap(), false);
    reader.wait_for("ready").await.unwrap();
    let text = reader.write(5).await.unwrap();
    reader.press("copy").await.unwrap();
    let selected =
        reader.browser.wait_until("getSelection().toString().length && getSelection().toString()").await.unwrap();
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed(selected.as_str().unwrap()), squeezed(&text));
    assert_eq!(reader.browser.left_the_machine(), Vec::<String>::new());
}
