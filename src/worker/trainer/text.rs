//! A text that is learned, and the model that is fine-tuned on it.

use std::io::{self, Read, Seek};

use js_sys::Uint8Array;
use sha2::{Digest, Sha256};
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::super::storage::{FilePiece, SplitFile, Store, reason};
use crate::app::protocol::TextFacts;
use crate::checkpoint::sha256::hex;
use crate::model::Share;
use crate::train::{Base, Run, TrainError, dataset};

/// The largest text in bytes: its ids take four times as much memory.
const MOST_BYTES: f64 = (64 << 20) as f64;

/// Bytes of a model's file that are read at once.
const READ: usize = 1 << 20;

/// A text, and what a run on it begins with.
pub struct Text {
    /// As it came.
    pub blob: Blob,
    /// The text.
    pub text: String,
    /// Of its bytes, in hex.
    pub sha256: String,
    /// The model that is fine-tuned, with the text's characters.
    pub base: Option<Base>,
    /// Characters that the model did not know.
    added: String,
}

impl Text {
    /// Reads a text; the error is a sentence.
    pub async fn read(blob: Blob) -> Result<Self, String> {
        if blob.size() > MOST_BYTES {
            let (found, most) = (blob.size() / 1e6, MOST_BYTES / 1e6);
            return Err(format!(
                "This text is too large for a tab: it has {found:.0} MB, and at most {most:.0} MB fit."
            ));
        }
        let bytes = JsFuture::from(blob.array_buffer()).await;
        let bytes = bytes.map_err(|error| format!("The text cannot be read: {}.", reason(&error)))?;
        let bytes = Uint8Array::new(&bytes).to_vec();
        let sha256 = hex(&Sha256::digest(&bytes));
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            format!("This is not a text: expected UTF-8, found another byte at {at}. Save it as plain text in UTF-8.")
        })?;
        // A text that holds zeros is some other file.
        if text.contains('\0') {
            return Err("This is not a text: it holds zero bytes. Save it as plain text in UTF-8.".to_string());
        }
        Ok(Text { blob, text, sha256, base: None, added: String::new() })
    }

    /// Begins with the model of this id, whose file is handed over or stored. `false` if it is neither; the error is a
    /// sentence.
    pub async fn begin_with(&mut self, id: String, file: Option<Blob>, seed: u32) -> Result<bool, String> {
        let failed =
            |error: String| format!("The model to begin with cannot be read: {}.", error.trim_end_matches('.'));
        let pieces = match file {
            Some(file) => vec![FilePiece::File(file, None)],
            None => stored(&id).await,
        };
        if pieces.is_empty() {
            return Ok(false);
        }
        let mut file = SplitFile::new(pieces).map_err(|error| failed(reason(&error)))?;
        let sha256 = hash(&mut file).map_err(|error| failed(error.to_string()))?;
        let base = Base::read(&mut file, sha256);
        let mut base = base.map_err(|error| failed(error.to_string()))?;
        self.added = base.learn_characters(&self.text, seed).map_err(|error| sentence(&error))?.into_iter().collect();
        self.base = Some(base);
        Ok(true)
    }

    /// What it is, for the page; the error is a sentence.
    pub fn facts(&self) -> Result<TextFacts, String> {
        let kinds = dataset::alphabet(&self.text);
        // A byte-pair model learns a text of any number of kinds.
        let alphabet = match (kinds, &self.base) {
            (Ok(alphabet), _) => alphabet,
            (Err(dataset::DatasetError::ManyKinds), Some(_)) => Vec::new(),
            (Err(error), _) => return Err(sentence(&error.into())),
        };
        Ok(TextFacts {
            bytes: self.text.len() as u64,
            characters: self.text.chars().count() as u64,
            alphabet: alphabet.into_iter().collect(),
            added: self.added.clone(),
            sha256: self.sha256.clone(),
        })
    }

    /// Goes on with a saved run, or with a share of it.
    pub fn resume(&self, file: &mut (impl Read + Seek), share: Share) -> Result<Run, TrainError> {
        Run::resume_share(file, &self.text, &self.sha256, share)
    }
}

/// The SHA-256 of a file, in hex; it is at its beginning then.
fn hash(file: &mut SplitFile) -> io::Result<String> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; READ]);
    file.rewind()?;
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    file.rewind()?;
    Ok(hex(&hash.finalize()))
}

/// The file of a model in the browser's storage; empty if it is not there, or not whole.
async fn stored(id: &str) -> Vec<FilePiece> {
    let store = Store::open(id).await;
    let Some(record) = store.record().await else { return Vec::new() };
    let mut pieces = Vec::new();
    for part in record.parts {
        match store.pieces(&part).await {
            Some(part) => pieces.extend(part),
            None => return Vec::new(),
        }
    }
    pieces
}

/// What is wrong, as a sentence.
pub fn sentence(error: &TrainError) -> String {
    let text = error.to_string();
    let mut characters = text.trim_end_matches('.').chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", characters.as_str())
}
