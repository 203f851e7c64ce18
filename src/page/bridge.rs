//! The bridge to the worker: starts it on the first request, holds requests back until it listens, and closes it when
//! it can no longer go on. The request after that starts a new one.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use js_sys::{Array, Function};
use leptos::wasm_bindgen::prelude::*;
use web_sys::{Blob, BlobPropertyBag, ErrorEvent, MessageEvent, Url, Worker};

use super::js::describe;
use super::meta;
use crate::app::protocol::{Event, Program, Request};

/// Owner of the worker.
pub struct Bridge {
    program: Program,
    report: Box<dyn Fn(Event, Array)>,
    worker: RefCell<Option<Running>>,
}

struct Running {
    worker: Worker,
    /// Requests made before [`Event::Ready`]; `None` after it.
    held_back: Option<Vec<(Request, Array)>>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Bridge {
    /// A bridge without a worker yet. A worker that breaks, in whatever way, reports [`Event::Panicked`].
    pub fn new(program: Program, report: impl Fn(Event, Array) + 'static) -> Rc<Self> {
        Rc::new(Bridge { program, report: Box::new(report), worker: RefCell::default() })
    }

    /// Whether there is a worker.
    pub fn is_open(&self) -> bool {
        self.worker.borrow().is_some()
    }

    /// Ends the worker; the next request starts another.
    pub fn close(&self) {
        if let Some(running) = self.worker.borrow_mut().take() {
            running.end();
        }
    }

    /// Starts the worker, if there is none.
    pub fn open(self: &Rc<Self>) {
        if self.worker.borrow().is_some() {
            return;
        }
        match Running::start(self) {
            Ok(running) => *self.worker.borrow_mut() = Some(running),
            Err(error) => self.tell(Event::Panicked { message: describe(&error) }),
        }
    }

    /// Sends a request with the files that it brings, at the latest when the worker listens.
    pub fn send(self: &Rc<Self>, request: Request, files: Array) {
        self.open();
        let error = match self.worker.borrow_mut().as_mut() {
            None => return,
            Some(Running { held_back: Some(requests), .. }) => {
                requests.push((request, files));
                return;
            }
            Some(running) => running.post(&request, &files).err(),
        };
        if let Some(error) = error {
            self.break_off(describe(&error));
        }
    }

    fn receive(self: &Rc<Self>, message: &MessageEvent) {
        let parts: Array = message.data().unchecked_into();
        match serde_wasm_bindgen::from_value(parts.get(0)) {
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
        for (request, files) in requests.unwrap_or_default() {
            self.send(request, files);
        }
    }

    fn break_off(&self, message: String) {
        self.close();
        self.tell(Event::Panicked { message });
    }

    fn tell(&self, event: Event) {
        (self.report)(event, Array::new());
    }
}

impl Running {
    fn start(bridge: &Rc<Bridge>) -> Result<Self, JsValue> {
        let worker = Worker::new(&script_url(bridge.program)?)?;
        let owner = Rc::downgrade(bridge);
        let on_message = listener(owner.clone(), |bridge, message: MessageEvent| bridge.receive(&message));
        let on_error = listener(owner, |bridge, error: ErrorEvent| {
            error.prevent_default();
            bridge.break_off(error.message());
        });
        worker.set_onmessage(Some(function(&on_message)));
        worker.set_onerror(Some(function(&on_error)));
        Ok(Running { worker, held_back: Some(Vec::new()), _on_message: on_message, _on_error: on_error })
    }

    fn end(self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }

    fn post(&self, request: &Request, files: &Array) -> Result<(), JsValue> {
        self.worker.post_message(&Array::of2(&serde_wasm_bindgen::to_value(request)?, files))
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

/// A worker loaded from a URL of its own would not be bound by the document's policy; one from a blob inherits it. A
/// start that fails is thrown outside the promise, where it becomes the worker's `error` event.
fn script_url(program: Program) -> Result<String, JsValue> {
    let quoted = |file: &str| js_sys::JSON::stringify(&meta::absolute(&format!("{file}?v={}", meta::version())).into());
    let worker = match program {
        Program::Engine => meta::worker(),
        Program::Converter => "converter".to_string(),
    };
    let (script, module) = (quoted(&format!("{worker}.js"))?, quoted(&format!("{worker}_bg.wasm"))?);
    let source = format!(
        "importScripts({script});\n\
         wasm_bindgen({{ module_or_path: {module} }}).catch((error) => setTimeout(() => {{ throw error; }}));\n"
    );
    let options = BlobPropertyBag::new();
    options.set_type("text/javascript");
    let blob = Blob::new_with_str_sequence_and_options(&Array::of1(&source.into()), &options)?;
    Url::create_object_url_with_blob(&blob)
}
