//! Stores a model of the reader's own permanently.

use wasm_bindgen::JsValue;
use web_sys::Blob;

use super::super::blob::BlobFile;
use super::super::channel::BackgroundRequests;
use super::super::held_weights::attempt;
use super::super::storage::{Attempt, Folder, Record, Store, Unkept, forget, reason};
use super::output::Checked;
use crate::app::catalog::Part;
use crate::app::protocol::{FileLocation, GgufFile, ModelFile};

/// Name of the file while it is being written.
const NEW: &str = "model.new";

/// Stores a model under its hash; the error is a sentence.
pub async fn keep(
    background: &BackgroundRequests,
    title: String,
    model: Option<ModelFile>,
    blob: Option<Blob>,
) -> Result<GgufFile, String> {
    let Some(ModelFile::Gguf(file)) = model else { return Err("Only a model of your own can be kept.".to_string()) };
    let file = GgufFile { title, ..file };
    let kept = match attempt(&file.id).await {
        Attempt::Held(lock) => {
            let kept = keep_alone(background, &file, blob).await;
            lock.release().await;
            kept
        }
        Attempt::Taken => Err("another tab is busy with it; try again when that is done".to_string()),
        // If there is no storage either, the error says that.
        Attempt::Refused(reason) => Err(Store::open(&file.id).await.untold_obstacle().unwrap_or(reason)),
    };
    match kept {
        Ok(()) => Ok(GgufFile { location: FileLocation::Kept, ..file }),
        Err(reason) => Err(format!("The model is not kept: {}.", reason.trim_end_matches('.'))),
    }
}

/// Stores the model while the lock is held. Removes everything if that fails.
async fn keep_alone(background: &BackgroundRequests, file: &GgufFile, blob: Option<Blob>) -> Result<(), String> {
    let store = Store::open(&file.id).await;
    let kept = store_file(background, &store, file, blob).await;
    if kept.is_err() {
        // The next attempt overwrites what cannot be removed.
        match (store.record().await, store.folder()) {
            (Some(_), Some(folder)) => drop(folder.remove(NEW).await),
            _ => drop(forget(&file.id).await),
        }
    }
    kept
}

async fn store_file(
    background: &BackgroundRequests,
    store: &Store,
    file: &GgufFile,
    blob: Option<Blob>,
) -> Result<(), String> {
    let failed = |error: JsValue| reason(&error);
    let Some(folder) = store.make_folder().await else { return Err(store.untold_obstacle().unwrap_or_default()) };
    match (&file.location, blob) {
        (FileLocation::Unkept(name), _) => {
            let gone = || "its file has been removed; open it once more".to_string();
            let unkept = Unkept::find(name).await.ok_or_else(gone)?;
            unkept.keep(&folder, &file.sha256).await.map_err(failed)?;
        }
        (FileLocation::Message, Some(blob)) => copy(background, &folder, file, blob).await?,
        (FileLocation::Message, None) => return Err("its file is gone; open it once more".to_string()),
        (FileLocation::Kept, _) => {}
    }
    let GgufFile { title, bytes, sha256, checksums, .. } = file.clone();
    let part = Part { url: String::new(), bytes, sha256: sha256.clone() };
    let record = Record { title, made_from: None, parts: vec![part], sha256, checksums: vec![checksums] };
    store.set_record(&record).await.map_err(failed)?;
    store.sweep(&record).await.map_err(failed)
}

/// Copies the file. Fails unless it still has the hash that it had when the model was opened.
async fn copy(background: &BackgroundRequests, folder: &Folder, file: &GgufFile, blob: Blob) -> Result<(), String> {
    let failed = |error: JsValue| reason(&error);
    let mut reader = BlobFile::open(blob).map_err(failed)?;
    let mut stored = folder.open(NEW).await.map_err(failed)?;
    stored.set_length(file.bytes).map_err(|error| error.to_string())?;
    let (mut checked, mut buffer) = (Checked::new(stored), vec![0; 1 << 20]);
    loop {
        match std::io::Read::read(&mut reader, &mut buffer).map_err(|error| error.to_string())? {
            0 => break,
            count => std::io::Write::write_all(&mut checked, &buffer[..count]).map_err(|error| error.to_string())?,
        }
        background.breathe().await;
    }
    let (stored, sha256, _) = checked.finish();
    drop(stored); // closed, since an open file cannot be renamed
    if sha256 != file.sha256 {
        return Err("its file has changed since it was opened; open it once more".to_string());
    }
    folder.rename(NEW, &sha256).await.map_err(failed)
}
