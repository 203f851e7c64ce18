//! Begins a run, or goes on with one.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Instant;

use peargpt::checkpoint::sha256::hex;
use peargpt::train::{Base, MOST_POINTS, Plan, Run, TrainError};
use sha2::{Digest, Sha256};

use crate::arguments::Arguments;
use crate::files::Files;

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
    let base = arguments.from.as_deref().map(|path| open(path, &text, arguments.seed)).transpose()?;
    let begun = |plan: &Plan| {
        plan.begin(&text, &text_sha256, base.as_ref()).map_err(|error| match error {
            TrainError::Dataset(error) => at(&arguments.text, error),
            error => error.to_string(),
        })
    };
    let plan = arguments.plan();
    let run = begun(&plan)?;
    let Some(minutes) = arguments.minutes else { return Ok(run) };
    let (step, point) = seconds(run, arguments.threads())?;
    let all = f64::from(minutes) * 60.0;
    // With few steps, each has a point.
    let steps = ((all - MOST_POINTS as f64 * point) / step).max(all / (step + point)).max(1.0) as u64;
    begun(&Plan { steps: Some(steps), ..plan })
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

/// A model to go on from, with the characters of the text that it did not know.
fn open(path: &Path, text: &str, seed: u32) -> Result<Base, String> {
    let sha256 = hex(&Sha256::digest(fs::read(path).map_err(|error| at(path, error))?));
    let mut file = File::open(path).map(BufReader::new).map_err(|error| at(path, error))?;
    let mut base = Base::read(&mut file, sha256).map_err(|error| at(path, error))?;
    let added = base.learn_characters(text, seed).map_err(|error| error.to_string())?;
    if !added.is_empty() {
        let plural = if added.len() == 1 { "" } else { "s" };
        let names: String = added.iter().flat_map(|character| character.escape_debug()).collect();
        eprintln!("train: the model learns {} more kind{plural} of characters: {names}", added.len());
    }
    Ok(base)
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
    run.add_point().map_err(|error| error.to_string())?;
    let point = begun.elapsed().as_secs_f64();
    // The first step is slower.
    let measured = &mut steps[1..];
    measured.sort_by(f64::total_cmp);
    Ok((measured[MEASURED / 2], point))
}

fn at(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}
