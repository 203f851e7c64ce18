//! Texts: the terminal's, ended at any moment, forked, looked into; of models from everywhere.

use serde_json::{Value, json};

use super::{Guest, WATCH, written};
use crate::browser::Engine;
use crate::model::{Gpt2, SMALL};
use crate::own::{NANOGPT, fixture};
use crate::reader::WEIGHTS;
use crate::replay::in_the_terminal;
use crate::server::{Fault, Server};

/// Five lines on an empty page of another origin write the terminal's text.
pub async fn five_lines(engine: Engine) {
    let guest = Guest::new(engine).await;
    let lines = format!(
        "<pre id=out></pre><script>
onerror = (message) => {{ document.title = message; }};
onunhandledrejection = ({{ reason }}) => {{ document.title = reason.message; }};
</script><script type=module>
import {{ load }} from \"{}\";
const gpt = await load(\"peargpt\");
for await (const text of gpt.generate(\"ROMEO:\", {{ words: 12, seed: 7 }})) out.append(text);
document.title = 'done';
</script>",
        guest.site.url("peargpt.js")
    );
    guest.open("", &lines).await;
    let title = guest.browser.wait_until("document.title !== 'a' && document.title").await.unwrap();
    assert_eq!(title, "done");
    let text = guest.browser.script("return document.querySelector('#out').textContent").await.unwrap();
    assert_eq!(text.as_str().unwrap().trim_end(), written("12", "7", "ROMEO:"));
    let asked = guest.site.requests();
    for unasked in ["page-", "converter", "index.html", "trainer", "release.json"] {
        assert!(!asked.iter().any(|path| path.contains(unasked)), "{unasked} was fetched: {asked:?}");
    }
    assert_eq!(guest.site.count("_bg.wasm"), 1, "one program was fetched");
}

#[tokio::test]
async fn five_lines_on_an_empty_page_of_another_origin() {
    five_lines(Engine::Chromium).await;
}

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
async fn a_clone_goes_on_by_itself_and_a_handle_answers() {
    let guest = Guest::at_an_empty_page().await;
    let said = guest
        .run(
            "const gpt = await load('peargpt');
             const { text, reason, ids, seed } = await gpt.generate('ROMEO:', { words: 12, seed: 7 }).result;
             const clone = gpt.clone();
             const other = (await clone.generate('KING:', { words: 5, seed: 1 }).result).text;
             const again = gpt.clone();
             const [one, two] = [await gpt.continue({ words: 10 }).result, await again.continue({ words: 10 }).result];
             const explained = await gpt.explain(8);
             const looks = [];
             for (const view of ['lens', 'attention', 'looked-at']) looks.push((await gpt.explain(8, view)).layers.length);
             const evaluation = await gpt.evaluate('To be, or not to be');
             const after = (await gpt.continue({ words: 5 }).result).text;
             const tokens = await gpt.tokenize('ROMEO:');
             gpt.destroy(); clone.destroy();
             const left = living;
             again.destroy();
             return { text, reason, seed, ids: ids.length, other, same: one.text === two.text, longer: one.text.startsWith(text),
                 explained, looks, evaluation, after: after.startsWith(one.text), tokens, left, living };",
        )
        .await;
    assert_eq!(said["text"].as_str().unwrap().trim_end(), written("12", "7", "ROMEO:"));
    assert_eq!(said["other"].as_str().unwrap().trim_end(), written("5", "1", "KING:"));
    assert_eq!((&said["reason"], &said["seed"], &said["same"]), (&json!("words"), &json!(7), &json!(true)));
    assert_eq!((&said["longer"], &said["after"]), (&json!(true), &json!(true)));
    assert_eq!(said["looks"], json!([9, 8, 8]), "the embedding and eight layers");
    assert_eq!(said["tokens"].as_array().unwrap().len(), 6);
    let explained = in_the_terminal(&["--words", "12", "--seed", "7", "--explain", "ROMEO:"]);
    let line: Value = serde_json::from_str(explained.lines().nth(8).unwrap()).unwrap();
    for name in ["position", "id", "text", "probability", "rank", "entropy_bits"] {
        assert_eq!(said["explained"][name], line[name], "{name}");
    }
    let evaluation = &said["evaluation"];
    let bits: Vec<f64> =
        evaluation["tokens"].as_array().unwrap().iter().map(|token| token["bits"].as_f64().unwrap()).collect();
    assert_eq!(bits.len(), 18, "each character but the first");
    let mean = bits.iter().sum::<f64>() / 18.0;
    assert!((evaluation["bitsPerCharacter"].as_f64().unwrap() - mean).abs() < 1e-9, "{evaluation}");
    assert!((evaluation["perplexity"].as_f64().unwrap() - mean.exp2()).abs() < 1e-6, "{evaluation}");
    assert_eq!((&said["left"], &said["living"]), (&json!(1), &json!(0)), "the worker goes with the last handle");
}

#[tokio::test]
async fn progress_has_no_total_where_the_length_is_not_known() {
    let guest = Guest::at_an_empty_page().await;
    guest.page.put("mine.gguf", b"GGUF and nothing else".to_vec());
    let said = guest
        .run(
            "const told = async (what) => {
                 const totals = [];
                 const onprogress = ({ state, received, total }) => state === 'downloading' && totals.push([received, total]);
                 await load(what, { onprogress }).catch(() => {});
                 return totals.pop();
             };
             return [await told('data:,GGUF%20and'), await told('mine.gguf')];",
        )
        .await;
    assert_eq!(said, json!([[8, 0], [21, 21]]));
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
async fn a_server_that_gives_webassembly_another_type_or_a_parameter_is_enough() {
    let guest = Guest::new(Engine::Chromium).await;
    for kind in ["text/plain", "application/wasm; charset=utf-8"] {
        for name in ["worker_bg.wasm", "worker-relaxed_bg.wasm"] {
            guest.site.always(name, Fault::Type(kind));
        }
        guest.open(WATCH, "").await;
        let text = guest
            .run("return (await (await load('peargpt')).generate('ROMEO:', { words: 12, seed: 7 }).result).text")
            .await;
        assert_eq!(text.as_str().unwrap().trim_end(), written("12", "7", "ROMEO:"), "{kind}");
    }
}

#[tokio::test]
async fn several_threads_write_the_same_where_the_page_is_isolated() {
    let guest = Guest::new(Engine::Chromium).await;
    guest.page.isolate(true);
    guest.open(WATCH, "").await;
    let script = "const gpt = await load('peargpt', { threads: 2 });
        return [(await gpt.generate('ROMEO:', { words: 12, seed: 7 }).result).text, gpt.model.backend];";
    let said = guest.run(script).await;
    assert_eq!(said[0].as_str().unwrap().trim_end(), written("12", "7", "ROMEO:"));
    assert!(said[1].as_str().unwrap().contains("2 threads"), "{said}");
}

#[tokio::test]
async fn addresses_files_and_the_hub_are_loaded() {
    let guest = Guest::new(Engine::Chromium).await;
    let (hub, model) = (Server::start().unwrap(), Gpt2::random(SMALL, 7));
    hub.isolate(false);
    model.publish(&guest.site, &hub);
    for (name, from) in ["ckpt.pt", "meta.pkl"].into_iter().zip(NANOGPT) {
        guest.page.put(name, std::fs::read(fixture(from)).unwrap());
    }
    guest.page.put("mine.gguf", model.gguf.clone());
    guest.open(WATCH, "").await;
    let script = format!(
        "const write = async (gpt) => (await gpt.generate('the old', {{ words: 5, seed: 3 }}).result).text;
         const [url, hub] = [await load('mine.gguf'), await load('gpt2')];
         const file = async (from, name) => new File([await (await fetch(from)).blob()], name);
         const other = await load(await file('mine.gguf', 'other.gguf'));
         const nanogpt = await load([await file('ckpt.pt', 'ckpt.pt'), await file('meta.pkl', 'meta.pkl')]);
         const romeo = await load('{}');
         return [url.model.title, other.model.title, await write(url), await write(other), await write(hub),
             (await romeo.generate('ROMEO:', {{ words: 12, seed: 7 }}).result).text,
             nanogpt.model.vocabulary, (await nanogpt.generate('', {{ tokens: 9 }}).result).ids.length];",
        guest.site.url(WEIGHTS)
    );
    let said = guest.run(&script).await;
    assert_eq!((&said[0], &said[1]), (&json!("mine"), &json!("other")));
    assert!(!said[2].as_str().unwrap().is_empty() && said[2] == said[3] && said[2] == said[4], "{said}");
    assert_eq!(said[5].as_str().unwrap().trim_end(), written("12", "7", "ROMEO:"));
    assert_eq!((&said[6], &said[7]), (&json!("characters"), &json!(9)), "what the converter makes of files is opened");
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
