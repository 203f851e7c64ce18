//! Checks whether the open model is GPT-2, and lets the event loop run between two steps.

use super::super::channel::Channel;
use super::super::time::{FRAME_MS, now};
use crate::app::protocol::Event;
use crate::checkpoint::Model;
use crate::evaluate::verify::{OtherModel, Verification, Verifier, published};
use crate::generation::GenerationError;

/// Why the model could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("The published figures cannot be read: {0}. Reload the page.")]
    Figures(#[from] serde_json::Error),
    #[error("There is nothing to compare this model with: {0}. Choose GPT-2 to verify it.")]
    OtherModel(#[from] OtherModel),
    #[error(transparent)]
    Generation(#[from] GenerationError),
}

/// Whether there are published figures for a model of this shape.
pub fn can_be_verified(model: &Model) -> bool {
    published().is_ok_and(|figures| Verifier::new(model, figures).is_ok())
}

/// Compares `model` with figures published for GPT-2, and tells the page the progress, at most once per frame and at
/// the end; `None` if a request came in.
pub async fn verify(channel: &Channel, model: &Model, run: u32) -> Result<Option<Verification>, VerifyError> {
    let mut verifier = Verifier::new(model, published()?)?;
    let tell = |(done, all): (usize, usize)| {
        channel.send(&Event::Verifying { run, done: done as u32, all: all as u32 });
    };
    let mut last_sent = f64::NEG_INFINITY;
    loop {
        if now() - last_sent >= FRAME_MS {
            last_sent = now();
            tell(verifier.progress());
        }
        if channel.interrupted().await {
            return Ok(None);
        }
        if let Some(verification) = verifier.step(model)? {
            tell(verifier.progress());
            return Ok(Some(verification));
        }
    }
}
