//! What the document says of itself: its version, its address, how fetches are tried again.

use leptos::prelude::document;
use leptos::wasm_bindgen::JsCast;
use web_sys::{HtmlMetaElement, Url};

use crate::protocol::RetryPolicy;

fn content(name: &str) -> Option<String> {
    let element = document().query_selector(&format!("meta[name='peargpt:{name}']")).ok()??;
    Some(element.dyn_into::<HtmlMetaElement>().ok()?.content())
}

/// The build's version; it stands in the worker's address, so that a deploy never mixes old and new files.
pub fn version() -> String {
    content("version").unwrap_or_default()
}

/// When a fetch is tried again; tests write a faster one into the document.
pub fn retry_policy() -> RetryPolicy {
    content("retry").and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()
}

/// The absolute form of an address relative to the document.
pub fn absolute(relative: &str) -> String {
    let base = document().base_uri().ok().flatten().unwrap_or_default();
    Url::new_with_base(relative, &base).map_or_else(|_| relative.to_string(), |url| url.href())
}
