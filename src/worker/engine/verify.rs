//! Whether the open model is GPT-2, with a way back to the event loop between two steps.

use super::super::channel::Channel;
use super::super::time::{FRAME_MS, now};
use crate::app::protocol::Event;
use crate::checkpoint::Model;
use crate::evaluate::verify::{OtherModel, Verification, Verifier, published};
use crate::generation::GenerationError;

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("The published figures cannot be read: {0}. Reload the page.")]
    Figures(#[from] serde_json::Error),
    #[error("There is nothing to compare this model with: {0}. Choose GPT-2 to verify it.")]
    OtherModel(#[from] OtherModel),
    #[error(transparent)]
    Generation(#[from] GenerationError),
}

/// Whether figures are published of a model of this shape.
pub fn can_be_verified(model: &Model) -> bool {
    published().is_ok_and(|figures| Verifier::new(model, figures).is_ok())
}

/// Holds `model` against what is published of GPT-2, and tells the page how far that is, at most once per frame; `None`
/// if a request came in between.
pub async fn verify(channel: &Channel, model: &Model, run: u32) -> Result<Option<Verification>, VerifyError> {
    let mut verifier = Verifier::new(model, published()?)?;
    let mut last_sent = f64::NEG_INFINITY;
    loop {
        if now() - last_sent >= FRAME_MS {
            last_sent = now();
            let (done, all) = verifier.progress();
            channel.send(&Event::Verifying { run, done: done as u32, all: all as u32 });
        }
        if channel.interrupted().await {
            return Ok(None);
        }
        if let Some(verification) = verifier.step(model)? {
            return Ok(Some(verification));
        }
    }
}
