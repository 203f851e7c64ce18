//! What the browser gives: errors, JSON, events.

use leptos::prelude::{StoredValue, UpdateValue, on_cleanup, request_animation_frame};
use leptos::wasm_bindgen::closure::Closure;
use leptos::wasm_bindgen::convert::FromWasmAbi;
use leptos::wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, ScrollIntoViewOptions, ScrollLogicalPosition};

use super::options::Mounted;
use crate::wire::{Read, read};

/// A JavaScript error as text.
pub fn describe(error: &JsValue) -> String {
    let text = js_sys::Object::from(error.clone()).to_string();
    String::from(text)
}

/// What a JSON text says, read by the browser's own reader; an error is a reason, for people to read.
pub fn from_json<T: Read>(text: &str) -> Result<T, String> {
    let value = js_sys::JSON::parse(text).map_err(|error| describe(&error))?;
    read(&value)
}

/// Scrolls no farther than it takes to show an element, and at once: nothing moves that a reader has asked not to.
pub fn bring_into_view(element: &Element) {
    let options = ScrollIntoViewOptions::new();
    options.set_block(ScrollLogicalPosition::Nearest);
    element.scroll_into_view_with_scroll_into_view_options(&options);
}

/// Shows what a selector finds, once the page is drawn as it is now.
pub fn bring_into_view_soon(mounted: Mounted, selector: &'static str) {
    request_animation_frame(move || {
        if let Some(element) = mounted.find(selector) {
            bring_into_view(&element);
        }
    });
}

/// Hears events of this kind on the page that is being drawn, until its owner is gone.
pub fn listen<E: FromWasmAbi + 'static>(mounted: Mounted, kind: &'static str, hear: impl Fn(E) + 'static) {
    let (target, hear) = (mounted.listener(), Closure::<dyn FnMut(E)>::new(hear));
    target.add_event_listener_with_callback(kind, hear.as_ref().unchecked_ref()).ok();
    let kept = StoredValue::new_local(Some((target, hear)));
    on_cleanup(move || {
        if let Some((target, hear)) = kept.try_update_value(Option::take).flatten() {
            target.remove_event_listener_with_callback(kind, hear.as_ref().unchecked_ref()).ok();
        }
    });
}
