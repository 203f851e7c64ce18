//! A lock that the tabs of this site share, so that only one of them at a time uses a model's files.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, AbortSignal};

use super::super::time::scope;
use super::reason::reason;

#[wasm_bindgen]
extern "C" {
    /// `navigator.locks`, which the bindings count as unstable.
    type LockManager;
    #[wasm_bindgen(method, catch)]
    fn request(this: &LockManager, name: &str, options: &Object, granted: &JsValue) -> Result<Promise, JsValue>;
}

/// A lock that is held or waited for, until this is dropped.
pub struct Lock {
    release: Function,
    abort: AbortController,
    /// Resolves once the lock has been released.
    done: Promise,
}

/// How to ask for a lock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Exclusive, if nobody holds it.
    IfAvailable,
    /// Shared, if nobody holds it exclusively.
    Shared,
    /// Exclusive, once nobody holds it.
    Wait,
}

/// The result of asking for a lock.
pub enum Attempt {
    /// It is held.
    Held(Lock),
    /// Somebody else holds it.
    Taken,
    /// The browser has no locks for this page, as on plain http and in sandboxed frames. The text says why.
    Refused(String),
}

impl Lock {
    /// The lock of this name, if nobody holds it.
    pub async fn attempt(name: &str) -> Attempt {
        Lock::ask(name, Mode::IfAvailable).await
    }

    /// A shared lock of this name, if nobody holds it exclusively.
    pub async fn share(name: &str) -> Attempt {
        Lock::ask(name, Mode::Shared).await
    }

    /// The lock of this name, once nobody else holds it. Dropping the future gives up the wait.
    pub async fn wait(name: &str) -> Attempt {
        Lock::ask(name, Mode::Wait).await
    }

    /// Releases the lock, and returns once others can have it. That takes the browser a moment longer than a drop.
    pub async fn release(self) {
        let done = self.done.clone();
        drop(self);
        // The outcome of the request does not matter any more.
        drop(JsFuture::from(done).await);
    }

    async fn ask(name: &str, mode: Mode) -> Attempt {
        let (lock, answer) = match Lock::begin(name, mode) {
            Ok(begun) => begun,
            Err(error) => return Attempt::Refused(refusal(&error)),
        };
        match JsFuture::from(answer).await {
            Ok(is_granted) if is_granted.is_truthy() => Attempt::Held(lock),
            Ok(_) => Attempt::Taken,
            Err(error) => Attempt::Refused(refusal(&error)),
        }
    }

    /// Asks for a lock. Returns it, perhaps not yet granted, and a promise of whether it is granted.
    fn begin(name: &str, mode: Mode) -> Result<(Lock, Promise), JsValue> {
        let manager = manager().ok_or_else(|| js_sys::Error::new("the browser has none for this page"))?;
        let mut release = None;
        let held = Promise::new(&mut |resolve, _| release = Some(resolve));
        let release = release.ok_or(JsValue::UNDEFINED)?;
        let abort = AbortController::new()?;
        let mut done = Err(JsValue::UNDEFINED);
        let answer = Promise::new(&mut |resolve, reject| {
            done = request(&manager, name, mode, &abort.signal(), &held, (resolve, reject));
        });
        Ok((Lock { release, abort, done: done? }, answer))
    }
}

/// Asks the browser for a lock, which is held until `held` resolves. `resolve` is called with whether it is granted,
/// and `reject` with an error. The promise that is returned resolves after the lock was released.
fn request(
    manager: &LockManager,
    name: &str,
    mode: Mode,
    signal: &AbortSignal,
    held: &Promise,
    (resolve, reject): (Function, Function),
) -> Result<Promise, JsValue> {
    let (options, held) = (Object::new(), held.clone());
    match mode {
        Mode::IfAvailable | Mode::Shared => Reflect::set(&options, &"ifAvailable".into(), &true.into())?,
        // The browser refuses a signal together with `ifAvailable`.
        Mode::Wait => Reflect::set(&options, &"signal".into(), signal)?,
    };
    if mode == Mode::Shared {
        Reflect::set(&options, &"mode".into(), &"shared".into())?;
    }
    let callback = Closure::once_into_js(move |lock: JsValue| -> JsValue {
        let is_granted = !lock.is_null();
        drop(resolve.call1(&JsValue::UNDEFINED, &is_granted.into()));
        if is_granted { held.into() } else { JsValue::UNDEFINED }
    });
    let done = manager.request(name, &options, &callback)?;
    let asked = JsFuture::from(done.clone());
    spawn_local(async move {
        // After a wait was given up, the promise has no listener.
        if let Err(error) = asked.await {
            drop(reject.call1(&JsValue::UNDEFINED, &error));
        }
    });
    Ok(done)
}

fn manager() -> Option<LockManager> {
    let manager = Reflect::get(&scope().navigator(), &"locks".into()).ok()?;
    manager.is_object().then(|| manager.unchecked_into())
}

fn refusal(error: &JsValue) -> String {
    format!("locks between tabs are not to be had here ({})", reason(error).trim_end_matches('.'))
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.abort.abort();
        drop(self.release.call0(&JsValue::UNDEFINED));
    }
}
