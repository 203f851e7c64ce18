//! What the page looks like: narrow and wide, light and dark, and to those who do not see or do not use a mouse.
//! The screenshots are in `target/screenshots/`.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::axe::violations;
use crate::reader::{Reader, WEIGHTS};
use crate::server::Fault;
use crate::subject::Subject;

/// Names of the looks, widths in CSS pixels, and whether they are dark.
const LOOKS: [(&str, u32, bool); 4] =
    [("1280-light", 1280, false), ("1280-dark", 1280, true), ("390-light", 390, false), ("390-dark", 390, true)];

/// Texts whose contrast with what is behind them is less than WCAG's AA asks for: 4.5, for large letters 3.
pub const PALE: &str = "
    const pixel = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
        pixel.clearRect(0, 0, 1, 1);
        pixel.fillStyle = colour;
        pixel.fillRect(0, 0, 1, 1);
        return [...pixel.getImageData(0, 0, 1, 1).data];
    };
    const linear = (value) => value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = rgba(getComputedStyle(at).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return [255, 255, 255, 255];
    };
    const isShown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const pale = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const text = walker.currentNode.data.trim();
        if (!text || !isShown(element) || element.closest('svg, :disabled, .visually-hidden')) continue;
        const style = getComputedStyle(element);
        const [one, other] = [luminance(rgba(style.color)), luminance(behind(element))].sort((a, b) => b - a);
        const contrast = (one + 0.05) / (other + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        if (contrast < (large ? 3 : 4.5)) pale.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
    }
    return pale;";

/// Controls that say nothing of themselves to those who do not see them.
const NAMELESS: &str = "
    return [...document.querySelectorAll('input, textarea, select, button, a[href], summary')]
        .filter((control) => !(control.labels?.length || control.ariaLabel || control.textContent.trim()))
        .map((control) => control.outerHTML);";

/// Whether nothing has to be scrolled sideways.
pub const FITS: &str = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";

/// All looks fit their width and have contrast, every control has a name, and axe-core finds nothing.
pub async fn expect_good_looks(reader: &Reader, page: &str) {
    for (look, width, dark) in LOOKS {
        reader.browser.set_look(width, 900, dark).await.unwrap();
        // Colours may fade over.
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        reader.browser.screenshot(&format!("{page}-{look}")).await.unwrap();
        assert_eq!(reader.browser.script(FITS).await.unwrap(), true, "{page}, {look} fits its width");
        assert_eq!(reader.browser.script(PALE).await.unwrap(), json!([]), "{page}, {look} has contrast");
        let found = violations(reader).await;
        assert!(found.is_empty(), "{page}, {look}: {}", found.join("\n"));
    }
    assert_eq!(reader.browser.script(NAMELESS).await.unwrap(), json!([]), "all controls of {page} have names");
}

#[tokio::test]
async fn home_looks_good() {
    let reader = Reader::at("#/").await.unwrap();
    reader.browser.find("theme").await.unwrap();
    expect_good_looks(&reader, "home").await;
}

#[tokio::test]
async fn peargpt_looks_good() {
    let reader = Reader::ready().await.unwrap();
    expect_good_looks(&reader, "peargpt-ready").await;
    reader.open("#/peargpt?prompt=ROMEO%3A%0A&words=80&seed=7&run=1").await.unwrap();
    reader.finish().await.unwrap();
    expect_good_looks(&reader, "peargpt").await;
    reader.press("settings").await.unwrap();
    expect_good_looks(&reader, "peargpt-settings").await;
    let name = reader.browser.driver().query(By::Css("[data-testid=output] .speaker")).first().await.unwrap();
    assert_eq!(name.text().await.unwrap(), "ROMEO:", "Shakespeare is set as a play");
}

#[tokio::test]
async fn gpt2_looks_good_from_the_offer_to_the_text() {
    let reader = Reader::at("#/gpt2").await.unwrap();
    reader.wait_for("asking").await.unwrap();
    expect_good_looks(&reader, "gpt2-asking").await;
    drop(reader);
    let reader = Subject::Gpt2.reader().await.unwrap();
    reader.server.rewrite("\"stall_ms\":2000", "\"stall_ms\":600000");
    reader.server.times(1, "weights/gpt2/gpt2.gguf.part009", Fault::StallAt(100));
    reader.open("#/gpt2?prompt=the%20old%20pear%20%F0%9F%8D%90%20tree&words=60&seed=7").await.unwrap();
    reader.server.wait_for_bytes("part009", 100);
    expect_good_looks(&reader, "gpt2-downloading").await;
    reader.press("pause").await.unwrap();
    reader.wait_for("paused").await.unwrap();
    expect_good_looks(&reader, "gpt2-paused").await;
    reader.press("resume").await.unwrap();
    reader.wait_for("ready").await.unwrap();
    let counted = "/[0-9]/.test(document.querySelector('[data-testid=token-count]').textContent)";
    reader.browser.wait_until(counted).await.unwrap();
    reader.press("prompt-tokens").await.unwrap();
    reader.press("stored").await.unwrap();
    reader.browser.wait_until("document.querySelector('[data-model=gpt2]')").await.unwrap();
    reader.write(60).await.unwrap();
    expect_good_looks(&reader, "gpt2").await;
}

#[tokio::test]
async fn errors_and_the_bench_look_good() {
    let reader = Reader::at("#/bench?prompt_tokens=8&tokens=4").await.unwrap();
    reader.wait_for("done").await.unwrap();
    expect_good_looks(&reader, "bench").await;
    reader.open("#/nowhere").await.unwrap();
    reader.browser.find("error").await.unwrap();
    expect_good_looks(&reader, "nowhere").await;
    // Two tests that each hold a browser and want another would wait for ever.
    drop(reader);
    let reader = Reader::new().await.unwrap();
    reader.server.always(WEIGHTS, Fault::Status(404));
    reader.open("#/peargpt?words=9&temperature=hot").await.unwrap();
    reader.failure().await.unwrap();
    expect_good_looks(&reader, "peargpt-failed").await;
}

#[tokio::test]
async fn what_an_old_browser_is_told_looks_good() {
    let reader = Reader::new().await.unwrap();
    reader.browser.before_every_page("WebAssembly.validate = () => false").await.unwrap();
    reader.open("#/").await.unwrap();
    reader.browser.find("error").await.unwrap();
    expect_good_looks(&reader, "old-browser").await;
}

#[tokio::test]
async fn the_keyboard_reaches_everything() {
    let reader = Reader::ready().await.unwrap();
    reader.write(3).await.unwrap();
    reader.press("settings").await.unwrap();
    reader.browser.script("document.activeElement.blur(); scrollTo(0, 0)").await.unwrap();
    let mut reached = BTreeSet::new();
    for _ in 0..60 {
        reader.browser.driver().action_chain().send_keys(Key::Tab).perform().await.unwrap();
        let seen = "const at = document.activeElement, style = getComputedStyle(at);
            const isMarked = style.outlineStyle !== 'none' || style.boxShadow !== 'none';
            return [at.dataset.testid ?? at.tagName, isMarked]";
        let seen: (String, bool) = serde_json::from_value(reader.browser.script(seen).await.unwrap()).unwrap();
        assert!(seen.1 || seen.0 == "BODY", "focus on {} is not visible", seen.0);
        reached.insert(seen.0);
    }
    let expected =
        ["prompt", "words", "seed", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "window"];
    let more = ["stop-sequences", "preset-balanced", "reset-settings"];
    for testid in
        expected.into_iter().chain(more).chain(["generate", "continue", "copy", "share", "clear", "output", "theme"])
    {
        assert!(reached.contains(testid), "Tab does not reach `{testid}`, but {reached:?}");
    }
}

#[tokio::test]
async fn the_switch_between_light_and_dark_is_kept() {
    let reader = Reader::at("#/").await.unwrap();
    reader.browser.set_look(1280, 900, false).await.unwrap();
    let background = "return getComputedStyle(document.body).backgroundColor";
    reader.browser.find("theme").await.unwrap();
    let light = reader.browser.script(background).await.unwrap();
    let mut dark = Value::Null;
    // Light, dark and the system's setting, in whatever order.
    for _ in 0..3 {
        reader.press("theme").await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        dark = reader.browser.script(background).await.unwrap();
        if dark != light {
            break;
        }
    }
    assert_ne!(dark, light);
    reader.browser.driver().refresh().await.unwrap();
    reader.browser.find("theme").await.unwrap();
    assert_eq!(reader.browser.script(background).await.unwrap(), dark);
}

#[tokio::test]
async fn nothing_moves_for_those_who_want_no_motion() {
    let reader = Reader::new().await.unwrap();
    let features = json!({ "features": [{ "name": "prefers-reduced-motion", "value": "reduce" }] });
    reader.browser.devtools("Emulation.setEmulatedMedia", features).await.unwrap();
    reader.open("#/peargpt?words=5000&run=1").await.unwrap();
    reader.first_text().await.unwrap();
    assert_eq!(reader.state().await.unwrap(), "generating");
    let moving = "return document.getAnimations().filter((one) => one.effect.getComputedTiming().duration > 10).length";
    assert_eq!(reader.browser.script(moving).await.unwrap(), 0);
}
