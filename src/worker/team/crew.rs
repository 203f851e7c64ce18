//! Workers of this program that wait for what to do.

use js_sys::{Object, Promise, Reflect, SharedArrayBuffer};
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker};

use super::super::storage::reason;
use super::super::time::within;
use super::{LOADED, READY, given};
use crate::team::Board;

/// Milliseconds that a worker may take until it listens.
const START_MS: u32 = 10_000;

/// Workers that have nothing to do.
#[derive(Default)]
pub struct Crew(Vec<Started>);

impl Crew {
    /// So many workers that listen; those that are missing are started. The error says why they cannot.
    pub async fn take(&mut self, count: usize) -> Result<Vec<Started>, String> {
        self.start(count).map_err(|error| reason(&error))?;
        let workers: Vec<Started> = self.0.drain(..count).collect();
        for worker in &workers {
            worker.listens().await?;
        }
        Ok(workers)
    }

    /// Starts as many as will be wanted. Where that fails it fails again in [`take`](Self::take), and is told there.
    pub fn recruit(&mut self, count: usize) {
        drop(self.start(count));
    }

    fn start(&mut self, count: usize) -> Result<(), JsValue> {
        while self.0.len() < count {
            self.0.push(Started::new()?);
        }
        Ok(())
    }

    /// Takes workers back that will listen again.
    pub fn put(&mut self, workers: impl IntoIterator<Item = Started>) {
        self.0.extend(workers);
    }
}

/// A worker, and what it says next. It ends when this is dropped.
pub struct Started {
    worker: Worker,
    /// Resolves when it listens for what to do; rejects when it fails.
    ready: Promise,
    /// Resolves when it has its part; rejects when it fails.
    loaded: Promise,
}

impl Drop for Started {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

impl Started {
    /// A worker of this program.
    fn new() -> Result<Self, JsValue> {
        let location = Reflect::get(&js_sys::global(), &"location".into())?;
        let script = Reflect::get(&location, &"href".into())?.as_string().unwrap_or_default();
        let worker = Worker::new(&script)?;
        let ready = says(&worker, READY);
        let program = Object::new();
        Reflect::set(&program, &"module".into(), &given("module"))?;
        Reflect::set(&program, &"role".into(), &"member".into())?;
        worker.post_message(&program)?;
        Ok(Started { worker, loaded: ready.clone(), ready })
    }

    /// Waits until it listens.
    async fn listens(&self) -> Result<(), String> {
        let ready = within(&self.ready, START_MS).await.map_err(|error| reason(&error))?;
        ready.map(drop).ok_or_else(|| "a worker did not start".to_string())
    }

    /// Gives it a seat at a board: the member of this number, and what it computes, under a name that the member knows.
    pub fn assign(
        &mut self,
        board: &Board,
        buffer: &SharedArrayBuffer,
        member: usize,
        (name, work): (&str, &JsValue),
    ) -> Result<(), JsValue> {
        let message = Object::new();
        let set = |name: &str, value: JsValue| Reflect::set(&message, &name.into(), &value);
        for (name, number) in
            [("member", member), ("members", board.members), ("words", board.words), ("capacity", board.capacity)]
        {
            set(name, (number as f64).into())?;
        }
        set("patience", board.patience_ms.into())?;
        set("buffer", buffer.clone().into())?;
        set(name, work.clone())?;
        (self.ready, self.loaded) = (says(&self.worker, READY), says(&self.worker, LOADED));
        self.worker.post_message(&message)
    }

    /// Resolves when it has its part.
    pub fn loaded(&self) -> &Promise {
        &self.loaded
    }
}

/// Resolves when a worker says this, rejects when it fails.
fn says(worker: &Worker, what: &'static str) -> Promise {
    let promise = Promise::new(&mut |resolve, reject| {
        let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
            if message.data() == what {
                drop(resolve.call1(&JsValue::UNDEFINED, &true.into()));
            }
        });
        let failed = Closure::<dyn FnMut(ErrorEvent)>::new(move |error: ErrorEvent| {
            // Else it is an error of this worker, too, which the page takes for a crash.
            error.prevent_default();
            // A script that does not load gives an event without a message.
            let message = Reflect::get(&error, &"message".into()).ok().and_then(|message| message.as_string());
            let message = message.unwrap_or_else(|| "a worker could not be started".to_string());
            drop(reject.call1(&JsValue::UNDEFINED, &js_sys::Error::new(&message)));
        });
        let [listener, failed] = [listener.into_js_value(), failed.into_js_value()];
        worker.add_event_listener_with_callback("message", listener.unchecked_ref()).ok();
        worker.add_event_listener_with_callback("error", failed.unchecked_ref()).ok();
    });
    // One that nobody waits for yet may fail before.
    let ignored = Closure::<dyn FnMut(JsValue)>::new(|_| ());
    drop(promise.catch(&ignored));
    ignored.forget();
    promise
}
