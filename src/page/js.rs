//! JavaScript's values: errors and JSON.

use leptos::wasm_bindgen::JsValue;
use serde::de::DeserializeOwned;

/// A JavaScript error as text.
pub fn describe(error: &JsValue) -> String {
    let text = js_sys::Object::from(error.clone()).to_string();
    String::from(text)
}

/// What a JSON text says, read by the browser's own reader; an error is a reason, for people to read.
pub fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let value = js_sys::JSON::parse(text).map_err(|error| describe(&error))?;
    serde_wasm_bindgen::from_value(value).map_err(|error| error.to_string())
}
