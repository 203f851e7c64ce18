//! Begins a run, or goes on with one.

use std::fs::{self, File};
use std::io::{BufReader, Read};
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
use crate::{POINTS, WINDOWS};

/// The largest text: its ids take four times as much memory.
const MOST_TEXT: u64 = 1 << 30;
/// Steps that are measured for `--minutes`, behind the first.
const MEASURED: usize = 3;

/// The run that the command line asks for. It is saved before its first step, so that it can be gone on with from there, and a
/// disk that has no room for it is told at once.
pub fn begin(arguments: &Arguments, files: &mut Files) -> Result<Run, String> {
    if arguments.resume
        && let Some(run) = resume(arguments, files)?
    {
        eprintln!("train: going on behind step {} with the recipe that the run began with", run.steps());
        return Ok(run);
    }
    if !arguments.resume
        && let Some(path) = files.a_run()
    {
        return Err(format!("{} is a run that has not ended: add --resume, or remove it", path.display()));
    }
    let run = begin_anew(arguments)?;
    files.save(&run)?;
    Ok(run)
}

/// The saved run that is furthest, if there is one.
pub fn resume(arguments: &Arguments, files: &mut Files) -> Result<Option<Run>, String> {
    if files.a_run().is_none() {
        return Ok(None);
    }
    let (text, text_sha256) = read(&arguments.text)?;
    match files.resume(&text, &text_sha256)? {
        Some(run) if !run.recipe().fits_the_machine() => {
            Err("the run was begun where a multiply-add rounds otherwise, and cannot go on here".to_string())
        }
        run => Ok(run),
    }
}

fn begin_anew(arguments: &Arguments) -> Result<Run, String> {
    let (text, text_sha256) = read(&arguments.text)?;
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
        precision: arguments.precision(),
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
    let (step, point) = seconds(begun(recipe.clone(), copy)?, arguments.threads())?;
    let all = f64::from(minutes) * 60.0;
    // With few steps, each has a point.
    let steps = ((all - POINTS as f64 * point) / step).max(all / (step + point)).max(1.0) as u64;
    begun(Recipe { steps, ..recipe }, parameters)
}

/// The text, and its sha256.
fn read(path: &Path) -> Result<(String, String), String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| at(path, error))?;
    let length = file.metadata().map_err(|error| at(path, error))?.len();
    if length <= MOST_TEXT {
        // A file that is no plain one may be longer than it says.
        file.take(MOST_TEXT + 1).read_to_end(&mut bytes).map_err(|error| at(path, error))?;
    }
    let length = length.max(bytes.len() as u64);
    if length > MOST_TEXT {
        return Err(at(path, format!("expected at most {MOST_TEXT} bytes, found {length}")));
    }
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
    dataset::expect_two_kinds(text).map_err(|error| error.to_string())?;
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

/// How long a step takes, the median of a few, and how long a point of the curve does.
fn seconds(mut run: Run, threads: usize) -> Result<(f64, f64), String> {
    run.set_threads(threads);
    let mut steps = Vec::new();
    for _ in 0..=MEASURED {
        let begun = Instant::now();
        run.step().map_err(|error| error.to_string())?;
        steps.push(begun.elapsed().as_secs_f64());
    }
    let begun = Instant::now();
    run.add_point(WINDOWS).map_err(|error| error.to_string())?;
    let point = begun.elapsed().as_secs_f64();
    // The first step is slower.
    let measured = &mut steps[1..];
    measured.sort_by(f64::total_cmp);
    Ok((measured[MEASURED / 2], point))
}

fn at(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
