//! Texts: the terminal's, forked, looked into; of models from everywhere.

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
