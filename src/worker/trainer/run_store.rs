//! Where a run is kept while it learns: in the browser's storage, under a lock that all tabs share, or in this tab's memory.
//!
//! The folder `train/` holds one run: its `text`, its state in `run-0` and `run-1` in turn, and `note.json`, which says which
//! of the two is the newest and what the page shows of it. The lock keeps browsers from freezing the tab, too.

use std::io::{BufReader, BufWriter, Seek};

use js_sys::Uint8Array;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use web_sys::Blob;

use super::super::storage::{Attempt, Folder, Lock, MemoryFile, reason};
use super::text::{Text, sentence};
use crate::app::protocol::{Sample, StoredRun};
use crate::app::training::TrainSettings;
use crate::model::Share;
use crate::train::Run;

const FOLDER: &str = "train";
const LOCK: &str = "peargpt:train";
const TEXT: &str = "text";
const NOTE: &str = "note.json";
/// A state while it is being written.
const NEW: &str = "run.new";
const STATES: [&str; 2] = ["run-0", "run-1"];
/// Bytes that are written at once.
const WRITTEN: usize = 1 << 20;

/// What is known of a run beside its state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Note {
    /// The text's name.
    pub title: String,
    /// What was chosen.
    pub settings: TrainSettings,
    /// What the model wrote.
    pub samples: Vec<Sample>,
    /// Steps taken, and steps there are.
    pub steps: (u64, u64),
    /// Which state is the newest.
    state: usize,
}

impl Note {
    /// Of a run that has no state yet.
    pub fn new(title: String, settings: TrainSettings, steps: u64) -> Self {
        Note { title, settings, samples: Vec::new(), steps: (0, steps), state: 1 }
    }
}

/// The place of one run.
pub struct RunStore {
    place: Place,
    /// Why it is in memory.
    obstacle: Option<String>,
    lock: Option<Lock>,
}

enum Place {
    Storage(Folder),
    Memory(Option<MemoryFile>),
}

impl RunStore {
    /// The place of a run that begins, or goes on.
    pub async fn open() -> Self {
        let failed = |error: JsValue| reason(&error);
        let opened = async { Folder::root().await.map_err(failed)?.folder(FOLDER).await.map_err(failed) };
        let (place, obstacle, lock) = match (Lock::attempt(LOCK).await, opened.await) {
            (Attempt::Held(lock), Ok(folder)) => (Place::Storage(folder), None, Some(lock)),
            (Attempt::Held(lock), Err(reason)) => (Place::Memory(None), Some(reason), Some(lock)),
            (Attempt::Taken, _) => (Place::Memory(None), Some("another tab is training".to_string()), None),
            (Attempt::Refused(_), Err(reason)) | (Attempt::Refused(reason), _) => {
                (Place::Memory(None), Some(reason), None)
            }
        };
        RunStore { place, obstacle, lock }
    }

    /// Returns once others can have the place.
    pub async fn close(self) {
        if let Some(lock) = self.lock {
            lock.release().await;
        }
    }

    /// Why the run lives in this tab only, as a sentence.
    pub fn obstacle(&self) -> Option<String> {
        let reason = self.obstacle.as_ref()?.trim_end_matches('.');
        Some(format!("This run lives in this tab only and is lost with it: {reason}."))
    }

    /// The note of the run that is stored.
    async fn note(&self) -> Option<Note> {
        let Place::Storage(folder) = &self.place else { return None };
        serde_json::from_slice(&folder.read(NOTE).await?).ok()
    }

    /// The run that is stored.
    pub async fn look(&self) -> Option<StoredRun> {
        let Note { title, steps: (step, steps), .. } = self.note().await?;
        Some(StoredRun { title, step, steps })
    }

    /// Puts the text where its run will be, in the place of another run. The error is a sentence.
    pub async fn begin(&mut self, text: &Blob) -> Result<(), String> {
        self.discard().await?;
        let Place::Storage(folder) = &self.place else { return Ok(()) };
        let stored = async {
            let bytes = wasm_bindgen_futures::JsFuture::from(text.array_buffer()).await?;
            folder.write(TEXT, &Uint8Array::new(&bytes)).await
        };
        stored.await.map_err(|error: JsValue| unstored(&reason(&error)))
    }

    /// Removes the run that is stored. The error is a sentence.
    pub async fn discard(&self) -> Result<(), String> {
        let Place::Storage(folder) = &self.place else { return Ok(()) };
        // The note goes first: without it nothing of the rest is found.
        for name in [NOTE, TEXT, NEW, STATES[0], STATES[1]] {
            let removed = folder.remove(name).await;
            removed.map_err(|error| format!("The stored run cannot be removed: {}.", reason(&error)))?;
        }
        Ok(())
    }

    /// Stores the run as it is now, and returns how many bytes that were. What was stored before stays until then. The error
    /// is a sentence.
    pub async fn save(&mut self, run: &Run, note: &mut Note) -> Result<u64, String> {
        match &mut self.place {
            Place::Storage(folder) => {
                let saved = save(folder, run, note).await;
                if saved.is_err() {
                    // It only takes room.
                    drop(folder.remove(NEW).await);
                }
                saved.map_err(|reason| unstored(&reason))
            }
            Place::Memory(kept) => {
                let mut file = MemoryFile::default();
                let saved = run.save(&mut BufWriter::with_capacity(WRITTEN, &mut file));
                saved.map_err(|error| unstored(&error.to_string()))?;
                let bytes = file.stream_position().unwrap_or(0);
                *kept = Some(file);
                Ok(bytes)
            }
        }
    }

    /// The stored run with its text and its note. The error is a sentence.
    pub async fn restore(&mut self) -> Result<(Text, Run, Note), String> {
        let gone = || "The stored run is gone: it was removed in another tab.".to_string();
        let (Some(note), Place::Storage(folder)) = (self.note().await, &self.place) else { return Err(gone()) };
        let blob = folder.file(TEXT).await.ok_or_else(gone)?.into();
        let text = Text::read(blob).await?;
        let run = self.last_state(&text, note.state).await?;
        match run.recipe().fits_the_machine() {
            true => Ok((text, run, note)),
            false => {
                Err("The stored run was begun where a multiply-add rounds otherwise, and cannot go on here.".into())
            }
        }
    }

    /// The newest state that is whole. The error is a sentence.
    pub async fn last_good(&mut self, text: &Text) -> Result<Run, String> {
        let state = self.note().await.map_or(0, |note| note.state);
        self.last_state(text, state).await
    }

    async fn last_state(&mut self, text: &Text, newest: usize) -> Result<Run, String> {
        match &mut self.place {
            Place::Storage(folder) => {
                let mut wrong = "The stored run is gone.".to_string();
                for state in [newest, 1 - newest.min(1)] {
                    let Ok(Some(mut file)) = existing(folder, STATES[state.min(1)]).await else { continue };
                    match text.resume(&mut BufReader::with_capacity(WRITTEN, &mut file), Share::WHOLE) {
                        Ok(run) => return Ok(run),
                        Err(error) => wrong = sentence(&error),
                    }
                }
                Err(wrong)
            }
            Place::Memory(Some(file)) => {
                file.rewind().map_err(|error| error.to_string())?;
                text.resume(file, Share::WHOLE).map_err(|error| sentence(&error))
            }
            Place::Memory(None) => Err("Nothing was stored yet.".to_string()),
        }
    }
}

fn unstored(reason: &str) -> String {
    format!("The run could not be stored: {}. It goes on in memory.", reason.trim_end_matches('.'))
}

async fn existing(folder: &Folder, name: &str) -> Result<Option<super::super::storage::StoredFile>, JsValue> {
    match folder.file(name).await {
        Some(_) => folder.open(name).await.map(Some),
        None => Ok(None),
    }
}

async fn save(folder: &Folder, run: &Run, note: &mut Note) -> Result<u64, String> {
    let failed = |error: JsValue| reason(&error);
    let next = 1 - note.state.min(1);
    let mut file = folder.open(NEW).await.map_err(failed)?;
    file.set_length(0).map_err(|error| error.to_string())?;
    run.save(&mut BufWriter::with_capacity(WRITTEN, &mut file)).map_err(|error| error.to_string())?;
    let bytes = file.length().map_err(|error| error.to_string())?;
    drop(file); // closed, since an open file cannot be renamed
    folder.rename(NEW, STATES[next]).await.map_err(failed)?;
    let newer = Note { state: next, steps: (run.steps(), run.recipe().steps), ..note.clone() };
    let json = serde_json::to_vec(&newer).map_err(|error| error.to_string())?;
    folder.write(NOTE, &Uint8Array::from(json.as_slice())).await.map_err(failed)?;
    *note = newer;
    Ok(bytes)
}
