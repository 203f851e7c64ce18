//! A run in a file, from which it goes on as if it had never stopped.
//!
//! The file: eight bytes that name the format; the recipe, the steps taken and the curve as JSON, behind its length; the
//! weights as a GGUF file in float32, with shape and tokenizer, behind its length; the mean weights and what the optimizers
//! remember, variable by variable; and the SHA-256 of all that.

use std::io::Cursor;

use candle_core::Device;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::run::float32;
use super::{Parameters, Point, Recipe, Run, SavedError, TrainError};
use crate::checkpoint;
use crate::kernels::ops::{with_numbers, with_numbers_mut};

const MAGIC: &[u8; 8] = b"peartrn2";
/// Bytes of a SHA-256.
const HASH: usize = 32;

#[derive(Serialize, Deserialize)]
struct Header {
    recipe: Recipe,
    steps: u64,
    /// Step, train, held out: losses as the bits of float64, since JSON's decimals would not bring each back.
    curve: Vec<(u64, u64, Option<u64>)>,
    recent: (u64, u64),
}

impl Run {
    /// The run as bytes of a file.
    pub fn save(&self) -> Result<Vec<u8>, TrainError> {
        let bits = |point: &Point| (point.step, point.train.to_bits(), point.held_out.map(f64::to_bits));
        let header = Header {
            recipe: self.recipe.clone(),
            steps: self.steps(),
            curve: self.curve.iter().map(bits).collect(),
            recent: (self.recent.0.to_bits(), self.recent.1),
        };
        let header = serde_json::to_vec(&header).map_err(|_| SavedError::Inconsistent("its recipe"))?;
        let weights = float32(&self.config, &self.tokenizer, self.trainer.parameters(), "run")?;
        let mut file = MAGIC.to_vec();
        for part in [&header, &weights] {
            file.extend((part.len() as u64).to_le_bytes());
            file.extend(part);
        }
        for (_, mean) in self.trainer.mean().iter() {
            with_numbers(mean, |mean| push(&mut file, mean))?;
        }
        self.trainer.remembered().for_each(|numbers| push(&mut file, numbers));
        file.extend(Sha256::digest(&file));
        Ok(file)
    }

    /// Goes on with a run. The text must be the one that it learned, whose sha256 is `text_sha256`.
    pub fn resume(file: &[u8], text: &str, text_sha256: &str) -> Result<Self, TrainError> {
        let (content, hash) = file.split_at_checked(file.len().saturating_sub(HASH)).unwrap_or_default();
        let content_behind = content.strip_prefix(MAGIC).ok_or(SavedError::Format)?;
        if Sha256::digest(content).as_slice() != hash {
            return Err(SavedError::Damaged.into());
        }
        let mut rest = content_behind;
        let header = part(&mut rest)?;
        let header: Header = serde_json::from_slice(header).map_err(|_| SavedError::Inconsistent("its recipe"))?;
        if header.recipe.text_sha256 != text_sha256 {
            let (expected, found) = (header.recipe.text_sha256, text_sha256.to_string());
            return Err(SavedError::Text { expected, found }.into());
        }
        let model = checkpoint::read(&mut Cursor::new(part(&mut rest)?))?;
        let tensor =
            |(name, weight): (&str, &crate::model::Weight)| Ok((name.to_string(), weight.dequantize(&Device::Cpu)?));
        let weights = model.weights.iter().map(tensor).collect::<Result<_, TrainError>>()?;
        let mut run = Run::begin(header.recipe, &model.config, model.tokenizer, Parameters::new(weights)?, text)?;
        run.trainer.set_steps(header.steps);
        let point = |(step, train, held_out): (u64, u64, Option<u64>)| Point {
            step,
            train: f64::from_bits(train),
            held_out: held_out.map(f64::from_bits),
        };
        run.curve = header.curve.into_iter().map(point).collect();
        run.recent = (f64::from_bits(header.recent.0), header.recent.1);
        for (_, mean) in run.trainer.mean().iter() {
            with_numbers_mut(mean, |mean| pull(&mut rest, mean))??;
        }
        run.trainer.remembered_mut().try_for_each(|numbers| pull(&mut rest, numbers))?;
        if rest.is_empty() { Ok(run) } else { Err(SavedError::Inconsistent("it is too long").into()) }
    }
}

/// A part behind its length.
fn part<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], SavedError> {
    let short = SavedError::Inconsistent("it is too short");
    let (length, behind) = rest.split_first_chunk::<8>().ok_or_else(|| short.clone())?;
    let (part, behind) = behind.split_at_checked(u64::from_le_bytes(*length) as usize).ok_or(short)?;
    *rest = behind;
    Ok(part)
}

fn push(file: &mut Vec<u8>, numbers: &[f32]) {
    file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

fn pull(rest: &mut &[u8], numbers: &mut [f32]) -> Result<(), SavedError> {
    let (bytes, behind) =
        rest.split_at_checked(4 * numbers.len()).ok_or(SavedError::Inconsistent("it is too short"))?;
    for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *number = f32::from_le_bytes(*bytes);
    }
    *rest = behind;
    Ok(())
}
