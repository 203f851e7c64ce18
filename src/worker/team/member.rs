//! The program of a member that does not lead. It gets its place and the files of the model in one message, reads its rows,
//! and goes through every pass until the worker that made it ends it.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Promise, Reflect, SharedArrayBuffer};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageEvent;

use super::super::storage::{FilePiece, SplitFile};
use super::super::time::scope;
use super::memory::Memory;
use super::{LOADED, READY};
use crate::checkpoint::Model;
use crate::model::{Exchange, Member, Share};
use crate::team::{Board, Seat};

thread_local! {
    /// For who panics.
    static SEAT: RefCell<Option<Rc<Seat<Memory>>>> = const { RefCell::new(None) };
}

/// Follows as long as the worker lives.
pub async fn follow() -> Result<(), JsValue> {
    let message = next_message();
    scope().post_message(&READY.into())?;
    let message = JsFuture::from(message).await?;
    let get = |name: &str| Reflect::get(&message, &name.into());
    let number = |name: &str| Ok::<_, JsValue>(get(name)?.as_f64().unwrap_or(0.0) as usize);
    let board = Board { members: number("members")?, context: number("context")?, capacity: number("capacity")? };
    let buffer: SharedArrayBuffer = get("buffer")?.unchecked_into();
    let member = number("member")?;
    let seat = Rc::new(Seat::new(Memory::of(&buffer, &board), board, member));
    SEAT.set(Some(Rc::clone(&seat)));
    std::panic::set_hook(Box::new(|_| SEAT.with_borrow(|seat| seat.iter().for_each(|seat| seat.leave()))));
    let outcome = serve(&seat, Share::new(member, board.members), get("pieces")?.unchecked_into()).await;
    // Nobody waits for this member, whatever ended it.
    seat.leave();
    outcome
}

async fn serve(seat: &Rc<Seat<Memory>>, share: Share, pieces: Array) -> Result<(), JsValue> {
    let failed = |error: String| JsValue::from(js_sys::Error::new(&error));
    let mut opened = Vec::new();
    for piece in pieces {
        opened.push(FilePiece::received(&piece).await?);
    }
    let model = {
        let mut file = SplitFile::new(opened)?;
        let exchange: Box<dyn Exchange> = Box::new(Rc::clone(seat));
        Model::open_member(&mut file, Member::new(share, exchange)).map_err(|error| failed(error.to_string()))?
    };
    let mut cache = model.gpt.new_cache().map_err(|error| failed(error.to_string()))?;
    scope().post_message(&LOADED.into())?;
    while let Ok(Some(order)) = seat.next_order() {
        match model.gpt.follow(&order, &mut cache) {
            Err(error) if !error.is_given_up() => return Err(failed(error.to_string())),
            _ => {}
        }
    }
    Ok(())
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
