//! The bridge to a worker: embed/programs.js starts it on the first request, holds requests back until it listens, and
//! closes it when it can no longer go on. The request after that starts a new one. Here messages are made and read.

use std::rc::{Rc, Weak};

use js_sys::Array;
use leptos::wasm_bindgen::prelude::*;
use serde::Serialize;

use super::release::{Connection, connect};
use crate::app::protocol::{Event, Program};
use crate::wire::read;

/// Owner of the worker.
pub struct Bridge {
    connection: Connection,
    report: Box<dyn Fn(Event, Array)>,
    /// What the module calls with each event, with its files.
    _hear: Closure<dyn Fn(JsValue, Array)>,
}

impl Bridge {
    /// A bridge without a worker yet; `engine` is the engine's program in the release. A worker that breaks, in whatever
    /// way, reports [`Event::Panicked`].
    pub fn new(program: Program, engine: &str, report: impl Fn(Event, Array) + 'static) -> Rc<Self> {
        Rc::new_cyclic(|owner: &Weak<Bridge>| {
            let owner = owner.clone();
            let hear = Closure::new(move |event, files| {
                if let Some(bridge) = owner.upgrade() {
                    bridge.hear(event, files);
                }
            });
            Bridge { connection: connect(&name(program, engine), &hear), report: Box::new(report), _hear: hear }
        })
    }

    /// Whether there is a worker, or one on its way.
    pub fn is_open(&self) -> bool {
        self.connection.is_open()
    }

    /// Ends the worker; the next request starts another.
    pub fn close(&self) {
        self.connection.close();
    }

    /// Starts the worker, if there is none.
    pub fn open(&self) {
        self.connection.open();
    }

    /// Sends a request with the files that it brings, at the latest when the worker listens.
    pub fn send<R: Serialize>(&self, request: &R, files: Array) {
        match serde_wasm_bindgen::to_value(request) {
            Ok(request) => self.connection.post(&request, &files),
            Err(error) => self.break_off(error.to_string()),
        }
    }

    fn hear(&self, event: JsValue, files: Array) {
        match read(&event) {
            Ok(event) => (self.report)(event, files),
            Err(error) => self.break_off(format!("it sent what is no event: {error}")),
        }
    }

    fn break_off(&self, message: String) {
        self.close();
        (self.report)(Event::Panicked { message }, Array::new());
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.close();
    }
}

/// The program's name in the release.
fn name(program: Program, engine: &str) -> String {
    match program {
        Program::Engine => engine.to_string(),
        Program::Converter => "converter".to_string(),
        // It has the same two builds.
        Program::Trainer => engine.replace("worker", "trainer"),
    }
}
