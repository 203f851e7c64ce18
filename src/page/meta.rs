//! What the document says of itself: its address, its worker, how fetches are tried.

use leptos::prelude::{document, window};
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{HtmlMetaElement, Url};

use super::js::from_json;
use crate::app::protocol::TransferPolicy;

fn content(name: &str) -> Option<String> {
    let element = document().query_selector(&format!("meta[name='peargpt:{name}']")).ok()??;
    Some(element.dyn_into::<HtmlMetaElement>().ok()?.content())
}

/// The name of the worker's build that this browser is given.
pub fn worker() -> String {
    content("worker").unwrap_or_default()
}

/// How weights and the catalog are fetched; tests write a faster way into the document.
pub fn transfer_policy() -> TransferPolicy {
    content("transfer").and_then(|json| from_json(&json).ok()).unwrap_or_default()
}

/// The absolute form of an address relative to the document.
pub fn absolute(relative: &str) -> String {
    let base = document().base_uri().ok().flatten().unwrap_or_default();
    Url::new_with_base(relative, &base).map_or_else(|_| relative.to_string(), |url| url.href())
}

/// Asks the browser not to clear what is stored here when room gets scarce; some then ask the reader.
pub fn ask_to_keep() {
    let storage = window().navigator().storage();
    // Plain http has none, which the bindings do not know.
    if !storage.is_undefined()
        && let Ok(answer) = storage.persist()
    {
        // What the answer is changes nothing.
        spawn_local(async move { drop(JsFuture::from(answer).await) });
    }
}
