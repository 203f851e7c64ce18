//! The one thing that the page itself fetches: a small text, the catalog.

use std::time::Duration;

use leptos::prelude::{set_timeout, set_timeout_with_handle, window};
use leptos::wasm_bindgen::JsCast;
use leptos::wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, RequestInit, Response};

use super::js::describe;
use crate::app::protocol::TransferPolicy;

enum FetchFailure {
    /// Trying again may help.
    Passing(String),
    /// It will not.
    Lasting(String),
}

/// The text at `url`, if it has this integrity; what failed for a passing reason is tried again. The error is a sentence.
pub async fn text(url: &str, integrity: &str, policy: TransferPolicy) -> Result<String, String> {
    let mut delay = policy.delay_ms;
    for tries_left in (0..policy.tries.max(1)).rev() {
        match once(url, integrity, policy.stall_ms).await {
            Ok(text) => return Ok(text),
            Err(FetchFailure::Passing(_)) if tries_left > 0 => sleep(delay).await,
            Err(FetchFailure::Passing(reason) | FetchFailure::Lasting(reason)) => return Err(reason),
        }
        delay = delay.saturating_mul(2);
    }
    Err(format!("{url} was not fetched."))
}

async fn once(url: &str, integrity: &str, stall_ms: u32) -> Result<String, FetchFailure> {
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
) -> Result<String, FetchFailure> {
    let answer = JsFuture::from(window().fetch_with_str_and_init(url, options)).await.map_err(&unreachable)?;
    let response: Response = answer.dyn_into().map_err(&unreachable)?;
    let status = response.status();
    match status {
        200..=299 => {}
        408 | 429 | 500..=599 => return Err(FetchFailure::Passing(format!("{url} answered with status {status}."))),
        _ => return Err(FetchFailure::Lasting(format!("{url} answered with status {status}."))),
    }
    let text = JsFuture::from(response.text().map_err(&unreachable)?).await.map_err(&unreachable)?;
    Ok(text.as_string().unwrap_or_default())
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
