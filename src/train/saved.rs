//! A run in a file, from which it goes on as if it had never stopped.
//!
//! The file: eight bytes that name the format; the recipe, the steps taken and the curve as JSON, behind its length; the
//! weights as a GGUF file in float32, with shape and tokenizer, behind its length; the mean weights and what the optimizers
//! remember, variable by variable; and the SHA-256 of all that.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use candle_core::Device;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::run::float32;
use super::{Parameters, Point, Recipe, Run, SavedError, TrainError};
use crate::checkpoint::{self, Checkpoint};
use crate::model::{Share, Weight};

const MAGIC: &[u8; 8] = b"peartrn2";
/// Bytes of a SHA-256.
const HASH: u64 = 32;
/// Bytes that are read and written at once.
const BUFFER: usize = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Header {
    recipe: Recipe,
    steps: u64,
    /// Step, train, held out: losses as the bits of float64, since JSON's decimals would not bring each back.
    curve: Vec<(u64, u64, Option<u64>)>,
    recent: (u64, u64),
}

impl Run {
    /// Writes the run as a file. It is flushed.
    pub fn save(&self, out: &mut impl Write) -> Result<(), TrainError> {
        let bits = |point: &Point| (point.step, point.train.to_bits(), point.held_out.map(f64::to_bits));
        let header = Header {
            recipe: self.recipe.clone(),
            steps: self.steps(),
            curve: self.curve.iter().map(bits).collect(),
            recent: (self.recent.0.to_bits(), self.recent.1),
        };
        let header = serde_json::to_vec(&header).map_err(|_| SavedError::Inconsistent("its recipe"))?;
        let mut out = Hashed { out, hash: Sha256::new() };
        out.write_all(MAGIC)?;
        let weights = float32(&self.config, &self.tokenizer, self.trainer.parameters(), "run")?;
        for part in [header, weights] {
            out.write_all(&(part.len() as u64).to_le_bytes())?;
            out.write_all(&part)?;
        }
        self.trainer.remembered(|numbers| Ok(push(&mut out, numbers)?))?;
        let Hashed { out, hash } = out;
        out.write_all(&hash.finalize())?;
        Ok(out.flush()?)
    }

    /// Goes on with a run. The text must be the one that it learned, whose sha256 is `text_sha256`.
    pub fn resume(file: &mut (impl Read + Seek), text: &str, text_sha256: &str) -> Result<Self, TrainError> {
        Run::resume_share(file, text, text_sha256, Share::WHOLE)
    }

    /// The same for a member of a team, which is to [`join`](Self::join) it: with its share of what only one of them needs.
    pub fn resume_share(
        file: &mut (impl Read + Seek),
        text: &str,
        text_sha256: &str,
        share: Share,
    ) -> Result<Self, TrainError> {
        let end = check(file)?;
        file.seek(SeekFrom::Start(MAGIC.len() as u64))?;
        let header = part(file, end)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| SavedError::Inconsistent("its recipe"))?;
        if header.recipe.text_sha256 != text_sha256 {
            let (expected, found) = (header.recipe.text_sha256, text_sha256.to_string());
            return Err(SavedError::Text { expected, found }.into());
        }
        let Checkpoint { config, tokenizer, weights } = checkpoint::read(&mut Cursor::new(part(file, end)?))?;
        // One after another: a tab has no room for all of them twice.
        let tensor = |(name, weight): (String, Weight)| Ok((name, weight.dequantize(&Device::Cpu)?));
        let weights = weights.into_iter().map(tensor).collect::<Result<_, TrainError>>()?;
        let parameters = Parameters::new(weights)?;
        let mut run = Run::begin_share(header.recipe, &config, tokenizer, parameters, text, share)?;
        run.trainer.set_steps(header.steps);
        let point = |(step, train, held_out): (u64, u64, Option<u64>)| Point {
            step,
            train: f64::from_bits(train),
            held_out: held_out.map(f64::from_bits),
        };
        run.curve = header.curve.into_iter().map(point).collect();
        run.recent = (f64::from_bits(header.recent.0), header.recent.1);
        let left = end.saturating_sub(file.stream_position()?);
        let mut rest = file.take(left);
        run.trainer.put_back(|count, numbers| match numbers {
            Some(numbers) => pull(&mut rest, numbers),
            None => pass_over(&mut rest, 4 * count as u64),
        })?;
        if rest.limit() == 0 { Ok(run) } else { Err(SavedError::Inconsistent("it is too long").into()) }
    }
}

/// Where the hash of a file stands that is no other and whole.
fn check(file: &mut (impl Read + Seek)) -> Result<u64, TrainError> {
    let end = file.seek(SeekFrom::End(0))?.checked_sub(HASH).ok_or(SavedError::Format)?;
    file.rewind()?;
    let mut magic = [0; MAGIC.len()];
    file.read_exact(&mut magic).map_err(|_| SavedError::Format)?;
    if magic != *MAGIC {
        return Err(SavedError::Format.into());
    }
    let (mut hash, mut buffer) = (Sha256::new_with_prefix(magic), vec![0; BUFFER]);
    let mut left = end.checked_sub(MAGIC.len() as u64).ok_or(SavedError::Damaged)? as usize;
    while left > 0 {
        let bytes = &mut buffer[..left.min(BUFFER)];
        file.read_exact(bytes)?;
        hash.update(&*bytes);
        left -= bytes.len();
    }
    let mut expected = [0; HASH as usize];
    file.read_exact(&mut expected)?;
    if hash.finalize().as_slice() == expected { Ok(end) } else { Err(SavedError::Damaged.into()) }
}

/// A writer that computes SHA-256 of the bytes.
struct Hashed<'a, W> {
    out: &'a mut W,
    hash: Sha256,
}

impl<W: Write> Write for Hashed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A part behind its length.
fn part(file: &mut (impl Read + Seek), end: u64) -> Result<Vec<u8>, TrainError> {
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > end.saturating_sub(file.stream_position()?) {
        return Err(SavedError::Inconsistent("it is too short").into());
    }
    let mut part = vec![0; length as usize];
    file.read_exact(&mut part)?;
    Ok(part)
}

fn push(out: &mut impl Write, numbers: &[f32]) -> io::Result<()> {
    numbers.chunks(BUFFER / 4).try_for_each(|numbers| {
        out.write_all(&numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
    })
}

fn pull(rest: &mut impl Read, numbers: &mut [f32]) -> Result<(), TrainError> {
    let mut buffer = vec![0; BUFFER];
    for numbers in numbers.chunks_mut(BUFFER / 4) {
        let bytes = &mut buffer[..4 * numbers.len()];
        rest.read_exact(bytes).map_err(|_| SavedError::Inconsistent("it is too short"))?;
        for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *number = f32::from_le_bytes(*bytes);
        }
    }
    Ok(())
}

fn pass_over(rest: &mut impl Read, bytes: u64) -> Result<(), TrainError> {
    match io::copy(&mut rest.take(bytes), &mut io::sink())? {
        passed if passed == bytes => Ok(()),
        _ => Err(SavedError::Inconsistent("it is too short").into()),
    }
}
