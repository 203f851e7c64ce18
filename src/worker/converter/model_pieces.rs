//! The file of a model that the page knows: from storage, from the page's memory, or fetched from this site again.

use web_sys::Blob;

use super::super::channel::Channel;
use super::super::download::{Order, Outcome, obtain};
use super::super::held_weights::HeldWeights;
use super::super::storage::{FilePiece, Unkept};
use crate::app::catalog::Entry;
use crate::app::protocol::{FileLocation, GgufFile, ModelFile, TransferPolicy};

/// Why a model's file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PiecesError {
    /// A request came in.
    #[error("something else was asked for meanwhile")]
    Interrupted,
    /// For another reason.
    #[error("{0}")]
    Because(String),
}

/// A model's GGUF file.
pub struct ModelPieces {
    /// The catalog's id, or SHA-256 of a model of the reader's own.
    pub id: String,
    /// The model's title.
    pub title: String,
    /// The file, in pieces.
    pub pieces: Vec<FilePiece>,
    /// Keeps the file from being removed while it is read.
    _unkept: Option<Unkept>,
}

impl ModelPieces {
    /// Finds the file of a model, which comes with the message unless it is in storage.
    pub async fn open(channel: &Channel, model: ModelFile, blob: Option<Blob>) -> Result<Self, PiecesError> {
        let gone = || PiecesError::Because("the model's file is gone; open it once more".to_string());
        match model {
            ModelFile::Catalog { entry, catalog_url, policy } => {
                ModelPieces::from_catalog(channel, &entry, &catalog_url, policy).await
            }
            ModelFile::Gguf(GgufFile { id, title, checksums, location: FileLocation::Unkept(name), .. }) => {
                let unkept = Unkept::find(&name).await.ok_or_else(gone)?;
                let file = unkept.blob().await.ok_or_else(gone)?;
                let pieces = vec![FilePiece::File(file, Some(checksums.into()))];
                Ok(ModelPieces { id, title, pieces, _unkept: Some(unkept) })
            }
            ModelFile::Gguf(GgufFile { id, title, location: FileLocation::Kept, .. }) => {
                let entry = Entry { title, ..Entry::own(id) };
                ModelPieces::from_catalog(channel, &entry, "", TransferPolicy::default()).await
            }
            ModelFile::Gguf(GgufFile { id, title, checksums, .. }) => {
                let checksums = Some(checksums.into()).filter(|checksums: &std::rc::Rc<[u64]>| !checksums.is_empty());
                let pieces = vec![FilePiece::File(blob.ok_or_else(gone)?, checksums)];
                Ok(ModelPieces { id, title, pieces, _unkept: None })
            }
        }
    }

    /// The file from storage, or, if storage does not have it, fetched from this site again.
    async fn from_catalog(
        channel: &Channel,
        entry: &Entry,
        catalog_url: &str,
        policy: TransferPolicy,
    ) -> Result<Self, PiecesError> {
        // The reader has asked for this very model.
        let order = Order { channel, entry, catalog_url, policy, consent: true, thorough: false };
        let mut held = HeldWeights::<()>::default();
        let outcome = held.obtain(order, async |store, _| obtain(order, store).await).await;
        match outcome.map_err(|error| PiecesError::Because(error.to_string()))? {
            Outcome::Here(weights) => {
                let pieces = weights.file.into_pieces();
                Ok(ModelPieces { id: entry.id.clone(), title: weights.title, pieces, _unkept: None })
            }
            Outcome::Interrupted { .. } => Err(PiecesError::Interrupted),
            _ => {
                Err(PiecesError::Because("the model's file is not stored here any more; load it once more".to_string()))
            }
        }
    }
}
