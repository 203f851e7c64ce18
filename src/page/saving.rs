//! Files that the browser stores where the reader stores files.

use std::time::Duration;

use js_sys::Array;
use leptos::prelude::*;
use leptos::wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, BlobPropertyBag, HtmlElement, Url};

/// For how long a file that is being saved is there.
const KEPT: Duration = Duration::from_secs(60);

/// Has the browser store the file at this address.
pub fn download(url: &str, name: &str) {
    let Ok(link) = document().create_element("a") else { return };
    let set = |attribute, value| link.set_attribute(attribute, value).is_ok();
    if set("href", url) && set("download", name) {
        link.unchecked_into::<HtmlElement>().click();
    }
}

/// Has the browser store a file.
pub fn save(blob: &Blob, name: &str) {
    if let Ok(url) = Url::create_object_url_with_blob(blob) {
        download(&url, name);
        // The browser has begun to store it; an address that is none any more is no error.
        set_timeout(move || drop(Url::revoke_object_url(&url)), KEPT);
    }
}

/// Has the browser store a text.
pub fn save_text(text: &str, name: &str) {
    if let Ok(blob) = text_blob(text) {
        save(&blob, name);
    }
}

/// A text as a file.
pub fn text_blob(text: &str) -> Result<Blob, JsValue> {
    let options = BlobPropertyBag::new();
    options.set_type("text/plain;charset=utf-8");
    Blob::new_with_str_sequence_and_options(&Array::of1(&text.into()), &options)
}
