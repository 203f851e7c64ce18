//! The bridge to the worker: starts it on the first request, holds requests back until it listens, and closes it when
//! it can no longer go on. The request after that starts a new one.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use js_sys::{Array, Function};
use leptos::task::spawn_local;
use leptos::wasm_bindgen::prelude::*;
use serde::Serialize;
use web_sys::{ErrorEvent, MessageEvent, Worker};

use super::js::describe;
use super::release;
use crate::app::protocol::{Event, Program};
use crate::wire::read;

/// Owner of the worker.
pub struct Bridge {
    program: Program,
    /// The engine's program in the release.
    engine: String,
    report: Box<dyn Fn(Event, Array)>,
    worker: RefCell<Option<Running>>,
    /// How often one has been started.
    starts: Cell<u32>,
}

struct Running {
    /// Which start it is of.
    start: u32,
    /// `None` until its files are here.
    worker: Option<Worker>,
    /// Requests made before [`Event::Ready`]; `None` after it.
    held_back: Option<Vec<Array>>,
    on_message: Closure<dyn FnMut(MessageEvent)>,
    on_error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Bridge {
    /// A bridge without a worker yet. A worker that breaks, in whatever way, reports [`Event::Panicked`].
    pub fn new(program: Program, engine: String, report: impl Fn(Event, Array) + 'static) -> Rc<Self> {
        Rc::new(Bridge {
            program,
            engine,
            report: Box::new(report),
            worker: RefCell::default(),
            starts: Cell::default(),
        })
    }

    /// Whether there is a worker, or one on its way.
    pub fn is_open(&self) -> bool {
        self.worker.borrow().is_some()
    }

    /// Ends the worker; the next request starts another.
    pub fn close(&self) {
        if let Some(worker) = self.worker.borrow_mut().take().and_then(|running| running.worker) {
            worker.set_onmessage(None);
            worker.set_onerror(None);
            worker.terminate();
        }
    }

    /// Starts the worker, if there is none.
    pub fn open(self: &Rc<Self>) {
        if self.worker.borrow().is_some() {
            return;
        }
        let start = self.starts.get() + 1;
        self.starts.set(start);
        *self.worker.borrow_mut() = Some(Running::new(self, start));
        let (owner, name) = (Rc::downgrade(self), self.name());
        spawn_local(async move {
            let worker = release::start_worker(&name).await;
            if let Some(bridge) = owner.upgrade() {
                bridge.started(start, worker);
            }
        });
    }

    /// The program's name in the release.
    fn name(&self) -> String {
        match self.program {
            Program::Engine => self.engine.clone(),
            Program::Converter => "converter".to_string(),
            // It has the same two builds.
            Program::Trainer => self.engine.replace("worker", "trainer"),
        }
    }

    /// The worker's files are here, or are not; it may have been closed meanwhile.
    fn started(&self, start: u32, worker: Result<Worker, JsValue>) {
        let mut running = self.worker.borrow_mut();
        let running_now = running.as_mut().filter(|running| running.start == start);
        match (running_now, worker) {
            (Some(running), Ok(worker)) => running.connect(worker),
            (None, Ok(worker)) => worker.terminate(),
            (Some(_), Err(error)) => {
                drop(running);
                self.break_off(describe(&error));
            }
            (None, Err(_)) => {}
        }
    }

    /// Sends a request with the files that it brings, at the latest when the worker listens.
    pub fn send<R: Serialize>(self: &Rc<Self>, request: &R, files: Array) {
        match serde_wasm_bindgen::to_value(request) {
            Ok(request) => self.post(Array::of2(&request, &files)),
            Err(error) => self.break_off(error.to_string()),
        }
    }

    fn post(self: &Rc<Self>, message: Array) {
        self.open();
        let error = match self.worker.borrow_mut().as_mut() {
            None => return,
            Some(Running { held_back: Some(messages), .. }) => {
                messages.push(message);
                return;
            }
            Some(running) => running.post(&message).err(),
        };
        if let Some(error) = error {
            self.break_off(describe(&error));
        }
    }

    fn receive(self: &Rc<Self>, message: &MessageEvent) {
        let parts: Array = message.data().unchecked_into();
        match read(&parts.get(0)) {
            Ok(Event::Panicked { message }) => self.break_off(message),
            Ok(event) => {
                if matches!(event, Event::Ready { .. }) {
                    self.release();
                }
                (self.report)(event, parts.get(1).unchecked_into());
            }
            Err(error) => self.break_off(format!("it sent what is no event: {error}")),
        }
    }

    /// Posts what was held back.
    fn release(self: &Rc<Self>) {
        let requests = self.worker.borrow_mut().as_mut().and_then(|running| running.held_back.take());
        for message in requests.unwrap_or_default() {
            self.post(message);
        }
    }

    fn break_off(&self, message: String) {
        self.close();
        (self.report)(Event::Panicked { message }, Array::new());
    }
}

impl Running {
    fn new(bridge: &Rc<Bridge>, start: u32) -> Self {
        let owner = Rc::downgrade(bridge);
        let on_message = listener(owner.clone(), |bridge, message: MessageEvent| bridge.receive(&message));
        let on_error = listener(owner, |bridge, error: ErrorEvent| {
            error.prevent_default();
            bridge.break_off(error.message());
        });
        let held_back = Some(Vec::new());
        Running { start, worker: None, held_back, on_message, on_error }
    }

    fn connect(&mut self, worker: Worker) {
        worker.set_onmessage(Some(function(&self.on_message)));
        worker.set_onerror(Some(function(&self.on_error)));
        self.worker = Some(worker);
    }

    fn post(&self, message: &Array) -> Result<(), JsValue> {
        self.worker.as_ref().map_or(Ok(()), |worker| worker.post_message(message))
    }
}

fn listener<E: leptos::wasm_bindgen::convert::FromWasmAbi + 'static>(
    owner: Weak<Bridge>,
    handle: impl Fn(&Rc<Bridge>, E) + 'static,
) -> Closure<dyn FnMut(E)> {
    Closure::new(move |event| {
        if let Some(bridge) = owner.upgrade() {
            handle(&bridge, event);
        }
    })
}

fn function<T: ?Sized>(closure: &Closure<T>) -> &Function {
    closure.as_ref().unchecked_ref()
}
