//! Ended at any moment: by who asked, by the end of the model, by a crash.

use serde_json::json;

use super::{Guest, WATCH, written};
use crate::browser::Engine;
use crate::own::{NANOGPT, fixture};
use crate::reader::WEIGHTS;
use crate::server::Fault;

#[tokio::test]
async fn a_signal_ends_it_before_while_loading_and_while_writing() {
    let guest = Guest::at_an_empty_page().await;
    let early = "await load('peargpt', { signal: AbortSignal.abort() })";
    assert_eq!(guest.failure(early).await.0, "AbortError");
    assert!(guest.site.count(".wasm") == 0 && guest.site.count("weights") == 0, "nothing was fetched");
    guest.site.times(1, WEIGHTS, Fault::StallAt(1000));
    let loading = "const stop = new AbortController();
        await load('peargpt', { signal: stop.signal, onprogress: ({ received }) => received > 0 && stop.abort('enough') });";
    let caught = format!("try {{ {loading} }} catch (reason) {{ return [reason, living]; }}");
    assert_eq!(guest.run(&caught).await, json!(["enough", 0]), "its reason, and no worker is left");
    let writing = "const gpt = await load('peargpt');
        const before = gpt.generate('A', { signal: AbortSignal.abort('early') });
        const early = await before.getReader().read().catch((reason) => reason);
        const stop = new AbortController();
        const stream = gpt.generate('ROMEO:', { words: 5000, seed: 7, signal: stop.signal });
        const waiting = gpt.generate('A', { words: 5, signal: stop.signal });
        let seen = '', reason;
        try {
            for await (const text of stream) { seen += text; stop.abort('now'); }
        } catch (error) { reason = error; }
        const results = await Promise.all([stream.result, waiting.result].map((result) => result.catch((error) => error)));
        const stopped = gpt.text.length;
        let read = 0;
        for await (const text of gpt.generate('ROMEO:', { words: 5000, seed: 7 })) { read += text.length; if (read > 40) break; }
        const length = gpt.text.length;
        await new Promise((resolve) => setTimeout(resolve, 300));
        const rest = (await gpt.generate('ROMEO:', { words: 12, seed: 7 }).result).text;
        return { early, reason, results, more: stopped - seen.length, broken: length - read, rest };";
    let said = guest.run(writing).await;
    assert_eq!(
        (&said["early"], &said["reason"], &said["results"]),
        (&json!("early"), &json!("now"), &json!(["now", "now"]))
    );
    assert!(said["more"].as_u64().unwrap() < 400, "it goes on for {} characters", said["more"]);
    assert!(said["broken"].as_u64().unwrap() < 400, "it goes on for {} characters", said["broken"]);
    assert_eq!(said["rest"].as_str().unwrap().trim_end(), written("12", "7", "ROMEO:"));
}

#[tokio::test]
async fn a_text_that_waits_for_its_turn_is_cancelled_at_once() {
    let guest = Guest::at_an_empty_page().await;
    let said = guest
        .run(
            "const gpt = await load('peargpt');
             let isWriting = true;
             const long = gpt.generate('ROMEO:', { words: 5000, seed: 7 });
             long.result.then(() => { isWriting = false; });
             const waiting = gpt.generate('KING:', { words: 5, seed: 1 });
             await waiting.cancel();
             const { text, reason } = await waiting.result;
             const others = isWriting;
             await long.cancel();
             return { text, reason, others, rest: (await gpt.generate('ROMEO:', { words: 12, seed: 7 }).result).text };",
        )
        .await;
    assert_eq!((&said["text"], &said["reason"], &said["others"]), (&json!(""), &json!("stopped"), &json!(true)));
    assert_eq!(said["rest"].as_str().unwrap().trim_end(), written("12", "7", "ROMEO:"));
}

#[tokio::test]
async fn what_is_ended_starts_no_worker() {
    let guest = Guest::at_an_empty_page().await;
    let said = guest
        .run(
            "const told = (promise) => promise.then(() => 'answered', (error) => error.code || error);
             const pause = () => new Promise((resolve) => setTimeout(resolve, 500));
             const one = await load('peargpt');
             const asked = new Promise((resolve) => {
                 const post = Worker.prototype.postMessage;
                 Worker.prototype.postMessage = function (message) {
                     post.call(this, message);
                     if (message[0]?.Mark) resolve();
                 };
             });
             const evaluated = told(one.evaluate('To be, or not to be. '.repeat(1000)));
             await asked;
             one.destroy();
             const first = await evaluated;
             await pause();
             const other = await load('peargpt');
             const counted = told(other.tokenize('ROMEO:'));
             other.destroy();
             const second = await counted;
             await pause();
             const stop = new AbortController();
             const loaded = told(load(new File(['no model'], 'a.txt'), { signal: stop.signal }));
             stop.abort('enough');
             const third = await loaded;
             await pause();
             return [first, second, third, living];",
        )
        .await;
    assert_eq!(said, json!(["destroyed", "destroyed", "enough", 0]));
    assert_eq!(guest.site.count("converter"), 0, "nothing is fetched for who has given up");
}

#[tokio::test]
async fn what_was_converted_is_held_until_it_is_open_and_converted_again_where_it_is_gone() {
    let guest = Guest::new(Engine::Chromium).await;
    for (name, from) in ["ckpt.pt", "meta.pkl"].into_iter().zip(NANOGPT) {
        guest.page.put(name, std::fs::read(fixture(from)).unwrap());
    }
    guest.open(WATCH, "").await;
    let said = guest
        .run(
            "const events = [];
             let engine;
             const Watched = window.Worker;
             window.Worker = class extends Watched {
                 constructor(...of) {
                     super(...of);
                     this.addEventListener('message', ({ data: [event] }) => {
                         if (event.Converted) this.converts = true;
                         if (!event.Loaded) return;
                         events.push('opened');
                         engine = this;
                     });
                 }
                 terminate() { if (this.converts) events.push('ended'); super.terminate(); }
             };
             const file = async (name) => new File([await (await fetch(name)).blob()], name);
             const gpt = await load([await file('ckpt.pt'), await file('meta.pkl')]);
             const order = [...events];
             const write = async () => (await gpt.generate('', { tokens: 9, seed: 7 }).result).text;
             const text = await write();
             engine.onerror(new ErrorEvent('error', { message: 'on purpose', cancelable: true }));
             const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('unkept');
             const names = [];
             for await (const name of folder.keys()) names.push(name);
             for (const name of names) {
                 // The worker may be about to close it.
                 while (await folder.removeEntry(name).then(() => false, () => true)) await new Promise((resolve) => setTimeout(resolve, 50));
             }
             return { order, files: names.length, text, again: await write() };",
        )
        .await;
    assert_eq!(said["order"], json!(["opened", "ended"]));
    assert_eq!(said["files"], json!(1), "it lies in storage");
    assert!(!said["text"].as_str().unwrap().is_empty() && said["text"] == said["again"], "{said}");
}

#[tokio::test]
async fn an_engine_that_breaks_while_it_opens_loses_no_request_after_that() {
    let guest = Guest::at_an_empty_page().await;
    let said = guest
        .run(
            "let last;
             const Watched = window.Worker;
             window.Worker = class extends Watched { constructor(...of) { super(...of); last = this; } };
             const gpt = await load('peargpt');
             // What was lost is told before the next opening ends.
             const plain = window.setTimeout;
             window.setTimeout = (act, ms) => plain(act, ms === 100 ? 0 : ms);
             const crash = () => last.onerror(new ErrorEvent('error', { message: 'on purpose', cancelable: true }));
             const told = (promise) => promise.then(() => 'answered', (error) => error.code);
             crash();
             const crashed = last;
             const lost = told(gpt.tokenize('A'));
             while (last === crashed) await new Promise((resolve) => plain(resolve, 1));
             crash();
             const next = told(gpt.tokenize('B'));
             return [await lost, await Promise.race([next, new Promise((resolve) => plain(() => resolve('nothing'), 20000))])];",
        )
        .await;
    assert_eq!(said, json!(["crashed", "answered"]));
}

#[tokio::test]
async fn an_engine_that_breaks_is_started_anew_and_the_text_goes_on() {
    let guest = Guest::at_an_empty_page().await;
    let said = guest
        .run(
            "let last;
             const Watched = window.Worker;
             window.Worker = class extends Watched { constructor(...of) { super(...of); last = this; } };
             const gpt = await load('peargpt');
             const whole = (await gpt.generate('ROMEO:', { tokens: 60, seed: 7 }).result).text;
             const part = await gpt.generate('ROMEO:', { tokens: 20, seed: 7 }).result;
             const lost = gpt.generate('ROMEO:', { words: 5000, seed: 7 });
             const reader = lost.getReader();
             await reader.read();
             last.onerror(new ErrorEvent('error', { message: 'broken on purpose', cancelable: true }));
             const error = await lost.result.catch((error) => error);
             const text = gpt.text;
             const more = (await gpt.continue({ words: 3 }).result).text;
             return { code: error.code, said: error.message, whole, part: part.text, text, more };",
        )
        .await;
    assert_eq!(said["code"], "crashed");
    assert!(said["said"].as_str().unwrap().contains("broken on purpose"), "{said}");
    let (whole, text, more) =
        (said["whole"].as_str().unwrap(), said["text"].as_str().unwrap(), said["more"].as_str().unwrap());
    assert!(whole.starts_with(said["part"].as_str().unwrap()));
    assert!(text.starts_with(&whole[..10]) || whole.starts_with(text), "what was written stays");
    assert!(more.starts_with(text) && more.len() > text.len(), "it goes on from there");
}

#[tokio::test]
async fn an_explanation_that_nobody_waits_for_is_given_up() {
    let guest = Guest::at_an_empty_page().await;
    let said = guest
        .run(
            "const stop = new AbortController();
             const heard = [];
             const Watched = window.Worker;
             window.Worker = class extends Watched {
                 constructor(...of) {
                     super(...of);
                     this.addEventListener('message', ({ data: [event] }) => {
                         if (event.Seen || event.Interrupted) heard.push(event.Seen ? 'seen' : 'interrupted');
                     });
                 }
                 postMessage(message) {
                     super.postMessage(message);
                     if (message[0]?.Look) stop.abort('enough');
                 }
             };
             const gpt = await load('peargpt');
             await gpt.generate('ROMEO:', { tokens: 240, seed: 7 }).result;
             const reason = await gpt.explain(1, 'looked-at', { signal: stop.signal }).catch((reason) => reason);
             const { rank } = await gpt.explain(8);
             return [reason, heard, Number.isInteger(rank)];",
        )
        .await;
    assert_eq!(said, json!(["enough", ["interrupted", "seen"], true]));
}
