//! What the page itself fetches: the catalog, a text to learn, a model to fine-tune.

use std::time::Duration;

use leptos::prelude::{set_timeout, set_timeout_with_handle, window};
use leptos::wasm_bindgen::JsCast;
use leptos::wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Blob, RequestInit, Response};

use super::js::describe;
use crate::app::protocol::TransferPolicy;

enum FetchFailure {
    /// Trying again may help.
    Passing(String),
    /// It will not.
    Lasting(String),
}

/// How many times longer a file may take than a small text: it may be ten megabytes.
const LONGER: u32 = 30;

/// The text at `url`, if it has this integrity; what failed for a passing reason is tried again. The error is a sentence.
pub async fn text(url: &str, integrity: &str, policy: TransferPolicy) -> Result<String, String> {
    let text = JsFuture::from(file(url, integrity, policy).await?.text()).await;
    Ok(text.ok().and_then(|text| text.as_string()).unwrap_or_default())
}

/// The same for a file with this SHA-256, in hex.
pub async fn blob(url: &str, sha256: &str, policy: TransferPolicy) -> Result<Blob, String> {
    let byte = |index: usize| u8::from_str_radix(sha256.get(index..index + 2)?, 16).ok().map(char::from);
    let bytes: String = (0..sha256.len()).step_by(2).filter_map(byte).collect();
    let integrity = window().btoa(&bytes).map(|base64| format!("sha256-{base64}")).unwrap_or_default();
    file(url, &integrity, TransferPolicy { stall_ms: policy.stall_ms.saturating_mul(LONGER), ..policy }).await
}

async fn file(url: &str, integrity: &str, policy: TransferPolicy) -> Result<Blob, String> {
    let mut delay = policy.delay_ms;
    for tries_left in (0..policy.tries.max(1)).rev() {
        match once(url, integrity, policy.stall_ms).await {
            Ok(file) => return Ok(file),
            Err(FetchFailure::Passing(_)) if tries_left > 0 => sleep(delay).await,
            Err(FetchFailure::Passing(reason) | FetchFailure::Lasting(reason)) => return Err(reason),
        }
        delay = delay.saturating_mul(2);
    }
    Err(format!("{url} was not fetched."))
}

async fn once(url: &str, integrity: &str, stall_ms: u32) -> Result<Blob, FetchFailure> {
    let unreachable =
        |error: JsValue| FetchFailure::Passing(format!("{url} could not be fetched ({}).", describe(&error)));
    let abort = AbortController::new().map_err(unreachable)?;
    let options = RequestInit::new();
    options.set_signal(Some(&abort.signal()));
    options.set_integrity(integrity);
    let stall = Duration::from_millis(stall_ms.into());
    let stalled = set_timeout_with_handle(move || abort.abort(), stall).map_err(unreachable)?;
    let result = read(url, &options, unreachable).await;
    stalled.clear();
    result
}

async fn read(
    url: &str,
    options: &RequestInit,
    unreachable: impl Fn(JsValue) -> FetchFailure,
) -> Result<Blob, FetchFailure> {
    let answer = JsFuture::from(window().fetch_with_str_and_init(url, options)).await.map_err(&unreachable)?;
    let response: Response = answer.dyn_into().map_err(&unreachable)?;
    let status = response.status();
    match status {
        200..=299 => {}
        408 | 429 | 500..=599 => return Err(FetchFailure::Passing(format!("{url} answered with status {status}."))),
        _ => return Err(FetchFailure::Lasting(format!("{url} answered with status {status}."))),
    }
    let file = JsFuture::from(response.blob().map_err(&unreachable)?).await.map_err(&unreachable)?;
    Ok(file.unchecked_into())
}

/// Waits.
pub async fn sleep(milliseconds: u32) {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        let wake = move || drop(resolve.call0(&JsValue::UNDEFINED));
        set_timeout(wake, Duration::from_millis(milliseconds.into()));
    });
    // A promise that is only ever resolved has no error.
    JsFuture::from(promise).await.ok();
}
