//! How long a run takes here.

use super::super::team::Crew;
use super::super::time::now;
use super::text::{Text, sentence};
use super::{Steering, team};
use crate::app::protocol::Estimate;
use crate::model::Config;
use crate::train::{Plan, Recipe, Run, TrainError, dataset, leaf};

/// Milliseconds after which no further step is measured.
const MEASURE_MS: f64 = 1200.0;
/// Milliseconds after which even fewer than three steps are enough.
const LONGEST_MS: f64 = 2500.0;
/// What reading a token takes of what learning it takes.
const READING: f64 = 1.0 / 3.0;
/// The most bytes that a run may need: a tab has four gigabytes.
const MOST_BYTES: f64 = 2.5e9;
/// Copies of the weights that a step holds: they, their mean, what the optimizer remembers, gradients and their sum.
const COPIES: f64 = 6.0;
/// Numbers of the hidden state's width, and of the vocabulary's, that a leaf keeps of a token for the way back.
const WIDTHS: f64 = 30.0;

/// How many bytes a run of this size needs, about.
fn bytes(config: &Config) -> f64 {
    let rows = leaf(config) * config.context;
    let row = config.layers as f64 * (WIDTHS * config.n_embd as f64 + (2 * config.heads * config.context) as f64)
        + 3.0 * config.vocabulary_size as f64;
    4.0 * (COPIES * config.parameters() as f64 + rows as f64 * row)
}

/// Fails unless a run fits into a tab. The error is a sentence.
pub fn expect_to_fit(text: &Text, plan: &Plan) -> Result<(), String> {
    let config = match &text.base {
        Some(base) => Ok(base.config.clone()),
        None => dataset::alphabet(&text.text).map_err(TrainError::from).and_then(|kinds| plan.config(kinds.len())),
    };
    let config = config.map_err(|error| sentence(&error))?;
    let (needed, parameters) = (bytes(&config), config.parameters() as f64 / 1e6);
    if needed <= MOST_BYTES {
        return Ok(());
    }
    let (needed, most) = (needed / 1e9, MOST_BYTES / 1e9);
    Err(format!(
        "A model of {parameters:.0} million weights needs {needed:.1} GB to learn, and a tab has {most:.1} GB for it. \
         Choose a smaller one."
    ))
}

/// Measures steps of one leaf for each of so many threads. `None` if a request came in.
pub async fn measure(
    channel: &Steering,
    text: &Text,
    plan: &Plan,
    threads: usize,
    crew: &mut Crew,
) -> Result<Option<Estimate>, TrainError> {
    let whole = plan.begin(&text.text, &text.sha256, text.base.as_ref())?;
    let (recipe, config) = (whole.recipe().clone(), whole.config().clone());
    drop(whole);
    let settings = &recipe.settings;
    let leaves = settings.batch.div_ceil(settings.leaf);
    let members = threads.min(leaves);
    let short =
        Plan { batch_size: Some(settings.batch.min(members * settings.leaf)), steps: Some(1_000_000), ..plan.clone() };
    // What a browser compiles at first is slow: one block is enough to have it compiled again.
    if text.base.is_none() {
        let one = Plan { n_layer: Some(1), batch_size: Some(settings.leaf), ..short.clone() };
        let mut run = one.begin(&text.text, &text.sha256, None)?;
        for _ in 0..2 {
            step(&mut run)?;
        }
        if channel.interrupted().await {
            return Ok(None);
        }
    }
    let mut run = short.begin(&text.text, &text.sha256, text.base.as_ref())?;
    // Where no others can be had, one is measured: as it will be then.
    let team = team::form(&mut run, text, members, crew).await.unwrap_or_default();
    let measured = steps(channel, &mut run).await;
    drop(run);
    let threads = if team.is_some() { members } else { 1 };
    if let Some(team) = team {
        team.dismiss(crew);
    }
    let Some((round_seconds, update_seconds)) = measured? else { return Ok(None) };
    let context = config.context as f64;
    let step_seconds = leaves.div_ceil(threads) as f64 * round_seconds + update_seconds;
    let points = (1..=recipe.steps).filter(|step| recipe.has_point(*step)).count() as f64;
    let held_out = text_held_out(text, &recipe);
    let read = (points * recipe.windows() as f64 * context).min(points * held_out) + held_out;
    let token_seconds = round_seconds / (threads * settings.leaf) as f64 / context;
    Ok(Some(Estimate {
        parameters: config.parameters() as u64,
        threads: threads as u32,
        tokens_per_second: settings.batch as f64 * context / step_seconds,
        seconds: recipe.steps as f64 * step_seconds + READING * token_seconds * read,
    }))
}

/// Tokens that are held out, about.
fn text_held_out(text: &Text, recipe: &Recipe) -> f64 {
    text.text.len() as f64 * recipe.held_out
}

/// Seconds of a round of leaves, and of what follows the last one: medians. `None` if a request came in.
async fn steps(channel: &Steering, run: &mut Run) -> Result<Option<(f64, f64)>, TrainError> {
    let begun = now();
    let mut measured = Vec::new();
    // With several threads, the others are slow at first, too.
    while measured.len() < 3 || now() - begun < MEASURE_MS {
        measured.push(step(run)?);
        if channel.interrupted().await {
            return Ok(None);
        }
        if now() - begun > LONGEST_MS {
            break;
        }
    }
    let median = |of: fn(&(f64, f64)) -> f64| {
        let mut times: Vec<f64> = measured.iter().map(of).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] / 1000.0
    };
    Ok(Some((median(|(round, _)| *round), median(|(_, update)| *update))))
}

/// Milliseconds of a step's one round of leaves, and of what follows it.
fn step(run: &mut Run) -> Result<(f64, f64), TrainError> {
    let begun = now();
    let Some(mut step) = run.begin_step() else { return Ok((0.0, 0.0)) };
    while run.go_on(&mut step)? {}
    let computed = now();
    run.finish(step)?;
    Ok((computed - begun, now() - computed))
}
