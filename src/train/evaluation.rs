//! How well a model that learns predicts what it does not learn.

use candle_core::{Device, Tensor};

use super::gradients::in_parallel;
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
    let context = config.context;
    let windows: Vec<&[u32]> =
        (0..).map_while(|index| ids.get(index * context..=(index + 1) * context)).take(most).collect();
    let shares = windows.chunks(windows.len().div_ceil(threads).max(1)).collect();
    let losses = in_parallel(shares, |windows: &[&[u32]]| -> Result<Vec<f64>, TrainError> {
        let gpt = Gpt::load(config, &mut parameters.weights()?)?;
        windows.iter().map(|window| window_loss(&gpt, window)).collect()
    });
    let losses: Vec<f64> = losses.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    // One sum in one order, whoever computed its parts.
    Ok(losses.iter().sum::<f64>() / (losses.len() * context) as f64)
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
