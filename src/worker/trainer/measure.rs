//! How long a run takes here.

use super::super::channel::Channel;
use super::super::time::now;
use super::text::Text;
use crate::app::protocol::Estimate;
use crate::train::{Plan, Run, Step, TrainError};

/// Milliseconds after which no further step is measured.
const MEASURE_MS: f64 = 1200.0;
/// What reading a token takes of what learning it takes.
const READING: f64 = 1.0 / 3.0;
/// The most bytes that a run may need: a tab has four gigabytes.
const MOST_BYTES: f64 = 2.5e9;
/// Copies of the weights that a step holds: they, their mean, what the optimizer remembers, gradients and their sum.
const COPIES: f64 = 6.0;
/// Numbers of the hidden state's width, and of the vocabulary's, that a leaf keeps of a token for the way back.
const WIDTHS: f64 = 30.0;

/// How many bytes a run of this size needs, about.
pub fn bytes(run: &Run) -> f64 {
    let (config, settings) = (run.config(), &run.recipe().settings);
    let rows = (settings.leaf * config.context) as f64;
    let row = config.layers as f64 * (WIDTHS * config.n_embd as f64 + (2 * config.heads * config.context) as f64)
        + 3.0 * config.vocabulary_size as f64;
    4.0 * (COPIES * config.parameters() as f64 + rows * row)
}

/// A run that fits into a tab. The error is a sentence.
pub fn expect_to_fit(run: &Run) -> Result<(), String> {
    let (needed, parameters) = (bytes(run), run.config().parameters() as f64 / 1e6);
    if needed <= MOST_BYTES {
        return Ok(());
    }
    let (needed, most) = (needed / 1e9, MOST_BYTES / 1e9);
    Err(format!(
        "A model of {parameters:.0} million weights needs {needed:.1} GB to learn, and a tab has {most:.1} GB for it. \
         Choose a smaller one."
    ))
}

/// Measures steps of one leaf. `None` if a request came in.
pub async fn measure(channel: &Channel, text: &Text, plan: &Plan) -> Result<Option<Estimate>, TrainError> {
    // What a browser compiles at first is slow: one block is enough to have it compiled again.
    if text.base.is_none() {
        let one = Plan { n_layer: Some(1), ..plan.clone() };
        let mut run = one.begin(&text.text, &text.sha256, None)?;
        leaf(&mut run)?;
        leaf(&mut run)?;
        if channel.interrupted().await {
            return Ok(None);
        }
    }
    let mut run = plan.begin(&text.text, &text.sha256, text.base.as_ref())?;
    let begun = now();
    let mut measured = Vec::new();
    while measured.is_empty() || now() - begun < MEASURE_MS {
        measured.push(leaf(&mut run)?);
        if channel.interrupted().await {
            return Ok(None);
        }
    }
    let median = |of: fn(&(f64, f64)) -> f64| {
        let mut times: Vec<f64> = measured.iter().map(of).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2] / 1000.0
    };
    let (leaf_seconds, update_seconds) = (median(|(leaf, _)| *leaf), median(|(_, update)| *update));
    let (recipe, context) = (run.recipe(), run.config().context as f64);
    let settings = &recipe.settings;
    let leaves = settings.batch as f64 / settings.leaf.min(settings.batch) as f64;
    let step_seconds = leaves * leaf_seconds + update_seconds;
    let token_seconds = leaf_seconds / (settings.leaf.min(settings.batch) as f64 * context);
    let points = (1..=recipe.steps.min(1_000_000)).filter(|step| recipe.has_point(*step)).count();
    let held_out = run.dataset().held_out().len() as f64;
    let read = (points as f64 * recipe.windows() as f64 * context).min(points as f64 * held_out) + held_out;
    let learned = recipe.steps as f64 * step_seconds;
    Ok(Some(Estimate {
        parameters: run.config().parameters() as u64,
        tokens_per_second: settings.batch as f64 * context / step_seconds,
        step_seconds,
        seconds: learned + READING * token_seconds * read,
    }))
}

/// Milliseconds of a leaf's gradients, and of the step that follows them.
fn leaf(run: &mut Run) -> Result<(f64, f64), TrainError> {
    let windows = run.dataset().batch(0..run.recipe().settings.leaf.min(run.recipe().settings.batch) as u64);
    let mut step = Step::new(windows, 0.0);
    let begun = now();
    while run.go_on(&mut step)? {}
    let computed = now();
    run.finish(step)?;
    Ok((computed - begun, now() - computed))
}
