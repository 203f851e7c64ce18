//! A text that is learned, and the model that is fine-tuned on it.

use js_sys::Uint8Array;
use sha2::{Digest, Sha256};
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::super::channel::Channel;
use super::super::model_pieces::ModelPieces;
use super::super::storage::{SplitFile, reason};
use crate::app::protocol::{ModelFile, TextFacts};
use crate::checkpoint::sha256::hex;
use crate::train::{Base, Run, TrainError, dataset};

/// The largest text in bytes: its ids take four times as much memory.
const MOST_BYTES: f64 = (64 << 20) as f64;

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

    /// Begins with this model; its file comes with the message unless it is in storage. The error is a sentence.
    pub async fn begin_with(
        &mut self,
        channel: &Channel,
        model: ModelFile,
        file: Option<Blob>,
        seed: u32,
    ) -> Result<(), String> {
        let failed =
            |error: String| format!("The model to begin with cannot be read: {}.", error.trim_end_matches('.'));
        let model = ModelPieces::open(channel, model, file).await.map_err(|error| failed(error.to_string()))?;
        let mut file = SplitFile::new(model.pieces).map_err(|error| failed(reason(&error)))?;
        let mut base = Base::read(&mut file, model.id).map_err(|error| failed(error.to_string()))?;
        self.added = base.learn_characters(&self.text, seed).map_err(|error| sentence(&error))?.into_iter().collect();
        self.base = Some(base);
        Ok(())
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

    /// Goes on with a saved run.
    pub fn resume(&self, file: &mut (impl std::io::Read + std::io::Seek)) -> Result<Run, TrainError> {
        Run::resume(file, &self.text, &self.sha256)
    }
}

/// What is wrong, as a sentence.
pub fn sentence(error: &TrainError) -> String {
    let text = error.to_string();
    let mut characters = text.trim_end_matches('.').chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", characters.as_str())
}
