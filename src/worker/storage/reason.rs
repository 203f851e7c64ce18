//! Why storage failed.

use js_sys::Reflect;
use wasm_bindgen::JsValue;

/// Why storage failed, for people to read.
pub fn reason(error: &JsValue) -> String {
    let text = |name: &str| Reflect::get(error, &name.into()).ok().and_then(|value| value.as_string());
    match (text("name").as_deref(), text("message")) {
        (Some("QuotaExceededError"), _) => "there is not enough room in the browser's storage".to_string(),
        (Some("SecurityError"), _) => "the browser forbids it here".to_string(),
        (Some("NoModificationAllowedError"), _) => "a file of it is open, here or in another tab".to_string(),
        (_, Some(message)) if !message.is_empty() => message,
        (Some(name), _) => name.to_string(),
        _ => format!("{error:?}"),
    }
}
