//! The site: the page as its own document mounts it.

use leptos::prelude::*;
use leptos::wasm_bindgen::{JsCast, throw_str};
use web_sys::{HtmlElement, HtmlLinkElement, HtmlMetaElement};

use super::app::mount;
use super::js::from_json;
use super::options::{Options, Router};
use super::release::site;
use crate::app::site::Site;
use crate::wire::read;

/// Draws the page where the document says that it is starting.
pub fn start() {
    console_error_panic_hook::set_once();
    match element::<HtmlElement>("app") {
        Some(root) => mount(root, options()).forget(),
        None => leptos::logging::error!("the document has no element #app"),
    }
}

/// What the document says. Tests write a faster way of transfer into it, and start.js the worker's program.
fn options() -> Options {
    Options {
        base: document().base_uri().ok().flatten().unwrap_or_default(),
        site: described(),
        router: Router::AddressBar,
        storage: window().local_storage().ok().flatten(),
        session: window().session_storage().ok().flatten(),
        listener: Some(window().unchecked_into()),
        dark: element::<HtmlLinkElement>("dark"),
        engine: content("worker").unwrap_or_default(),
        threads: content("threads").and_then(|number| number.parse().ok()),
        transfer: content("transfer").and_then(|json| from_json(&json).ok()).unwrap_or_default(),
        prefix: String::new(),
    }
}

/// What site.json says. start.js tells what is wrong with it.
fn described() -> Site {
    let described = read(&site());
    described.unwrap_or_else(|error| throw_str(&format!("site.json does not describe a site: {error}")))
}

fn element<T: JsCast>(id: &str) -> Option<T> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

fn content(name: &str) -> Option<String> {
    let element = document().query_selector(&format!("meta[name='peargpt:{name}']")).ok()??;
    Some(element.dyn_into::<HtmlMetaElement>().ok()?.content())
}
