//! How well a model that learns predicts what it does not learn.

use candle_core::{Device, Tensor};

use super::gradients::in_parallel;
use super::team::Place;
use super::{Parameters, TrainError};
use crate::kernels::ops::{nats, with_numbers};
use crate::model::{Config, Gpt};

/// The mean cross-entropy in nats per token, over consecutive windows of the model's context from the beginning, at most
/// `most` of them, as [`evaluate`](crate::evaluate::evaluate) has it, to which it comes within 1e-5.
pub fn held_out_loss(
    config: &Config,
    parameters: &Parameters,
    ids: &[u32],
    most: usize,
    threads: usize,
) -> Result<f64, TrainError> {
    let windows = windows(ids, config.context, most);
    let shares = windows.chunks(windows.len().div_ceil(threads).max(1)).collect();
    let losses = in_parallel(shares, |windows: &[&[u32]]| window_losses(config, parameters, windows));
    Ok(mean(&losses.into_iter().collect::<Result<Vec<_>, _>>()?, config.context))
}

/// The same for the members of a team, of which each has all weights and reads its share of at most so many windows.
pub(super) fn held_out_loss_of_team(
    place: &Place,
    config: &Config,
    parameters: &Parameters,
    (ids, most): (&[u32], usize),
) -> Result<f64, TrainError> {
    let windows = windows(ids, config.context, most);
    let bound = |member: usize| windows.len() * member / place.members();
    let own = &windows[bound(place.member())..bound(place.member() + 1)];
    let losses = window_losses(config, parameters, own)?;
    Ok(mean(&place.gather(&losses, |member| bound(member + 1) - bound(member))?, config.context))
}

/// At most so many consecutive windows, each with the id behind it.
fn windows(ids: &[u32], context: usize, most: usize) -> Vec<&[u32]> {
    (0..).map_while(|index| ids.get(index * context..=(index + 1) * context)).take(most).collect()
}

/// The mean over all windows, from the sums over each: one sum in one order, whoever computed its parts.
fn mean(losses: &[Vec<f64>], context: usize) -> f64 {
    let losses = losses.concat();
    losses.iter().sum::<f64>() / (losses.len() * context) as f64
}

/// The sum over each of these windows.
fn window_losses(config: &Config, parameters: &Parameters, windows: &[&[u32]]) -> Result<Vec<f64>, TrainError> {
    let gpt = Gpt::load(config, &mut parameters.weights()?)?;
    windows.iter().map(|window| window_loss(&gpt, window)).collect()
}

/// The sum over a window and the id behind it.
fn window_loss(gpt: &Gpt, window: &[u32]) -> Result<f64, TrainError> {
    let context = gpt.config().context;
    let ids = Tensor::from_slice(&window[..context], (1, context), &Device::Cpu)?;
    let logits = gpt.forward(&ids, None)?;
    let sum = |logits: &[f32]| {
        logits.chunks_exact(gpt.config().vocabulary_size).zip(&window[1..]).map(|(row, id)| nats(row, *id)).sum()
    };
    Ok(with_numbers(&logits, sum)?)
}
