//! Workers that compute one model together: this one leads, and makes the others. Each is a worker of the same program with
//! a WebAssembly memory of its own; a `SharedArrayBuffer` lies between them.

mod member;
mod memory;

use std::rc::Rc;

use js_sys::{Array, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker};

use self::memory::Memory;
use super::storage::{FilePiece, reason};
use super::time::within;
use crate::model::{Config, Member, Share};
use crate::team::{Board, Seat};

/// What a member says once it listens, and once it has its part of the model.
const READY: &str = "ready";
const LOADED: &str = "loaded";

/// Milliseconds that a member may take to start.
const START_MS: u32 = 10_000;
/// Milliseconds that it may take to read its part.
const LOAD_MS: u32 = 120_000;

/// Whether this worker is one of a team and does not lead: its program is then [`follow`].
pub fn is_member() -> bool {
    role().as_string().is_some_and(|role| role == "member")
}

/// The program of such a worker.
pub fn follow() {
    super::start(member::follow());
}

/// What `start.js` leaves for the program: its compiled module, and what it is to be.
fn given(name: &str) -> JsValue {
    let program = Reflect::get(&js_sys::global(), &"program".into()).unwrap_or(JsValue::UNDEFINED);
    Reflect::get(&program, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

fn role() -> JsValue {
    given("role")
}

/// Whether workers can share memory here.
pub fn is_possible() -> bool {
    Reflect::has(&js_sys::global(), &"SharedArrayBuffer".into()).unwrap_or(false)
}

/// The workers that compute with this one. They end when this is dropped.
pub struct Team {
    board: Board,
    seat: Rc<Seat<Memory>>,
    workers: Vec<Started>,
}

impl Drop for Team {
    fn drop(&mut self) {
        // Chromium ends a worker that sleeps in its own time only.
        self.seat.end();
    }
}

/// A worker, and what it has said.
struct Started {
    worker: Worker,
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

impl Team {
    /// Starts so many workers less one, and has each read its part of a model from these pieces. The error says why it
    /// cannot.
    pub async fn form(config: &Config, members: usize, pieces: &[FilePiece]) -> Result<Team, String> {
        let failed = |error: JsValue| reason(&error);
        let board = Board::new(config, members);
        let buffer = Memory::buffer(&board).map_err(failed)?;
        let posted = Array::new();
        for piece in pieces {
            posted.push(&piece.posted().await.map_err(failed)?);
        }
        let starts: Result<Vec<_>, _> = (1..members).map(|_| start()).collect();
        let mut workers = Vec::new();
        for (index, (started, ready)) in starts.map_err(failed)?.into_iter().enumerate() {
            within(&ready, START_MS).await.map_err(failed)?.ok_or("a worker did not start")?;
            let message = Object::new();
            let set = |name: &str, value: JsValue| Reflect::set(&message, &name.into(), &value);
            for (name, number) in [
                ("member", index + 1),
                ("members", board.members),
                ("context", board.context),
                ("capacity", board.capacity),
            ] {
                set(name, (number as f64).into()).map_err(failed)?;
            }
            set("buffer", buffer.clone().into()).map_err(failed)?;
            set("pieces", posted.clone().into()).map_err(failed)?;
            started.worker.post_message(&message).map_err(failed)?;
            workers.push(started);
        }
        let seat = Rc::new(Seat::new(Memory::of(&buffer, &board), board, 0));
        Ok(Team { board, seat, workers })
    }

    /// The place of this worker.
    pub fn leader(&self) -> Member {
        Member::new(Share::new(0, self.board.members), Box::new(Rc::clone(&self.seat)))
    }

    /// Waits until every worker has its part. The error says why one has not.
    pub async fn loaded(&self) -> Result<(), String> {
        for started in &self.workers {
            let loaded = within(&started.loaded, LOAD_MS).await.map_err(|error| reason(&error))?;
            loaded.ok_or("a worker did not read its part of the model")?;
        }
        Ok(())
    }
}

/// A worker of this program, and a promise that it listens.
fn start() -> Result<(Started, Promise), JsValue> {
    let location = Reflect::get(&js_sys::global(), &"location".into())?;
    let script = Reflect::get(&location, &"href".into())?.as_string().unwrap_or_default();
    let worker = Worker::new(&script)?;
    let says = |what: &'static str| {
        Promise::new(&mut |resolve, reject| {
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
        })
    };
    let (ready, loaded) = (says(READY), says(LOADED));
    // One that nobody waits for yet may fail before.
    let ignored = Closure::<dyn FnMut(JsValue)>::new(|_| ());
    for promise in [&ready, &loaded] {
        drop(promise.catch(&ignored));
    }
    ignored.forget();
    let program = Object::new();
    Reflect::set(&program, &"module".into(), &given("module"))?;
    Reflect::set(&program, &"role".into(), &"member".into())?;
    worker.post_message(&program)?;
    Ok((Started { worker, loaded }, ready))
}
