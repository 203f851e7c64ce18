//! What is asked for wrongly, or in its way, is named with what to do.

use super::{Guest, WATCH, meta};
use crate::browser::Engine;
use crate::model::{Gpt2, SMALL};
use crate::reader::WEIGHTS;
use crate::release;
use crate::server::{Fault, Server, dist};

#[tokio::test]
async fn what_is_asked_for_wrongly_is_named() {
    let guest = Guest::at_an_empty_page().await;
    let site = guest.site.url("");
    let nowhere = guest.page.url("nowhere/");
    let with_gpt = |script: &str| format!("window.gpt ??= await load('peargpt'); {script}");
    let cases = [
        ("await load('gpt5')".to_string(), "unknown-model", "there are: peargpt, gpt2"),
        ("await load('http://')".to_string(), "bad-url", "no address"),
        (format!("await load('{site}none.gguf')"), "not-found", "answered 404"),
        (format!("await load('{site}embed.html')"), "bad-model", "embed.html"),
        (
            "await load(new Blob(['GGUF and nothing else']))".to_string(),
            "bad-model",
            "The file is damaged, or no model",
        ),
        (
            format!("await load('{site}{WEIGHTS}', {{ assets: '{nowhere}' }})"),
            "assets",
            "copy the files of its folder, and name that folder as `assets`",
        ),
        ("await load(7)".to_string(), "bad-option", "load takes"),
        ("await load('peargpt', { threads: 9 })".to_string(), "bad-option", "from 1 to 8"),
        (with_gpt("await gpt.generate('é☃').result"), "unknown-characters", "\"é\", \"☃\""),
        (
            with_gpt("await gpt.generate('A', { words: 0 }).result"),
            "bad-option",
            "words takes a whole number from 1 to 5000",
        ),
        (with_gpt("await gpt.generate('A', { words: NaN }).result"), "bad-option", "found NaN."),
        (with_gpt("await gpt.generate('A', { temprature: 1 }).result"), "bad-option", "temprature"),
        (with_gpt("await gpt.generate('A', { off: ['9.9'] }).result"), "failed", "9"),
        ("await (await load('peargpt')).continue().result".to_string(), "no-text", "Call generate first"),
        (with_gpt("await gpt.generate('A', { words: 3 }).result; await gpt.explain(9999)"), "failed", "9999"),
        (with_gpt("gpt.destroy(); await gpt.generate('A').result"), "destroyed", "Load the model again"),
    ];
    let kept = "const { text } = await gpt.generate('A', { words: 3 }).result;
        await gpt.generate('B', { off: ['9.9'] }).result.catch(() => {});
        return [text, gpt.text, gpt.prompt, (await gpt.continue({ words: 3 }).result).text.startsWith(text)];";
    let kept = guest.run(&format!("window.gpt ??= await load('peargpt'); {kept}")).await;
    assert!(
        kept[0] == kept[1] && kept[2] == "A" && kept[3] == true,
        "a text that is refused leaves the one before: {kept}"
    );
    for (script, code, words) in cases {
        let (found, said) = guest.failure(&script).await;
        assert!(found == code && said.contains(words), "{script}: {found}: {said}");
    }
}

#[tokio::test]
async fn what_is_in_its_way_is_named_with_what_to_do() {
    let guest = Guest::new(Engine::Chromium).await;
    let write = "const gpt = await load('peargpt'); await gpt.generate('A', { words: 3 }).result;";
    for (allowed, instead, add) in [
        ("worker-src blob:", "worker-src 'none'", "worker-src blob:"),
        ("; worker-src blob:", "", "worker-src blob:"),
        (" 'wasm-unsafe-eval'", "", "script-src 'wasm-unsafe-eval'"),
        ("connect-src ", "connect-src https://example.org ", ""),
        (
            &format!("connect-src {}", guest.site.origin()),
            "connect-src 'none'",
            &format!("connect-src {}", guest.site.origin()),
        ),
    ] {
        guest.open(&meta(&guest.policy().replace(allowed, instead)), "").await;
        let (code, said) = guest.failure(write).await;
        let expected = if add.is_empty() { "" } else { "policy" };
        assert!(code == expected && said.contains(add), "{instead}: {code}: {said}");
    }
    guest.open(WATCH, "").await;
    let elsewhere = Server::start().unwrap();
    elsewhere.isolate(false);
    elsewhere.always(WEIGHTS, Fault::Closed);
    let weights = elsewhere.url(WEIGHTS);
    let (code, said) = guest.failure(&format!("await load('{weights}')")).await;
    assert!(code == "cors" && said.contains(&elsewhere.origin()) && said.contains("(CORS)"), "{code}: {said}");
    elsewhere.stop();
    let (code, said) = guest.failure(&format!("await load('{weights}')")).await;
    assert!(code == "network" && said.contains("could not be fetched"), "{code}: {said}");
}

#[tokio::test]
async fn what_a_catalog_names_and_does_not_come_is_named_by_its_cause() {
    let guest = Guest::new(Engine::Chromium).await;
    let hub = Server::start().unwrap();
    hub.isolate(false);
    Gpt2::random(SMALL, 7).publish(&guest.site, &hub);
    guest.open(&meta(&guest.policy()), "").await;
    let (code, said) = guest.failure("await load('gpt2')").await;
    assert!(code == "policy" && said.contains(&format!("connect-src {}", hub.origin())), "{code}: {said}");
    guest.open(WATCH, "").await;
    let first = "hub/main/vocab.json";
    for (fault, expected) in [(Fault::Status(404), "not-found"), (Fault::Closed, "cors")] {
        hub.always(first, fault);
        let (code, said) = guest.failure("await load('gpt2')").await;
        assert!(code == expected && said.contains(&hub.url(first)), "{code}: {said}");
    }
    hub.stop();
    let (code, said) = guest.failure("await load('gpt2')").await;
    assert!(code == "network" && said.contains(&hub.url(first)), "{code}: {said}");
    guest.site.always("weights/catalog.json", Fault::Status(503));
    let (code, said) = guest.failure("await load('peargpt')").await;
    assert!(code == "network" && said.contains("answered 503"), "{code}: {said}");
    guest.site.heal();
    guest.site.always(WEIGHTS, Fault::Status(404));
    let (code, said) = guest.failure("await load('peargpt')").await;
    assert!(code == "not-found" && said.contains(&guest.site.url(WEIGHTS)), "{code}: {said}");
}

#[tokio::test]
async fn a_script_that_the_policy_refuses_is_no_reason_of_a_crash() {
    let guest = Guest::new(Engine::Chromium).await;
    guest.open(&meta(&guest.policy()), "").await;
    let (code, said) = guest
        .failure(
            "let last;
             const Watched = window.Worker;
             window.Worker = class extends Watched { constructor(...of) { super(...of); last = this; } };
             const gpt = await load('peargpt');
             const text = gpt.generate('ROMEO:', { words: 5000 });
             await text.getReader().read();
             document.body.append(Object.assign(document.createElement('script'), { src: 'other.js' }));
             while (!refused.length) await new Promise((resolve) => setTimeout(resolve, 10));
             last.onerror(new ErrorEvent('error', { message: 'on purpose', cancelable: true }));
             await text.result;",
        )
        .await;
    assert!(code == "crashed" && said.contains("on purpose"), "{code}: {said}");
}

#[test]
fn modules_import_files_that_are_there() {
    let modules = ["programs.js", "errors.js", "options.js", "engine.js", "peargpt.js", "pear-gpt.js", "embed.js"];
    let hashed = modules.map(|name| release::path(&dist(), name));
    for path in hashed.iter().map(String::as_str).chain(["peargpt.js", "pear-gpt.js"]) {
        let text = std::fs::read_to_string(dist().join(path)).unwrap();
        for named in text.split("\"./").skip(1).filter_map(|rest| rest.split('"').next()) {
            // A path, and not what a sentence quotes.
            if !named.is_empty() && named.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte)) {
                assert!(dist().join(named).is_file(), "{path} names {named}");
            }
        }
    }
}
