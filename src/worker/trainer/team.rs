//! Several workers that learn together: each has the whole run in a memory of its own, see [`crate::train`].

use std::io::BufWriter;
use std::rc::Rc;

use js_sys::{Array, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::Blob;

use super::super::blob::BlobFile;
use super::super::memory_bytes;
use super::super::storage::{MemoryFile, reason};
use super::super::team::{Crew, LOADED, PAGE, Place, Team, is_possible};
use super::super::time::{cores, scope};
use super::text::Text;
use crate::app::threads::MOST;
use crate::model::Share;
use crate::team::Board;
use crate::train::Run;

/// What a member learns: the text and the run, as files.
const LEARN: &str = "learn";
/// Bytes that are written at once.
const WRITTEN: usize = 1 << 20;

/// How many workers learn where the reader has not said.
pub fn members(wanted: Option<u32>) -> usize {
    let members = wanted.unwrap_or_else(|| cores().min(MOST)).max(1) as usize;
    if is_possible() { members } else { 1 }
}

/// Has so many workers go on with a run, this one among them. `None` where one is enough; the error says why others cannot.
pub async fn form(run: &mut Run, text: &Text, members: usize, crew: &mut Crew) -> Result<Option<Team>, String> {
    let settings = &run.recipe().settings;
    // More than there are leaves would only wait.
    let members = members.min(settings.batch.div_ceil(settings.leaf));
    if members == 1 {
        return Ok(None);
    }
    let mut file = MemoryFile::default();
    run.save(&mut BufWriter::with_capacity(WRITTEN, &mut file)).map_err(|error| error.to_string())?;
    let saved = file.into_blob().map_err(|error| reason(&error))?;
    let board = Board::for_training(run.config(), members);
    let team = Team::of(board, (LEARN, &Array::of2(&text.blob, &saved)), crew).await?;
    team.loaded().await?;
    run.join(Share::new(0, members), team.exchange()).map_err(|error| error.to_string())?;
    Ok(Some(team))
}

/// The program of a member that does not lead.
pub async fn learn(place: &Rc<Place>, share: Share, message: &JsValue) -> Result<(), JsValue> {
    let files: Array = Reflect::get(message, &LEARN.into())?.unchecked_into();
    let text = Text::read(files.get(0).unchecked_into()).await.map_err(failed)?;
    let saved: Blob = files.get(1).unchecked_into();
    let mut run = text.resume(&mut BlobFile::open(saved)?, share).map_err(failed)?;
    drop(text);
    run.join(share, Box::new(Rc::clone(place))).map_err(failed)?;
    let note = || place.note((memory_bytes() / PAGE) as u32);
    note();
    scope().post_message(&LOADED.into())?;
    while let Ok(Some(order)) = place.next_order() {
        run.follow(&order).map_err(failed)?;
        note();
    }
    Ok(())
}

fn failed(error: impl ToString) -> JsValue {
    js_sys::Error::new(&error.to_string()).into()
}
