//! A lock that the tabs of this site share, so that only one of them is busy with a model's files.

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

/// Held, or waited for, until it is dropped.
pub struct Lock {
    release: Function,
    abort: AbortController,
    /// Resolves once the browser has it back.
    done: Promise,
}

/// How a lock is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Alone, if nobody holds it.
    IfAvailable,
    /// With others, if nobody holds it alone.
    Shared,
    /// Alone, once nobody holds it.
    Wait,
}

/// What came of asking for a lock.
pub enum Attempt {
    /// It is held.
    Held(Lock),
    /// Somebody else holds it.
    Taken,
    /// There are none here, as on plain http and in frames that are shut off from their site; why, for people to read.
    Refused(String),
}

impl Lock {
    /// The lock of this name, if nobody holds it.
    pub async fn attempt(name: &str) -> Attempt {
        Lock::ask(name, Mode::IfAvailable).await
    }

    /// The lock of this name together with others who share it, if nobody holds it alone.
    pub async fn share(name: &str) -> Attempt {
        Lock::ask(name, Mode::Shared).await
    }

    /// The lock of this name, once nobody else holds it; asked for until this is dropped.
    pub async fn wait(name: &str) -> Attempt {
        Lock::ask(name, Mode::Wait).await
    }

    /// Gives it back; returns once others can have it, which takes the browser a moment longer than a drop.
    pub async fn release(self) {
        let done = self.done.clone();
        drop(self);
        // Nothing depends on how it ended.
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

    /// The lock, which may yet have to be waited for, and the answer: whether it is granted, or an error.
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

/// `resolve` hears whether the lock is granted, which is held until `held` resolves; `reject` hears why nobody says so.
/// What is returned resolves when all that is over.
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
        // The two do not go together.
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
        // Where the wait is given up nobody listens any more.
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
