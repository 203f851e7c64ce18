//! The model that is open, written into the browser's storage.

use wasm_bindgen::JsValue;

use super::super::channel::Channel;
use super::super::held_weights::attempt;
use super::super::storage::{Attempt, Record, Store, forget, reason};
use super::written::{Checked, write_out};
use crate::app::catalog::Part;
use crate::app::own::NAME;
use crate::app::protocol::ModelSummary;
use crate::checkpoint::Model;
use crate::checkpoint::export;

/// Name of the file while it is being written.
const NEW: &str = "model.new";

/// Stores a model under its hash; the error is a sentence.
pub async fn keep(channel: &Channel, model: &Model, summary: &ModelSummary, title: String) -> Result<(), String> {
    let kept = match attempt(&summary.id).await {
        Attempt::Held(lock) => {
            let kept = keep_alone(channel, model, summary, title).await;
            lock.release().await;
            kept
        }
        Attempt::Taken => Err("another tab is busy with it; try again when that is done".to_string()),
        // Where there is no storage either, that is what the reader should know.
        Attempt::Refused(reason) => Err(Store::open(&summary.id).await.untold_obstacle().unwrap_or(reason)),
    };
    kept.map_err(|reason| format!("The model is not kept: {}.", reason.trim_end_matches('.')))
}

/// The same while no other tab writes the model's files. Where it fails, nothing is left of it.
async fn keep_alone(channel: &Channel, model: &Model, summary: &ModelSummary, title: String) -> Result<(), String> {
    let store = Store::open(&summary.id).await;
    let kept = write(channel, &store, model, title).await;
    if kept.is_err() {
        // What cannot be removed is written over by the next attempt.
        match (store.record().await, store.folder()) {
            (Some(_), Some(folder)) => drop(folder.remove(NEW).await),
            _ => drop(forget(&summary.id).await),
        }
    }
    kept
}

async fn write(channel: &Channel, store: &Store, model: &Model, title: String) -> Result<(), String> {
    let failed = |error: JsValue| reason(&error);
    let Some(folder) = store.make_folder().await else { return Err(store.untold_obstacle().unwrap_or_default()) };
    let plan = export::gguf(model, NAME, None).map_err(|error| error.to_string())?;
    let bytes = plan.length();
    let mut file = folder.open(NEW).await.map_err(failed)?;
    file.set_length(bytes).map_err(|error| error.to_string())?;
    let mut file = Checked::new(file);
    write_out(channel, plan, model, &mut file, |_| ()).await.map_err(|error| {
        error.map_or("something else was asked for meanwhile".to_string(), |error| error.to_string())
    })?;
    let (sha256, checksums) = file.finish();
    folder.rename(NEW, &sha256).await.map_err(failed)?;
    let part = Part { url: String::new(), bytes, sha256: sha256.clone() };
    let record = Record { title, made_from: None, parts: vec![part], sha256, checksums: vec![checksums] };
    store.set_record(&record).await.map_err(failed)?;
    store.sweep(&record).await.map_err(failed)
}
