//! The files of this release: `start.js` knows their names and hashes, and refuses every other file.

use js_sys::Array;
use leptos::wasm_bindgen::prelude::*;

#[wasm_bindgen(js_namespace = peargpt)]
extern "C" {
    /// The path of a file of the site, by its name without a hash.
    #[wasm_bindgen(js_name = pathOf)]
    pub fn path_of(name: &str) -> String;

    /// What `fetch` holds that file against; empty where nothing is known.
    #[wasm_bindgen(js_name = integrityOf)]
    pub fn integrity_of(name: &str) -> String;

    /// What `site.json` says.
    pub fn site() -> JsValue;

    /// Says so above the page where the server has a newer release.
    #[wasm_bindgen(js_name = lookForRelease)]
    pub async fn look_for_release();

    /// Has the service worker keep the server's release, where there is one; now is a time when nothing else is fetched.
    #[wasm_bindgen(js_name = keepRelease)]
    pub async fn keep_release();

    /// The sha256 of `release.json`.
    pub fn release() -> String;

    /// The sha256 of a text; empty where the browser has none, as on pages over plain http.
    pub async fn sha256(text: &str) -> JsValue;

    #[wasm_bindgen(js_name = whyAlone)]
    fn why_alone() -> String;

    /// A bridge to a worker with this program, which is not started yet. `hear` is called with each event and its files.
    #[wasm_bindgen(js_name = bridge)]
    pub fn connect(program: &str, hear: &Closure<dyn Fn(JsValue, Array)>) -> Connection;
}

#[wasm_bindgen]
extern "C" {
    /// The module's end of a bridge, see embed/programs.js.
    pub type Connection;

    /// Whether there is a worker, or one on its way.
    #[wasm_bindgen(method, getter, js_name = isOpen)]
    pub fn is_open(this: &Connection) -> bool;

    /// Starts the worker, if there is none.
    #[wasm_bindgen(method)]
    pub fn open(this: &Connection);

    /// Ends the worker.
    #[wasm_bindgen(method)]
    pub fn close(this: &Connection);

    /// Sends a request and its files.
    #[wasm_bindgen(method)]
    pub fn post(this: &Connection, request: &JsValue, files: &Array);
}

/// Why only one thread can compute, as a sentence; empty where more can.
pub fn why_one_thread() -> String {
    match why_alone() {
        reason if reason.is_empty() => reason,
        reason => format!("One thread: there is no SharedArrayBuffer, since {reason}."),
    }
}
