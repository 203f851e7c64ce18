//! The files of this release: `start.js` knows their names and hashes, and refuses every other file.

use leptos::wasm_bindgen::prelude::*;
use web_sys::Worker;

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

    /// The SHA-256 of `release.json`.
    #[wasm_bindgen(js_name = releaseHash)]
    pub fn release_hash() -> String;

    /// Says so above the page where the server has a newer release.
    #[wasm_bindgen(js_name = lookForRelease)]
    pub async fn look_for_release();

    /// Has the service worker keep the server's release, where there is one; now is a time when nothing else is fetched.
    #[wasm_bindgen(js_name = keepRelease)]
    pub async fn keep_release();

    #[wasm_bindgen(js_name = whyAlone)]
    fn why_alone() -> String;

    #[wasm_bindgen(js_name = startWorker, catch)]
    async fn start_worker_of(program: &str) -> Result<JsValue, JsValue>;
}

/// Why only one thread can compute, as a sentence; empty where more can.
pub fn why_one_thread() -> String {
    match why_alone() {
        reason if reason.is_empty() => reason,
        reason => format!("One thread: there is no SharedArrayBuffer, since {reason}."),
    }
}

/// Starts a worker's program, `worker` or `converter`; an error says what could not be had.
pub async fn start_worker(program: &str) -> Result<Worker, JsValue> {
    let started = start_worker_of(program).await;
    started.map(JsCast::unchecked_into).map_err(|error| js_sys::Error::from(error).message().into())
}
