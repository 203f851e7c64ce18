//! Dark and narrow.

use serde_json::json;

use super::for_both_engines;
use crate::browser::{Engine, Scheme};
use crate::looks::{FITS, PALE};
use crate::reader::Reader;

for_both_engines!(the_systems_dark_is_followed_and_can_be_overruled, a_page_390_pixels_wide_fits);

/// A frame as wide as a phone: neither Firefox's window nor MiniBrowser's can be as narrow.
const PHONE: &str = "<!doctype html><iframe width=390 height=844 src='index.html#/'></iframe>";

/// Whether the page is dark, once all colours have faded over.
async fn is_dark(reader: &Reader) -> bool {
    reader
        .browser
        .promise("Promise.all(document.getAnimations().map((one) => one.finished)).then(() => true)")
        .await
        .unwrap();
    let ground = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)";
    let ground: Vec<u32> = serde_json::from_value(reader.browser.script(ground).await.unwrap()).unwrap();
    ground[..3].iter().sum::<u32>() < 3 * 128
}

async fn the_systems_dark_is_followed_and_can_be_overruled(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Dark).await.unwrap();
    reader.open("#/peargpt?prompt=ROMEO%3A%0A&words=20&seed=7&run=1").await.unwrap();
    reader.finish().await.unwrap();
    assert!(is_dark(&reader).await);
    assert_eq!(reader.browser.script(PALE).await.unwrap(), json!([]));
    reader.press("theme").await.unwrap();
    assert_eq!(reader.text("theme").await.unwrap(), "Colours: light");
    assert!(!is_dark(&reader).await);
    assert_eq!(reader.browser.script(PALE).await.unwrap(), json!([]));
    reader.browser.driver().refresh().await.unwrap();
    reader.wait_for_model().await.unwrap();
    assert!(!is_dark(&reader).await, "the choice is kept");
    assert_eq!(reader.heard().await.unwrap(), Vec::<String>::new());
}

async fn a_page_390_pixels_wide_fits(engine: Engine) {
    let reader = Reader::with(engine, Scheme::Light).await.unwrap();
    reader.server.put("phone.html", PHONE.into());
    reader.open("phone.html").await.unwrap();
    reader.browser.driver().enter_frame(0).await.unwrap();
    reader.browser.find("theme").await.unwrap();
    assert!(!is_dark(&reader).await);
    for (route, state) in [
        ("#/", ""),
        ("#/peargpt?prompt=ROMEO%3A%0A&words=40&seed=7&run=1", "done"),
        ("#/gpt2", "asking"),
        ("#/model", ""),
        ("#/bench?prompt_tokens=8&tokens=4", "done"),
        ("#/nowhere", ""),
    ] {
        reader.browser.script(&format!("location.hash = '{route}'")).await.unwrap();
        match (route, state) {
            ("#/nowhere", _) => drop(reader.browser.find("error").await.unwrap()),
            ("#/model", _) => drop(reader.browser.find("import").await.unwrap()),
            (_, "") => {}
            (_, state) => reader.wait_for(state).await.unwrap(),
        }
        assert_eq!(reader.browser.script("return innerWidth").await.unwrap(), 390);
        assert_eq!(reader.browser.script(FITS).await.unwrap(), true, "{route} fits its width");
    }
}
