//! The program of a member that does not lead. It gets its place and what it computes in one message, and does what is
//! ordered until the team ends; then it waits for the next such message.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Promise, Reflect, SharedArrayBuffer};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageEvent;

use super::super::memory_bytes;
use super::super::storage::{FilePiece, SplitFile};
use super::super::time::scope;
use super::memory::Memory;
use super::{LOADED, PAGE, PIECES, READY, TRIAL, trial};
use crate::app::catalog::Shape;
use crate::checkpoint::Model;
use crate::model::{Exchange, Gpt, Member, Share};
use crate::team::{Board, Seat};

thread_local! {
    /// For who panics.
    static SEAT: RefCell<Option<Rc<Seat<Memory>>>> = const { RefCell::new(None) };
}

/// Follows as long as the worker lives.
pub async fn follow(
    serve: impl AsyncFn(&Rc<Seat<Memory>>, Share, &JsValue) -> Result<(), JsValue>,
) -> Result<(), JsValue> {
    std::panic::set_hook(Box::new(|_| SEAT.with_borrow(|seat| seat.iter().for_each(|seat| seat.leave()))));
    loop {
        let message = next_message();
        scope().post_message(&READY.into())?;
        let message = JsFuture::from(message).await?;
        let (seat, share) = take_place(&message)?;
        SEAT.set(Some(Rc::clone(&seat)));
        let outcome = serve(&seat, share, &message).await;
        // Nobody waits for this member, whatever ended it.
        seat.leave();
        outcome?;
    }
}

/// The seat that a message gives, and the share that goes with it.
fn take_place(message: &JsValue) -> Result<(Rc<Seat<Memory>>, Share), JsValue> {
    let get = |name: &str| Reflect::get(message, &name.into());
    let number = |name: &str| Ok::<_, JsValue>(get(name)?.as_f64().unwrap_or(0.0) as usize);
    let board = Board {
        members: number("members")?,
        words: number("words")?,
        capacity: number("capacity")?,
        patience_ms: number("patience")? as f64,
    };
    let buffer: SharedArrayBuffer = get("buffer")?.unchecked_into();
    let member = number("member")?;
    Ok((Rc::new(Seat::new(Memory::of(&buffer, &board), board, member)), Share::new(member, board.members)))
}

/// Computes its share of a model that writes.
pub async fn compute(seat: &Rc<Seat<Memory>>, share: Share, message: &JsValue) -> Result<(), JsValue> {
    let exchange: Box<dyn Exchange> = Box::new(Rc::clone(seat));
    let gpt = part(message, Member::new(share, exchange)).await?;
    let mut cache = gpt.new_cache().map_err(failed)?;
    let note = || seat.note((memory_bytes() / PAGE) as u32);
    note();
    scope().post_message(&LOADED.into())?;
    while let Ok(Some(order)) = seat.next_order() {
        match gpt.follow(&order, &mut cache) {
            Err(error) if !error.is_given_up() => return Err(failed(error)),
            _ => note(),
        }
    }
    Ok(())
}

/// This member's part of what is to be computed.
async fn part(message: &JsValue, member: Member) -> Result<Gpt, JsValue> {
    let sizes = Reflect::get(message, &TRIAL.into())?;
    if !sizes.is_undefined() {
        let sizes: Vec<usize> =
            sizes.unchecked_into::<Array>().iter().map(|size| size.as_f64().unwrap_or(0.0) as usize).collect();
        let [layers, heads, n_embd, n_inner, vocabulary_size] = sizes[..] else { return Err(failed("no shape")) };
        let shape = Shape { layers, heads, n_embd, n_inner, vocabulary_size };
        return trial::model(&trial::reduced(&shape), member).map_err(failed);
    }
    let mut opened = Vec::new();
    for piece in Reflect::get(message, &PIECES.into())?.unchecked_into::<Array>() {
        opened.push(FilePiece::received(&piece).await?);
    }
    let mut file = SplitFile::new(opened)?;
    Model::open_part(&mut file, member).map_err(failed)
}

fn failed(error: impl ToString) -> JsValue {
    js_sys::Error::new(&error.to_string()).into()
}

/// The data of the next message.
fn next_message() -> Promise {
    Promise::new(&mut |resolve, _| {
        let listener = Closure::once_into_js(move |message: MessageEvent| {
            drop(resolve.call1(&JsValue::UNDEFINED, &message.data()));
        });
        scope().set_onmessage(Some(listener.unchecked_ref()));
    })
}
