//! A lock that the tabs of this site share, so that only one of them is busy with a model's files.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{AbortController, AbortSignal};

use super::super::time::scope;

#[wasm_bindgen]
extern "C" {
    /// `navigator.locks`, which the bindings count as unstable.
    type LockManager;
    #[wasm_bindgen(method, catch)]
    fn request(this: &LockManager, name: &str, options: &Object, granted: &JsValue) -> Result<Promise, JsValue>;
}

/// Held, or waited for, until it is dropped. Where the browser has no locks there is nothing to hold.
pub struct Lock {
    granted: Promise,
    release: Function,
    abort: AbortController,
}

impl Lock {
    /// The lock of this name, if nobody holds it.
    pub async fn attempt(name: &str) -> Result<Option<Lock>, JsValue> {
        let Some(lock) = Lock::ask(name, true)? else { return Ok(None) };
        let is_granted = lock.granted().await?;
        Ok(is_granted.then_some(lock))
    }

    /// The lock of this name, once it is granted: see [`granted`](Self::granted).
    pub fn wait(name: &str) -> Result<Option<Lock>, JsValue> {
        Lock::ask(name, false)
    }

    /// Whether the browser has locks.
    pub fn are_there() -> bool {
        manager().is_some()
    }

    /// Waits until it is known whether the lock is granted.
    pub async fn granted(&self) -> Result<bool, JsValue> {
        Ok(JsFuture::from(self.granted.clone()).await?.is_truthy())
    }

    fn ask(name: &str, if_available: bool) -> Result<Option<Lock>, JsValue> {
        let Some(manager) = manager() else { return Ok(None) };
        let mut release = None;
        let held = Promise::new(&mut |resolve, _| release = Some(resolve));
        let release = release.ok_or(JsValue::UNDEFINED)?;
        let abort = AbortController::new()?;
        let mut asked = Ok(());
        let granted = Promise::new(&mut |resolve, _| {
            asked = request(&manager, name, if_available, &abort.signal(), &held, resolve)
        });
        asked?;
        Ok(Some(Lock { granted, release, abort }))
    }
}

/// `resolve` hears whether the lock is granted; it is held until `held` resolves.
fn request(
    manager: &LockManager,
    name: &str,
    if_available: bool,
    signal: &AbortSignal,
    held: &Promise,
    resolve: Function,
) -> Result<(), JsValue> {
    let (options, held) = (Object::new(), held.clone());
    match if_available {
        true => Reflect::set(&options, &"ifAvailable".into(), &true.into())?,
        // The two do not go together.
        false => Reflect::set(&options, &"signal".into(), signal)?,
    };
    let callback = Closure::once_into_js(move |lock: JsValue| -> JsValue {
        let is_granted = !lock.is_null();
        drop(resolve.call1(&JsValue::UNDEFINED, &is_granted.into()));
        if is_granted { held.into() } else { JsValue::UNDEFINED }
    });
    let done = manager.request(name, &options, &callback)?;
    // Rejects where the wait is given up, which is no error.
    spawn_local(async move { drop(JsFuture::from(done).await) });
    Ok(())
}

fn manager() -> Option<LockManager> {
    let manager = Reflect::get(&scope().navigator(), &"locks".into()).ok()?;
    (!manager.is_undefined()).then(|| manager.unchecked_into())
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.abort.abort();
        drop(self.release.call0(&JsValue::UNDEFINED));
    }
}
