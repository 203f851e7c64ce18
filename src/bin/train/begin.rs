//! Begins a run, or goes on with one.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;
use std::time::Instant;

use candle_core::Device;
use peargpt::checkpoint::sha256::hex;
use peargpt::checkpoint::{self, Checkpoint};
use peargpt::kernels::product;
use peargpt::model::Config;
use peargpt::tokenizer::{Tokenizer, TokenizerError, TokenizerSpec, Vocabulary};
use peargpt::train::dataset::{self, MOST_CHARACTERS};
use peargpt::train::optimizer::Optimizers;
use peargpt::train::{Parameters, Recipe, Run, Schedule, Settings, add_characters, leaf};
use sha2::{Digest, Sha256};

use crate::arguments::Arguments;
use crate::files::Files;

/// The largest text: its ids take four times as much memory.
const MOST_TEXT: u64 = 1 << 30;
/// Steps that are measured for `--minutes`, behind the first.
const MEASURED: usize = 3;

/// The run that the command line asks for.
pub fn begin(arguments: &Arguments, files: &mut Files) -> Result<Run, String> {
    let (text, text_sha256) = read(&arguments.text)?;
    if arguments.resume
        && let Some(run) = files.resume(&text, &text_sha256)?
    {
        return match run.recipe().fits_the_machine() {
            true => Ok(run),
            false => Err("the run was begun where a multiply-add rounds otherwise, and cannot go on here".to_string()),
        };
    }
    if !arguments.resume && files.have_a_run() {
        return Err(format!("{} has a run that has not ended: add --resume, or remove it", arguments.out.display()));
    }
    let recipe = |config: &Config, from_sha256| Recipe {
        text_sha256,
        held_out: arguments.held_out,
        steps: arguments.steps.map_or(arguments.size().steps(), u64::from),
        schedule: match arguments.learning_rate {
            Some(_) => Schedule { warm_up: 100, flat: 0.0, last: 0.1 },
            None => Schedule { warm_up: 50, flat: 0.35, last: 0.0 },
        },
        settings: Settings {
            batch: arguments.batch_size.map_or(arguments.size().batch(), usize::from),
            leaf: leaf(config),
            dropout: arguments.dropout.map_or(arguments.size().dropout(), |share| share as f32),
            clip: 1.0,
            ema: 0.995,
            seed: arguments.seed.into(),
        },
        optimizers: arguments.learning_rate.map_or_else(Optimizers::muon, Optimizers::adamw),
        is_fused: (product::selected().is_fused)(),
        from_sha256,
    };
    let (recipe, config, tokenizer, parameters) = match &arguments.from {
        Some(path) => {
            let (config, tokenizer, parameters, sha256) = open(path, &text, arguments.seed.into())?;
            (recipe(&config, Some(sha256)), config, tokenizer, parameters)
        }
        None => {
            let alphabet = dataset::alphabet(&text).map_err(|error| at(&arguments.text, error))?;
            let config = arguments.config(alphabet.len())?;
            let parameters = Parameters::random(&config, arguments.seed.into()).map_err(|error| error.to_string())?;
            (recipe(&config, None), config, TokenizerSpec::of_characters(&alphabet), parameters)
        }
    };
    let begun = |recipe: Recipe, parameters: Parameters| {
        Run::begin(recipe, &config, tokenizer.clone(), parameters, &text).map_err(|error| at(&arguments.text, error))
    };
    let Some(minutes) = arguments.minutes else { return begun(recipe, parameters) };
    let copy = parameters.copy().map_err(|error| error.to_string())?;
    let seconds = seconds_per_step(begun(recipe.clone(), copy)?, arguments.threads())?;
    let steps = (f64::from(minutes) * 60.0 / seconds).max(1.0) as u64;
    begun(Recipe { steps, ..recipe }, parameters)
}

/// The text, and its sha256.
fn read(path: &Path) -> Result<(String, String), String> {
    let length = fs::metadata(path).map_err(|error| at(path, error))?.len();
    if length > MOST_TEXT {
        return Err(at(path, format!("expected at most {MOST_TEXT} bytes, found {length}")));
    }
    let bytes = fs::read(path).map_err(|error| at(path, error))?;
    let sha256 = hex(&Sha256::digest(&bytes));
    let text = String::from_utf8(bytes).map_err(|error| {
        at(path, format!("expected a text in UTF-8, found another byte at {}", error.utf8_error().valid_up_to()))
    })?;
    Ok((text, sha256))
}

/// A model to go on from, with the characters of the text that it did not know, and the sha256 of its file.
fn open(path: &Path, text: &str, seed: u64) -> Result<(Config, TokenizerSpec, Parameters, String), String> {
    let sha256 = hex(&Sha256::digest(fs::read(path).map_err(|error| at(path, error))?));
    let mut file = File::open(path).map(BufReader::new).map_err(|error| at(path, error))?;
    let Checkpoint { mut config, tokenizer: mut spec, weights } =
        checkpoint::read(&mut file).map_err(|error| at(path, error))?;
    let tensors = weights.iter().map(|(name, weight)| Ok((name.to_string(), weight.dequantize(&Device::Cpu)?)));
    let tensors: Result<Vec<_>, candle_core::Error> = tensors.collect();
    let mut tensors = tensors.map_err(|error| at(path, error))?;
    let tokenizer = Tokenizer::new(spec.clone()).map_err(|error| at(path, error))?;
    if tokenizer.vocabulary() == Vocabulary::Characters
        && let Err(TokenizerError::UnknownCharacters { characters }) = tokenizer.encode(text)
    {
        let count = config.vocabulary_size + characters.len();
        if count > MOST_CHARACTERS {
            return Err(format!("text and model have {count} kinds of characters, expected at most {MOST_CHARACTERS}"));
        }
        let added: String = characters.iter().flat_map(|character| character.escape_debug()).collect();
        let plural = if characters.len() == 1 { "" } else { "s" };
        eprintln!("train: the model learns {} more kind{plural} of characters: {added}", characters.len());
        add_characters(&mut config, &mut spec, &mut tensors, &characters, seed).map_err(|error| at(path, error))?;
    }
    Ok((config, spec, Parameters::new(tensors).map_err(|error| at(path, error))?, sha256))
}

/// How long a step takes, the median of a few.
fn seconds_per_step(mut run: Run, threads: usize) -> Result<f64, String> {
    run.set_threads(threads);
    let mut seconds = Vec::new();
    for _ in 0..=MEASURED {
        let begun = Instant::now();
        run.step().map_err(|error| error.to_string())?;
        seconds.push(begun.elapsed().as_secs_f64());
    }
    // The first one is slower.
    let measured = &mut seconds[1..];
    measured.sort_by(f64::total_cmp);
    Ok(measured[MEASURED / 2])
}

fn at(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
