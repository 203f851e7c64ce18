//! Generates ids from ids: prefills in tiles, decodes one by one, and moves the window when the context is full.

use candle_core::Tensor;

use super::error::GenerationError;
use super::reading::Reading;
use super::take::Takes;
use super::{Take, Window};
use crate::kernels::memory;
use crate::kernels::ops::with_numbers;
use crate::model::{Gpt, KvCache, ModelError, Outputs, Part};
use crate::sampler::{Prediction, Sampler, SamplerError, SamplerState};

/// Tokens for which memory is reserved at the start: 5000 words of characters. Moving the ids while a text grows would
/// leave holes in a memory that never shrinks.
const RESERVED: usize = 32 << 10;

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A tile has passed one block. The next token needs more steps.
    Prefilled,
    /// The last rows have been read, and this token was chosen.
    Token(u32),
}

/// The inputs from which a token was computed, beside the ids before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Index of the first id that the model saw.
    pub window_start: usize,
    /// The sampler's state before the token was drawn.
    pub sampler: SamplerState,
}

/// The ids of a text, and the window of them that the model sees.
#[derive(Debug)]
pub struct Decoding {
    ids: Vec<u32>,
    /// The origin of each id behind the prompt.
    origins: Vec<Origin>,
    /// How the model rated each id behind the prompt, where that was recorded.
    predictions: Vec<Option<Prediction>>,
    is_recording: bool,
    /// Index in `ids` of the window's first id.
    start: usize,
    reading: Reading,
    window: Window,
    sampler: Sampler,
    takes: Takes,
    forwarded_rows: u64,
    crossings: u32,
}

impl Decoding {
    /// A text that continues `prompt`. If the prompt is longer than the context, the model sees its end.
    pub fn new(gpt: &Gpt, mut prompt: Vec<u32>, window: Window, sampler: Sampler) -> Result<Self, GenerationError> {
        if prompt.is_empty() {
            return Err(GenerationError::Empty);
        }
        let mut origins = Vec::new();
        memory::reserve(&mut prompt, RESERVED)?;
        memory::reserve(&mut origins, RESERVED)?;
        let start = prompt.len().saturating_sub(gpt.config().context);
        Ok(Decoding {
            ids: prompt,
            origins,
            predictions: Vec::new(),
            is_recording: false,
            start,
            reading: Reading::new(gpt, &[])?,
            window,
            sampler,
            takes: Takes::default(),
            forwarded_rows: 0,
            crossings: 0,
        })
    }

    /// Switches these parts of the model off. Must come before the first step.
    pub fn switch_off(&mut self, gpt: &Gpt, off: &[Part]) -> Result<(), ModelError> {
        if !off.is_empty() {
            self.reading = Reading::new(gpt, off)?;
        }
        Ok(())
    }

    /// Has these tokens stand at their positions, whatever is drawn there. Must come before the first step.
    pub fn take(&mut self, gpt: &Gpt, takes: &[Take]) -> Result<(), GenerationError> {
        self.takes = Takes::new(takes, self.prompt_len(), gpt.config().vocabulary_size)?;
        Ok(())
    }

    /// Goes back to where these tokens begin to differ from those that are taken so far, and returns that position; `None`
    /// if that is not in the text. What follows is then as if these had been taken from the start; keys and values before it
    /// are kept if they are of the same window.
    pub fn fork(&mut self, gpt: &Gpt, takes: &[Take]) -> Result<Option<usize>, GenerationError> {
        let takes = Takes::new(takes, self.prompt_len(), gpt.config().vocabulary_size)?;
        let first = self.takes.first_difference(&takes);
        self.takes = takes;
        let Some((position, origin)) = first.and_then(|first| Some((first, self.origin(first)?))) else {
            return Ok(None);
        };
        let prompt = self.prompt_len();
        self.ids.truncate(position);
        self.origins.truncate(position - prompt);
        self.predictions.truncate(position - prompt);
        self.sampler.set_state(origin.sampler);
        let kept = if origin.window_start == self.start { position - 1 - self.start } else { 0 };
        self.reading.truncate(kept);
        self.start = origin.window_start;
        let context = gpt.config().context;
        let moved = self.start - prompt.saturating_sub(context);
        self.crossings = (moved / self.stride(context)) as u32;
        Ok(Some(position))
    }

    /// Whether to record how the model rates each token from now on.
    pub fn record_predictions(&mut self, is_recording: bool) {
        self.is_recording = is_recording;
    }

    /// Appends ids that were drawn before, without computing anything: window and random numbers are then as if each had
    /// been drawn here. The next step begins to read the window. Must come before the first step.
    pub fn append(&mut self, gpt: &Gpt, drawn: &[u32]) -> Result<(), GenerationError> {
        let (context, size) = (gpt.config().context, gpt.config().vocabulary_size);
        if let Some(id) = drawn.iter().copied().find(|id| *id as usize >= size) {
            return Err(GenerationError::UnknownId { id, size });
        }
        for id in drawn {
            let origin = Origin { window_start: self.start, sampler: self.sampler.state() };
            self.sampler.skip();
            self.record(*id, origin)?;
            if self.visible() > context {
                self.move_window(context);
            }
        }
        Ok(())
    }

    /// Takes a prefill tile through one block, or decodes one token.
    pub fn step(&mut self, gpt: &Gpt) -> Result<Step, GenerationError> {
        if self.visible() > gpt.config().context {
            self.move_window(gpt.config().context);
        }
        let Some(pass) = self.reading.step(gpt, &self.ids[self.start..], Outputs::Last)? else {
            return Ok(Step::Prefilled);
        };
        self.forwarded_rows += pass.tokens() as u64;
        if self.cached() < self.visible() {
            return Ok(Step::Prefilled);
        }
        let logits = gpt.logits(pass)?; // [1, 1, vocabulary]
        self.choose(&logits).map(Step::Token)
    }

    /// Chooses the next id, and records what it was computed from.
    fn choose(&mut self, logits: &Tensor) -> Result<u32, GenerationError> {
        let origin = Origin { window_start: self.start, sampler: self.sampler.state() };
        let (context, taken, is_recording) =
            (&self.ids[self.start..], self.takes.at(self.ids.len()), self.is_recording);
        let choose = |logits: &[f32]| {
            let id = match taken {
                Some(id) => {
                    self.sampler.skip();
                    id
                }
                None => self.sampler.sample(logits, context)?,
            };
            Ok::<_, SamplerError>((id, is_recording.then(|| Prediction::of(logits, id))))
        };
        let (id, prediction) = with_numbers(logits, choose).map_err(ModelError::from)??;
        if prediction.is_some() {
            let more = self.origins.len() + 1 - self.predictions.len();
            memory::reserve(&mut self.predictions, more)?;
            self.predictions.resize(self.origins.len(), None);
            self.predictions.push(prediction);
        }
        self.record(id, origin)?;
        Ok(id)
    }

    fn record(&mut self, id: u32, origin: Origin) -> Result<(), GenerationError> {
        memory::reserve(&mut self.ids, 1)?;
        memory::reserve(&mut self.origins, 1)?;
        self.ids.push(id);
        self.origins.push(origin);
        Ok(())
    }

    /// Moves the window past the older half of a full cache, or past its oldest token. The rest is read again, since
    /// its positions have changed.
    fn move_window(&mut self, context: usize) {
        self.start += self.stride(context);
        self.reading.truncate(0);
        self.crossings += 1;
    }

    fn stride(&self, context: usize) -> usize {
        match self.window {
            Window::Rolling => context - context / 2,
            Window::Exact => 1,
        }
    }

    /// Tokens of the prompt, its start token included.
    pub fn prompt_len(&self) -> usize {
        self.ids.len() - self.origins.len()
    }

    /// The token that is taken at this index, if one is.
    pub fn taken(&self, index: usize) -> Option<u32> {
        self.takes.at(index)
    }

    /// The start of the window that the id at this index was computed from, or, behind the last id, will be. Of a prompt's
    /// ids: the window in which they are read, or, where that begins later, as many as the context has.
    pub fn window_of(&self, gpt: &Gpt, index: usize) -> usize {
        let (context, prompt) = (gpt.config().context, self.prompt_len());
        match self.origin(index) {
            Some(origin) => origin.window_start,
            None if index < prompt => {
                let start = prompt.saturating_sub(context);
                if index > start { start } else { index.saturating_sub(context) }
            }
            None if self.visible() > context => self.start + self.stride(context),
            None => self.start,
        }
    }

    /// The start of the present window.
    pub fn window_start(&self) -> usize {
        self.start
    }

    /// How the model rated the id at this index, if that was recorded.
    pub fn prediction(&self, index: usize) -> Option<Prediction> {
        *self.predictions.get(index.checked_sub(self.prompt_len())?)?
    }

    /// How tokens are drawn.
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// The present window, as far as it has been read.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The same, for who looks inside.
    pub fn reading_mut(&mut self) -> &mut Reading {
        &mut self.reading
    }

    /// The prompt and everything after it.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The inputs from which the id at this index was computed; `None` for ids of the prompt.
    pub fn origin(&self, index: usize) -> Option<Origin> {
        self.origins.get(index.checked_sub(self.prompt_len())?).copied()
    }

    /// The keys and values of the window, as far as they have been computed.
    pub fn cache(&self) -> &KvCache {
        self.reading.cache()
    }

    /// Tokens from the window's start on: at most those of a context, and the one that was chosen last.
    pub fn visible(&self) -> usize {
        self.ids.len() - self.start
    }

    /// Tokens in the cache.
    pub fn cached(&self) -> usize {
        self.reading.cache().len()
    }

    /// Rows that went through the model: the prompt's, one per token, and those that were read again after the window
    /// moved.
    pub fn forwarded_rows(&self) -> u64 {
        self.forwarded_rows
    }

    /// How often the window has moved.
    pub fn crossings(&self) -> u32 {
        self.crossings
    }
}

#[cfg(test)]
mod tests;
