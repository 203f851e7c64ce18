//! Checks whether a model is GPT-2.

use peargpt::checkpoint::Model;
use peargpt::evaluate::verify::{Verification, Verifier, published};

use crate::{bar, print};

/// Prints a line for each prompt, and one for the greedy text. Returns `true` if nothing differs from the published
/// figures.
pub fn verify(model: &Model) -> Result<bool, String> {
    let figures = published().map_err(|error| error.to_string())?;
    let mut verifier = Verifier::new(model, figures).map_err(|error| error.to_string())?;
    let bar = bar("verifying", verifier.progress().1);
    let verification = loop {
        bar.set_position(verifier.progress().0 as u64);
        if let Some(verification) = verifier.step(model).map_err(|error| error.to_string())? {
            break verification;
        }
    };
    bar.finish_and_clear();
    let Verification { checks, greedy, passed } = &verification;
    for check in checks {
        print(&check.to_string())?;
    }
    print(&greedy.to_string())?;
    print(&verification.verdict())?;
    Ok(*passed)
}
