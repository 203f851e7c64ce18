//! The element, and the page that shows all of it.

use serde_json::json;

use super::{Guest, WATCH, meta, written};
use crate::browser::Engine;
use crate::looks::expect_good_looks;
use crate::reader::{Reader, WEIGHTS};
use crate::server::Fault;

/// What an element's shadow shows.
const SHADOW: &str = "const part = (element, name) => element.shadowRoot.querySelector(`[part=${name}]`);
    const press = (element) => part(element, 'button').click();
    const until = async (is) => { while (!is()) await new Promise((resolve) => setTimeout(resolve, 20)); };";

/// An element on a page of another origin writes the terminal's text; what is taken away leaves no worker.
pub async fn element(engine: Engine) {
    let guest = Guest::new(engine).await;
    // The prompt is set before the element is defined.
    let early = "<script>document.querySelector('pear-gpt').prompt = 'ROMEO:'</script>";
    let script = format!("{early}<script type=module src={}></script>", guest.site.url("pear-gpt.js"));
    guest.open(WATCH, &format!("<pear-gpt model=peargpt words=12 seed=7></pear-gpt>{script}")).await;
    guest.browser.wait_until("customElements.get('pear-gpt')").await.unwrap();
    let said = guest
        .run(&format!(
            "{SHADOW}
             const element = document.querySelector('pear-gpt');
             const done = new Promise((resolve) => element.addEventListener('done', resolve, {{ once: true }}));
             press(element);
             await done;
             const text = element.text;
             element.remove();
             await until(() => living === 0);
             return text;"
        ))
        .await;
    assert_eq!(said.as_str().unwrap().trim_end(), format!("ROMEO:{}", written("12", "7", "ROMEO:")));
}

#[tokio::test]
async fn two_elements_under_a_strict_policy_share_a_model_and_one_is_taken_away_while_it_writes() {
    let guest = Guest::new(Engine::Chromium).await;
    let strict = guest.policy().replace(" 'unsafe-inline'", &format!(" {}", guest.page.origin()));
    let policy = meta(&strict).replace(WATCH, "<script src=watch.js></script>");
    guest.page.put("watch.js", WATCH.replace("<script>", "").replace("</script>", "").into_bytes());
    let element = |rest: &str| format!("<pear-gpt model=peargpt {rest}></pear-gpt>");
    let elements =
        [element("prompt=ROMEO: words=12 seed=7"), element("prompt=KING: words=5 seed=1"), element("words=5000")];
    let script = format!("<script type=module src={}></script>", guest.site.url("pear-gpt.js"));
    guest.open(&policy, &format!("{}{script}", elements.join(""))).await;
    guest.browser.wait_until("customElements.get('pear-gpt')").await.unwrap();
    assert_eq!(guest.site.count("weights"), 0, "nothing is fetched before it is asked for");
    let said = guest
        .run(&format!(
            "{SHADOW}
             const [one, two, three] = document.querySelectorAll('pear-gpt');
             const done = (element) => new Promise((resolve) => element.addEventListener('done', resolve, {{ once: true }}));
             const both = [done(one), done(two)];
             press(one); press(two);
             await Promise.all(both);
             const [models, texts] = [living, [one.text, two.text]];
             press(three);
             await until(() => three.text.length > 20);
             three.remove();
             press(two);
             await done(two);
             press(one);
             await until(() => one._stop && part(one, 'status').textContent === 'Writing…');
             press(one);
             await until(() => part(one, 'button').textContent === 'Write');
             const stopped = part(one, 'status').textContent;
             two.setAttribute('words', 'many');
             press(two);
             await until(() => !part(two, 'error').hidden);
             const failure = part(two, 'error').textContent;
             two.remove();
             await until(() => true);
             one.remove();
             await until(() => living === 0);
             return {{ models, texts, stopped, failure, refused }};"
        ))
        .await;
    assert_eq!(said["models"], json!(1), "they share a worker");
    assert_eq!(said["texts"][0].as_str().unwrap().trim_end(), format!("ROMEO:{}", written("12", "7", "ROMEO:")));
    assert_eq!(said["texts"][1].as_str().unwrap().trim_end(), format!("KING:{}", written("5", "1", "KING:")));
    assert_eq!(said["stopped"], "Stopped.");
    assert_eq!(said["failure"], "words takes a whole number from 1 to 5000, found \"many\".");
    assert_eq!(said["refused"], json!([]), "the policy refuses nothing, styles included");
}

#[tokio::test]
async fn a_text_that_takes_the_place_of_another_while_the_model_loads_is_written() {
    let guest = Guest::new(Engine::Chromium).await;
    let script = format!("<script type=module src={}></script>", guest.site.url("pear-gpt.js"));
    guest.open(WATCH, &script).await;
    guest.browser.wait_until("customElements.get('pear-gpt')").await.unwrap();
    let said = guest
        .run(&format!(
            "{SHADOW}
             const write = async (begin) => {{
                 document.body.innerHTML = '<pear-gpt prompt=ROMEO: words=12 seed=7></pear-gpt>';
                 const element = document.body.firstChild;
                 const results = [element.write(), begin(element)].map((text) => text.then((result) => result && result.text));
                 const written = await Promise.all(results);
                 element.remove();
                 await until(() => living === 0);
                 return written;
             }};
             const again = await write((element) => element.write());
             return [again, await write((element) => {{ element.stop(); return element.write(); }})];"
        ))
        .await;
    for texts in said.as_array().unwrap() {
        assert!(texts[0].is_null(), "{said}");
        assert_eq!(texts[1].as_str().unwrap().trim_end(), written("12", "7", "ROMEO:"));
    }
}

#[tokio::test]
async fn a_model_that_cannot_be_had_is_told_and_the_next_press_tries_again() {
    let guest = Guest::new(Engine::Chromium).await;
    let script = format!("<script type=module src={}></script>", guest.site.url("pear-gpt.js"));
    guest.open(WATCH, &format!("<pear-gpt model=gpt5 prompt=ROMEO: words=12 seed=7></pear-gpt>{script}")).await;
    guest.browser.wait_until("customElements.get('pear-gpt')").await.unwrap();
    let said = guest
        .run(&format!(
            "{SHADOW}
             const element = document.querySelector('pear-gpt');
             const failed = new Promise((resolve) => element.addEventListener('failed', ({{ detail }}) => resolve(detail.code)));
             press(element);
             const code = await Promise.race([failed, until(() => part(element, 'status').textContent === 'Stopped.')]);
             const told = part(element, 'error').textContent;
             element.setAttribute('model', 'peargpt');
             const result = await element.write();
             return [code, told, part(element, 'error').hidden, result && result.text];"
        ))
        .await;
    assert_eq!(said[0], "unknown-model", "{said}");
    assert!(said[1].as_str().unwrap().contains("there are: peargpt"), "{said}");
    assert_eq!(said[2], true, "{said}");
    assert_eq!(said[3].as_str().unwrap().trim_end(), written("12", "7", "ROMEO:"));
}

#[tokio::test]
async fn its_status_and_its_errors_are_for_everybody() {
    let guest = Guest::new(Engine::Chromium).await;
    guest.site.always(WEIGHTS, Fault::Slow(8 << 20));
    // The system is dark, and the page is not.
    guest.browser.set_look(1280, 900, true).await.unwrap();
    let script = format!("<script type=module src={}></script>", guest.site.url("pear-gpt.js"));
    let elements = "<pear-gpt words=5000></pear-gpt><pear-gpt words=many></pear-gpt>";
    guest.open(WATCH, &format!("{elements}{script}")).await;
    guest.browser.wait_until("customElements.get('pear-gpt')").await.unwrap();
    let said = guest
        .run(&format!(
            "{SHADOW}
             const [one, two] = document.querySelectorAll('pear-gpt');
             const says = (element) => part(element, 'status').textContent;
             const said = [];
             new MutationObserver(() => said.push(says(one))).observe(part(one, 'status'), {{ childList: true }});
             press(one);
             await until(() => says(one) === 'Writing…');
             const failed = new Promise((resolve) => two.addEventListener('failed', resolve));
             press(two);
             await failed;
             const colours = [part(two, 'error'), document.body].map((element) => getComputedStyle(element).color);
             two.removeAttribute('words');
             press(two);
             await until(() => says(two));
             const waits = says(two);
             press(two);
             press(one);
             return {{ said, colours, waits }};"
        ))
        .await;
    let texts: Vec<&str> = said["said"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert_eq!(texts[0], "Starting…", "it answers at once");
    assert!(texts.windows(2).all(|two| two[0] != two[1]), "nothing is said twice: {said}");
    let percents: Vec<&str> = texts.iter().copied().filter(|text| text.contains('%')).collect();
    assert!(!percents.is_empty() && percents.iter().all(|text| text.contains("0 %)")), "in steps of ten: {said}");
    assert_eq!(said["colours"][0], said["colours"][1]);
    assert_eq!(said["waits"], "Waiting…");
}

#[tokio::test]
async fn embed_html_shows_it_at_work() {
    let reader = Reader::new().await.unwrap();
    reader.browser.open(&reader.server.url("embed.html")).await.unwrap();
    let lines = reader.text("lines").await.unwrap();
    assert!(lines.contains(&reader.server.url("peargpt.js")), "{lines}");
    let pressed = "document.getElementById('run').click(); return document.getElementById('more-run').disabled";
    assert_eq!(reader.browser.script(pressed).await.unwrap(), true, "the model is loaded once");
    let status = "document.querySelector('[data-testid=status]').textContent";
    reader.browser.wait_until(&format!("{status}.includes('tokens/s')")).await.unwrap();
    let out = reader.text("out").await.unwrap();
    assert_eq!(out.trim_end(), format!("ROMEO:{}", written("60", "7", "ROMEO:")));
    let idle = "!document.getElementById('more-run').disabled";
    reader.browser.wait_until(idle).await.unwrap();
    reader.press("more-run").await.unwrap();
    let more = "document.querySelector('[data-testid=more-out]').textContent";
    reader.browser.wait_until(&format!("{more}.includes('explain')")).await.unwrap();
    reader
        .browser
        .promise("Promise.all([...document.querySelectorAll('pear-gpt')].map((element) => element.write()))")
        .await
        .unwrap();
    assert!(!reader.sees("error").await.unwrap());
    expect_good_looks(&reader, "embed").await;
    // The site's switch counts here, too.
    reader.browser.script("localStorage.setItem('peargpt:theme', 'dark')").await.unwrap();
    reader.browser.driver().refresh().await.unwrap();
    reader.browser.wait_until("document.getElementById('dark')?.media === 'all'").await.unwrap();
    assert_eq!(reader.browser.left_the_machine(), Vec::<String>::new());
}
