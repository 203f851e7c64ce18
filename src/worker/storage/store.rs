//! The verified files of one model, and a list of all stored models.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::Uint8Array;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::StorageEstimate;

use super::super::time::scope;
use super::folder::Folder;
use super::reason::reason;
use super::split_file::FilePiece;
use crate::app::catalog::Part;
use crate::app::protocol::{Stored, StoredModel};

/// Name of the folder of all models.
const MODELS: &str = "models";
/// Name of the file with the record.
const RECORD: &str = "record.json";

/// The record: the files that make up a whole model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The catalog's title.
    pub title: String,
    /// SHA-256 of the hub's weights that it was converted from. `None` if the site serves the GGUF itself.
    pub made_from: Option<String>,
    /// Slices of the GGUF file, in order.
    pub parts: Vec<Part>,
    /// SHA-256 of the whole GGUF.
    pub sha256: String,
    /// The checksums of each part from when it was verified. Records of earlier versions have none.
    #[serde(default)]
    pub checksums: Vec<Vec<u64>>,
}

/// A file's name in its folder.
fn name(part: &Part) -> String {
    part.sha256.to_ascii_lowercase()
}

/// The files of one model: in storage, or in memory if storage does not take them.
pub struct Store {
    id: String,
    /// The site's root folder, if there is storage.
    root: Option<Folder>,
    /// The model's folder, once it exists.
    folder: RefCell<Option<Folder>>,
    memory: RefCell<BTreeMap<String, Vec<FilePiece>>>,
    /// The checksums of verified files, by name.
    checksums: RefCell<BTreeMap<String, Rc<[u64]>>>,
    /// Why something is in memory.
    obstacle: RefCell<Option<String>>,
    /// Whether the page has been told the reason.
    is_told: Cell<bool>,
}

impl Store {
    /// The files of the model with this id. Creates no folder.
    pub async fn open(id: &str) -> Store {
        let (root, folder, obstacle) = match look(id).await {
            Ok((root, folder)) => (Some(root), folder, None),
            Err(error) => (None, None, Some(reason(&error))),
        };
        Store {
            id: id.to_string(),
            root,
            folder: RefCell::new(folder),
            memory: RefCell::default(),
            checksums: RefCell::default(),
            obstacle: RefCell::new(obstacle),
            is_told: Cell::new(false),
        }
    }

    /// Does not use storage from now on, for this reason.
    pub fn stay_in_memory(&mut self, obstacle: String) {
        self.obstacle.get_mut().get_or_insert(obstacle);
        (self.root, self.folder) = (None, RefCell::default());
    }

    /// The model's folder, if it exists.
    pub fn folder(&self) -> Option<Folder> {
        self.folder.borrow().clone()
    }

    /// The model's folder; created if it does not exist. `None` if it cannot be created.
    pub async fn make_folder(&self) -> Option<Folder> {
        let (None, Some(root)) = (self.folder(), &self.root) else { return self.folder() };
        let made = async { root.folder(MODELS).await?.folder(&self.id).await };
        match made.await {
            Ok(folder) => *self.folder.borrow_mut() = Some(folder),
            Err(error) => self.set_obstacle(reason(&error)),
        }
        self.folder()
    }

    /// Why something is only in memory; `None` if this download has told it already.
    pub fn untold_obstacle(&self) -> Option<String> {
        self.obstacle.borrow().clone().filter(|_| !self.is_told.replace(true))
    }

    /// Begins another download, which has told nothing yet.
    pub fn begin(&self) {
        self.is_told.set(false);
    }

    /// Remembers why something is only in memory.
    pub fn set_obstacle(&self, obstacle: String) {
        *self.obstacle.borrow_mut() = Some(obstacle);
    }

    /// The file with this hash, if it is here and has this length.
    pub async fn pieces(&self, part: &Part) -> Option<Vec<FilePiece>> {
        let name = name(part);
        let in_memory = self.memory.borrow().get(&name).cloned();
        let pieces = match in_memory {
            Some(pieces) => pieces,
            None => vec![FilePiece::File(self.folder()?.file(&name).await?.into(), self.checksums(part))],
        };
        (pieces.iter().map(FilePiece::length).sum::<u64>() == part.bytes).then_some(pieces)
    }

    /// The file with this hash; kept open if it is in storage and can be opened.
    pub async fn open_pieces(&self, part: &Part) -> Option<Vec<FilePiece>> {
        let pieces = self.pieces(part).await?;
        let (Some(folder), [FilePiece::File(_, checksums)]) = (self.folder(), pieces.as_slice()) else {
            return Some(pieces);
        };
        let Some(file) = folder.reader(&name(part)).await else { return Some(pieces) };
        Some(vec![FilePiece::open(file, checksums.clone())])
    }

    /// The checksums of a file that was verified in this visit or an earlier one.
    pub fn checksums(&self, part: &Part) -> Option<Rc<[u64]>> {
        self.checksums.borrow().get(&name(part)).cloned()
    }

    /// Remembers the checksums of a file that has been verified.
    pub fn set_checksums(&self, part: &Part, checksums: Vec<u64>) {
        self.checksums.borrow_mut().insert(name(part), checksums.into());
    }

    /// Accepts the files that the record lists as verified.
    pub fn trust(&self, record: &Record) {
        record.parts.iter().zip(&record.checksums).for_each(|(part, sums)| self.set_checksums(part, sums.clone()));
    }

    /// Forgets which files were verified.
    pub fn distrust(&self) {
        self.checksums.borrow_mut().clear();
    }

    /// Stores a file whose contents have been verified.
    pub async fn keep(&self, part: &Part, bytes: Uint8Array) {
        let stored = match self.make_folder().await {
            Some(folder) => folder.write(&name(part), &bytes).await.map_err(|error| reason(&error)),
            None => return self.keep_in_memory(part, vec![FilePiece::Memory(bytes)]),
        };
        if let Err(obstacle) = stored {
            self.set_obstacle(obstacle);
            self.keep_in_memory(part, vec![FilePiece::Memory(bytes)]);
        }
    }

    /// Keeps a file until the tab closes or another model is loaded.
    pub fn keep_in_memory(&self, part: &Part, pieces: Vec<FilePiece>) {
        self.memory.borrow_mut().insert(name(part), pieces);
    }

    /// Whether any file is only in memory.
    pub fn is_in_memory(&self) -> bool {
        !self.memory.borrow().is_empty()
    }

    /// Removes a damaged file.
    pub async fn discard(&self, part: &Part) {
        let name = name(part);
        self.memory.borrow_mut().remove(&name);
        self.checksums.borrow_mut().remove(&name);
        if let Some(folder) = self.folder() {
            // If it cannot be removed, it will be found damaged again.
            drop(folder.remove(&name).await);
        }
    }

    /// The record, once the whole model was stored.
    pub async fn record(&self) -> Option<Record> {
        serde_json::from_slice(&self.folder()?.read(RECORD).await?).ok()
    }

    /// Writes the record.
    pub async fn set_record(&self, record: &Record) -> Result<(), JsValue> {
        let Some(folder) = self.folder() else { return Ok(()) };
        let json = serde_json::to_vec(record).map_err(|error| js_sys::Error::new(&error.to_string()))?;
        folder.write(RECORD, &Uint8Array::from(json.as_slice())).await
    }

    /// Removes the files that are not part of the whole model.
    pub async fn sweep(&self, record: &Record) -> Result<(), JsValue> {
        let Some(folder) = self.folder() else { return Ok(()) };
        for name in folder.names().await? {
            let is_part = record.parts.iter().any(|part| part.sha256.eq_ignore_ascii_case(&name));
            if !is_part && name != RECORD {
                // A file that is open stays until the next time.
                drop(folder.remove(&name).await);
            }
        }
        Ok(())
    }
}

/// The site's root folder, and in it the folder of the model with this id.
async fn look(id: &str) -> Result<(Folder, Option<Folder>), JsValue> {
    let root = Folder::root().await?;
    let folder = match root.existing(MODELS).await? {
        Some(models) => models.existing(id).await?,
        None => None,
    };
    Ok((root, folder))
}

/// Removes everything stored of a model. Fails if a file is open.
pub async fn forget(id: &str) -> Result<(), JsValue> {
    // Without storage there is nothing to remove.
    let Ok(root) = Folder::root().await else { return Ok(()) };
    match root.existing(MODELS).await? {
        Some(models) => models.remove(id).await,
        None => Ok(()),
    }
}

/// Lists all stored models, and how much room there is.
pub async fn list() -> Stored {
    let root = match Folder::root().await {
        Ok(root) => root,
        Err(error) => return Stored { obstacle: Some(reason(&error)), ..Stored::default() },
    };
    let models = list_models(&root).await.unwrap_or_default();
    let estimate = estimate().await.ok();
    let bytes = |number: fn(&StorageEstimate) -> Option<f64>| Some(number(estimate.as_ref()?)? as u64);
    Stored {
        models,
        usage: bytes(StorageEstimate::get_usage),
        quota: bytes(StorageEstimate::get_quota),
        obstacle: None,
    }
}

async fn list_models(root: &Folder) -> Result<Vec<StoredModel>, JsValue> {
    let mut list = Vec::new();
    let Some(models) = root.existing(MODELS).await? else { return Ok(list) };
    for id in models.names().await? {
        // Another tab may have removed it just now.
        let Some(folder) = models.existing(&id).await? else { continue };
        let mut model = StoredModel { id, title: None, bytes: 0, modified_ms: 0.0 };
        for name in folder.names().await? {
            if let Some(file) = folder.file(&name).await {
                model.bytes += file.size() as u64;
                model.modified_ms = model.modified_ms.max(file.last_modified());
            }
        }
        let record = folder.read(RECORD).await.and_then(|json| serde_json::from_slice::<Record>(&json).ok());
        model.title = record.map(|record| record.title);
        if model.bytes > 0 {
            list.push(model);
        }
    }
    list.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(list)
}

async fn estimate() -> Result<StorageEstimate, JsValue> {
    Ok(JsFuture::from(scope().navigator().storage().estimate()?).await?.into())
}
