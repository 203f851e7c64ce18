//! How well a model that learns predicts what it does not learn.

use candle_core::{Device, Tensor};

use super::gradients::in_parallel;
use super::team::Place;
use super::{Parameters, TrainError};
use crate::kernels::ops::{nats, with_numbers};
use crate::model::{Config, Gpt};

/// A measurement that is under way: the mean cross-entropy in nats per token over consecutive windows of the model's context,
/// from the beginning of what is held out, as [`evaluate`](crate::evaluate::evaluate) has it, to which it comes within 1e-5.
#[derive(Debug)]
pub struct Evaluation {
    /// The mean weights.
    parameters: Parameters,
    /// The most windows.
    most: usize,
    /// The sum over each window that was read.
    losses: Vec<f64>,
    /// The order that has the members of a team measure.
    pub(super) order: Option<u32>,
}

/// What is evaluated, and by whom.
pub(super) struct Reader<'a> {
    /// The model's shape.
    pub config: &'a Config,
    /// What is held out.
    pub ids: &'a [u32],
    /// Threads that read a window each.
    pub threads: usize,
    /// Where each member of a team reads a window in their place.
    pub place: Option<&'a Place>,
}

impl Evaluation {
    /// Begins with these weights; at most so many windows are read.
    pub(super) fn new(parameters: Parameters, most: usize) -> Self {
        Evaluation { parameters, most, losses: Vec::new(), order: None }
    }

    /// Windows that were read.
    pub fn read(&self) -> usize {
        self.losses.len()
    }

    /// Reads the next windows, one for each thread or member. The loss, once those were the last: one sum in one order, whoever
    /// computed its parts.
    pub(super) fn go_on(&mut self, reader: &Reader<'_>) -> Result<Option<f64>, TrainError> {
        let (windows, begin) = (reader.windows(self.most), self.losses.len());
        let next = |count: usize| &windows[begin..windows.len().min(begin + count)];
        let loss = |window: &[u32]| window_loss(reader.config, &self.parameters, window);
        match reader.place {
            Some(place) => {
                let next = next(place.members());
                let own = next.get(place.member()).map(|window| loss(window)).transpose()?;
                let all = place.gather(own.as_slice(), |member| usize::from(member < next.len()))?;
                self.losses.extend(all.concat());
            }
            None => {
                let all = in_parallel(next(reader.threads).to_vec(), loss);
                self.losses.extend(all.into_iter().collect::<Result<Vec<_>, _>>()?);
            }
        }
        let tokens = self.losses.len() * reader.config.context;
        Ok((self.losses.len() == windows.len()).then(|| self.losses.iter().sum::<f64>() / tokens as f64))
    }
}

impl Reader<'_> {
    /// At most so many consecutive windows, each with the id behind it.
    pub fn windows(&self, most: usize) -> Vec<&[u32]> {
        let context = self.config.context;
        (0..).map_while(|index| self.ids.get(index * context..=(index + 1) * context)).take(most).collect()
    }
}

/// The sum over a window and the id behind it.
fn window_loss(config: &Config, parameters: &Parameters, window: &[u32]) -> Result<f64, TrainError> {
    let gpt = Gpt::load(config, &mut parameters.weights()?)?;
    let ids = Tensor::from_slice(&window[..config.context], (1, config.context), &Device::Cpu)?;
    let logits = gpt.forward(&ids, None)?;
    let sum = |logits: &[f32]| {
        logits.chunks_exact(config.vocabulary_size).zip(&window[1..]).map(|(row, id)| nats(row, *id)).sum()
    };
    Ok(with_numbers(&logits, sum)?)
}
