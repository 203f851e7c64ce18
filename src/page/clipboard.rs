//! Copying. Over plain http, as in class rooms, a page has no clipboard; then the text is selected for the reader.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

/// How long a button says that it has copied.
const CONFIRMATION: Duration = Duration::from_millis(2000);

/// What has become of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// Nothing was copied lately.
    Not,
    /// It is in the clipboard.
    Yes,
    /// There is no clipboard; it is selected instead.
    Selected,
}

/// Copies `text`; where that is not possible, calls `select`.
pub fn copy(text: String, copied: RwSignal<Copied>, select: impl FnOnce() + 'static) {
    spawn_local(async move {
        if write(&text).await.is_ok() {
            copied.set(Copied::Yes);
            set_timeout(move || copied.set(Copied::Not), CONFIRMATION);
        } else {
            copied.set(Copied::Selected);
            select();
        }
    });
}

async fn write(text: &str) -> Result<(), JsValue> {
    let navigator = window().navigator();
    if js_sys::Reflect::get(&navigator, &"clipboard".into())?.is_undefined() {
        return Err(JsValue::from_str("no clipboard"));
    }
    JsFuture::from(navigator.clipboard().write_text(text)).await.map(drop)
}
