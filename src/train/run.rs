//! A run from the text to the model's file.

use serde::{Deserialize, Serialize};

use super::evaluation::{Evaluation, Reader};
use super::team::Order;
use super::{Dataset, Parameters, Recipe, Step, StepReport, TrainError, Trainer};
use crate::checkpoint::precision::Precision;
use crate::checkpoint::{Checkpoint, gguf};
use crate::model::{Config, Exchange, Share};
use crate::tokenizer::{Tokenizer, TokenizerSpec};

/// A point of the loss curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Steps taken.
    pub step: u64,
    /// The mean loss of the batches since the point before, in nats per token.
    pub train: f64,
    /// The loss of the mean weights on what is held out, if something is.
    pub held_out: Option<f64>,
}

/// A run: what is learned, how far it is, and how it went.
#[derive(Debug)]
pub struct Run {
    pub(super) recipe: Recipe,
    pub(super) tokenizer: TokenizerSpec,
    pub(super) config: Config,
    pub(super) trainer: Trainer,
    pub(super) dataset: Dataset,
    pub(super) curve: Vec<Point>,
    /// The sum of the losses since the last point, and of how many steps.
    pub(super) recent: (f64, u64),
}

impl Run {
    /// Begins a run with these weights. The text must be the recipe's.
    pub fn begin(
        recipe: Recipe,
        config: &Config,
        tokenizer: TokenizerSpec,
        parameters: Parameters,
        text: &str,
    ) -> Result<Self, TrainError> {
        Run::begin_share(recipe, config, tokenizer, parameters, text, Share::WHOLE)
    }

    /// The same for a member of a team, which is to [`join`](Self::join) it: with its share of what only one of them needs.
    pub(super) fn begin_share(
        recipe: Recipe,
        config: &Config,
        tokenizer: TokenizerSpec,
        parameters: Parameters,
        text: &str,
        share: Share,
    ) -> Result<Self, TrainError> {
        let ids = Tokenizer::new(tokenizer.clone())?.encode(text)?;
        let dataset = Dataset::new(ids, recipe.held_out, config.context, recipe.settings.seed)?;
        let settings = recipe.settings.clone();
        let trainer = Trainer::for_share(config, settings, parameters, recipe.optimizers, share)?;
        Ok(Run { recipe, tokenizer, config: config.clone(), trainer, dataset, curve: Vec::new(), recent: (0.0, 0) })
    }

    /// What it follows.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.trainer.steps()
    }

    /// Uses so many threads from now on; the bytes are the same for any number.
    pub fn set_threads(&mut self, threads: usize) {
        self.trainer.set_threads(threads);
    }

    /// Becomes a member of a team, once. All members have the same run, begun or resumed alike, and none has a step under way.
    /// The one that leads, with number 0, uses the run as before; the others [follow](Self::follow). The bytes are the same
    /// for any number of members. Where a call has failed with a [`TeamError`](crate::model::TeamError) nobody can go on: the
    /// run is resumed where it was saved.
    pub fn join(&mut self, share: Share, exchange: Box<dyn Exchange>) -> Result<(), TrainError> {
        if share.is_whole() { Ok(()) } else { self.trainer.join(share, exchange) }
    }

    /// The points so far.
    pub fn curve(&self) -> &[Point] {
        &self.curve
    }

    /// The text.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Takes the next step; `None` after the last.
    pub fn step(&mut self) -> Result<Option<StepReport>, TrainError> {
        let Some(mut step) = self.begin_step() else { return Ok(None) };
        while self.go_on(&mut step)? {}
        self.finish(step).map(Some)
    }

    /// Begins the next step; `None` after the last.
    pub fn begin_step(&self) -> Option<Step> {
        let steps = self.trainer.steps();
        let rate = self.recipe.schedule.rate(steps, self.recipe.steps);
        (steps < self.recipe.steps).then(|| Step::new(self.trainer.next_windows(&self.dataset), rate))
    }

    /// Computes the next part of a step; `false` once that was the last.
    pub fn go_on(&self, step: &mut Step) -> Result<bool, TrainError> {
        self.trainer.go_on(step)
    }

    /// Takes a step of which all parts are computed.
    pub fn finish(&mut self, step: Step) -> Result<StepReport, TrainError> {
        let report = self.trainer.finish(step)?;
        self.recent = (self.recent.0 + report.loss, self.recent.1 + 1);
        Ok(report)
    }

    /// Whether the curve gets a point behind the step that was taken last.
    pub fn has_point(&self) -> bool {
        self.recipe.has_point(self.steps())
    }

    /// Adds a point to the curve, for which it measures the held-out loss on [some windows](Recipe::windows).
    pub fn add_point(&mut self) -> Result<Point, TrainError> {
        let (sum, count) = std::mem::take(&mut self.recent);
        let held_out = match self.dataset.held_out() {
            [] => None,
            _ => Some(self.held_out_loss(self.recipe.windows())?),
        };
        let point = Point { step: self.steps(), train: sum / count as f64, held_out };
        self.curve.push(point);
        Ok(point)
    }

    /// The loss of the mean weights on at most so many windows of what is held out.
    pub fn held_out_loss(&self, windows: usize) -> Result<f64, TrainError> {
        let mut evaluation = self.begin_evaluation(windows)?;
        loop {
            if let Some(loss) = self.evaluate(&mut evaluation)? {
                return Ok(loss);
            }
        }
    }

    /// Begins to measure that loss. Until it is measured no step is taken; in a team, whatever else is asked for gives it up.
    pub fn begin_evaluation(&self, windows: usize) -> Result<Evaluation, TrainError> {
        let Some(place) = self.trainer.place() else { return Ok(Evaluation::new(self.trainer.mean()?, windows)) };
        let mut order = None;
        place.go_on(&mut order, Order::Evaluate(windows as u64))?;
        let mut evaluation = Evaluation::new(self.trainer.gathered_mean(true)?, windows);
        evaluation.order = order;
        Ok(evaluation)
    }

    /// Reads the next windows, one for each thread or member; the loss, once those were the last.
    pub fn evaluate(&self, evaluation: &mut Evaluation) -> Result<Option<f64>, TrainError> {
        let place = self.trainer.place();
        if let Some(place) = place {
            place.go_on(&mut evaluation.order, Order::Evaluate(0))?;
        }
        let (ids, threads) = (self.dataset.held_out(), self.trainer.threads());
        evaluation.go_on(&Reader { config: &self.config, ids, threads, place })
    }

    /// Windows that a model's loss on all that is held out is measured on.
    pub fn held_out_windows(&self) -> usize {
        self.dataset.held_out().len().saturating_sub(1) / self.config.context
    }

    /// Whether every weight is a number.
    pub fn is_finite(&self) -> Result<bool, TrainError> {
        self.trainer.is_finite()
    }

    /// The file of the mean weights, as the site and `generate` read it; its matrices as precise as this, or as the recipe says.
    pub fn model(&self, precision: Option<Precision>, name: &str) -> Result<Vec<u8>, TrainError> {
        let mut file = Vec::new();
        let checkpoint = Checkpoint {
            config: self.config.clone(),
            tokenizer: self.tokenizer.clone(),
            weights: self.trainer.mean()?.weights()?,
        };
        gguf::write_as(&checkpoint, Some(precision.unwrap_or(self.recipe.precision)), name, &mut file)?;
        Ok(file)
    }
}

/// A GGUF file of these weights, in float32.
pub(super) fn float32(
    config: &Config,
    tokenizer: &TokenizerSpec,
    parameters: &Parameters,
    name: &str,
) -> Result<Vec<u8>, TrainError> {
    let (weights, mut file) = (parameters.weights()?, Vec::new());
    let checkpoint = Checkpoint { config: config.clone(), tokenizer: tokenizer.clone(), weights };
    gguf::write(&checkpoint, name, &mut file)?;
    Ok(file)
}
