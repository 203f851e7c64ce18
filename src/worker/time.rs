//! Clock, timers, and a way to let the event loop run.

use js_sys::{Array, Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel};

/// Milliseconds between two messages to the page: one frame at 60 Hz.
pub const FRAME_MS: f64 = 1000.0 / 60.0;

/// The worker's global object.
pub fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// How many threads the processor runs at once, as far as the browser says.
pub fn cores() -> u32 {
    scope().navigator().hardware_concurrency() as u32
}

/// Milliseconds on a monotonic clock.
pub fn now() -> f64 {
    scope().performance().map_or(0.0, |performance| performance.now())
}

/// A timer that resolves with `null`, and is cleared when dropped.
struct Timer {
    id: i32,
    promise: Promise,
}

impl Timer {
    fn start(ms: u32) -> Result<Self, JsValue> {
        let mut id = Ok(0);
        let ms = i32::try_from(ms).unwrap_or(i32::MAX);
        let promise = Promise::new(&mut |resolve: Function, _| {
            let resolve: Function = resolve.bind1(&JsValue::UNDEFINED, &JsValue::NULL).unchecked_into();
            id = scope().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, ms);
        });
        Ok(Timer { id: id?, promise })
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        scope().clear_timeout_with_handle(self.id);
    }
}

/// Waits for so many milliseconds.
pub async fn sleep(ms: u32) -> Result<(), JsValue> {
    let timer = Timer::start(ms)?;
    JsFuture::from(timer.promise.clone()).await?;
    Ok(())
}

/// Waits for so many milliseconds, or until the browser says that it is online again. Calls `each` at the beginning and
/// every second.
pub async fn sleep_or_online(ms: u32, each: impl Fn()) -> Result<(), JsValue> {
    const SECOND: u32 = 1000;
    let mut listener = None;
    let online = Promise::new(&mut |resolve: Function, _| listener = Some(OnlineListener::new(resolve)));
    let mut left = ms;
    loop {
        each();
        if within(&online, left.min(SECOND)).await?.is_some() || left <= SECOND {
            return Ok(());
        }
        left -= SECOND;
    }
}

/// Hears that the browser is online again, until this is dropped.
struct OnlineListener(Function);

impl OnlineListener {
    fn new(listener: Function) -> Self {
        // A browser that does not say so waits for its time.
        scope().add_event_listener_with_callback("online", &listener).ok();
        OnlineListener(listener)
    }
}

impl Drop for OnlineListener {
    fn drop(&mut self) {
        scope().remove_event_listener_with_callback("online", &self.0).ok();
    }
}

/// What `promise` resolves with, or `None` if `ms` pass before; it must not resolve with `null`.
pub async fn within(promise: &Promise, ms: u32) -> Result<Option<JsValue>, JsValue> {
    let timer = Timer::start(ms)?;
    let first = Promise::race(&Array::of2(promise, &timer.promise));
    let value = JsFuture::from(first).await?;
    Ok((!value.is_null()).then_some(value))
}

/// Lets the event loop run, by a message to itself. A nested `setTimeout(0)` would take 4 ms.
pub struct Breath(MessageChannel);

impl Breath {
    /// Opens the channel.
    pub fn new() -> Result<Self, JsValue> {
        Ok(Breath(MessageChannel::new()?))
    }

    /// Returns after the messages that have arrived so far were handled.
    pub async fn take(&self) -> Result<(), JsValue> {
        let mut posted = Ok(());
        let answer = Promise::new(&mut |resolve, _| {
            self.0.port1().set_onmessage(Some(&resolve));
            posted = self.0.port2().post_message(&JsValue::NULL);
        });
        posted?;
        JsFuture::from(answer).await?;
        Ok(())
    }
}
