//! Workers that compute one model together: this one leads, and makes the others. Each is a worker of the same program with
//! a WebAssembly memory of its own; a `SharedArrayBuffer` lies between them.

mod crew;
mod member;
mod memory;
mod trial;

use std::rc::Rc;

use js_sys::{Array, Reflect};
use wasm_bindgen::prelude::*;

pub use self::crew::Crew;
use self::crew::Started;
pub use self::member::compute;
use self::memory::Memory;
pub use self::trial::measure;
use super::storage::{FilePiece, reason};
use super::time::within;
use crate::model::{Config, Exchange, Member, Share};
use crate::team::{Board, Seat};

/// What a member says once it listens, and once it has its part of the model.
const READY: &str = "ready";
pub const LOADED: &str = "loaded";

/// What a member computes: a model in these pieces of a file, or one of this shape and no file.
const PIECES: &str = "pieces";
const TRIAL: &str = "trial";

/// Milliseconds that a member may take to read its part.
const LOAD_MS: u32 = 120_000;

/// Bytes of what a member notes: a page of WebAssembly's memory.
pub const PAGE: u64 = 64 << 10;

/// Whether this worker is one of a team and does not lead: its program is then [`follow`].
pub fn is_member() -> bool {
    given("role").as_string().is_some_and(|role| role == "member")
}

/// The program of such a worker: it takes a place, serves there until the team ends, and waits for the next one.
pub fn follow(serve: impl AsyncFn(&Rc<Place>, Share, &JsValue) -> Result<(), JsValue> + 'static) {
    super::start(member::follow(serve));
}

/// A worker's place at a board.
pub type Place = Seat<Memory>;

/// What embed/programs.js leaves for the program: its compiled module, and what it is to be.
fn given(name: &str) -> JsValue {
    let program = Reflect::get(&js_sys::global(), &"program".into()).unwrap_or(JsValue::UNDEFINED);
    Reflect::get(&program, &name.into()).unwrap_or(JsValue::UNDEFINED)
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

impl Team {
    /// Has so many workers less one, of the crew, read each its part of a model from these pieces. The error says why they
    /// cannot.
    pub async fn form(config: &Config, members: usize, pieces: &[FilePiece], crew: &mut Crew) -> Result<Team, String> {
        let posted = Array::new();
        for piece in pieces {
            posted.push(&piece.posted().await.map_err(|error| reason(&error))?);
        }
        Team::of(Board::new(config, members), (PIECES, &posted), crew).await
    }

    /// The same for a model without a file, to see how long a token takes.
    async fn form_for_trial(config: &Config, members: usize, crew: &mut Crew) -> Result<Team, String> {
        let Config { layers, heads, n_embd, n_inner, vocabulary_size, .. } = *config;
        let sizes = [layers, heads, n_embd, n_inner, vocabulary_size].map(|size| JsValue::from(size as f64));
        Team::of(Board::new(config, members), (TRIAL, &sizes.into_iter().collect::<Array>()), crew).await
    }

    /// Gives the workers of a team at this board what to do, under a name that they know. The error says why they cannot.
    pub async fn of(board: Board, work: (&str, &JsValue), crew: &mut Crew) -> Result<Team, String> {
        let buffer = Memory::buffer(&board).map_err(|error| reason(&error))?;
        let mut workers = crew.take(board.members - 1).await?;
        for (index, worker) in workers.iter_mut().enumerate() {
            worker.assign(&board, &buffer, index + 1, work).map_err(|error| reason(&error))?;
        }
        let seat = Rc::new(Seat::new(Memory::of(&buffer, &board), board, 0));
        Ok(Team { board, seat, workers })
    }

    /// The place of this worker.
    pub fn leader(&self) -> Member {
        Member::new(Share::new(0, self.board.members), self.exchange())
    }

    /// What this worker exchanges with the others.
    pub fn exchange(&self) -> Box<dyn Exchange> {
        Box::new(Rc::clone(&self.seat))
    }

    /// Waits until every worker has its part. The error says why one has not.
    pub async fn loaded(&self) -> Result<(), String> {
        for worker in &self.workers {
            let loaded = within(worker.loaded(), LOAD_MS).await.map_err(|error| reason(&error))?;
            loaded.ok_or("a worker did not read its part of the model")?;
        }
        Ok(())
    }

    /// Has the workers forget their parts, and gives them back.
    pub fn dismiss(mut self, crew: &mut Crew) {
        self.seat.end();
        crew.put(self.workers.drain(..));
    }

    /// Size of the WebAssembly memories of the others, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.seat.notes().map(|pages| u64::from(pages) * PAGE).sum()
    }
}
