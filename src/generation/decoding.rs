//! Generates ids from ids: prefills in tiles, decodes one by one, and moves the window when the context is full.

use candle_core::Tensor;

use super::reading::Reading;
use super::take::Takes;
use super::{Take, Window};
use crate::kernels::memory::{self, OutOfMemory};
use crate::kernels::ops::with_numbers;
use crate::model::{Gpt, KvCache, ModelError, Outputs, Part};
use crate::sampler::{Prediction, Sampler, SamplerError, SamplerState};
use crate::tokenizer::TokenizerError;

/// Tokens for which memory is reserved at the start: 5000 words of characters. Moving the ids while a text grows would
/// leave holes in a memory that never shrinks.
const RESERVED: usize = 32 << 10;

/// Why a text cannot be started or continued.
#[derive(Debug, thiserror::Error)]
pub enum GenerationError {
    /// The prompt has characters that the model does not know.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There is no room for the text.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// No token can be chosen.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// The text has a token that the model does not have.
    #[error("the text has token {id}, and the model has {size} tokens: the text is another model's")]
    UnknownId {
        /// The token.
        id: u32,
        /// Tokens of the model.
        size: usize,
    },
    /// A token of the prompt is to be replaced.
    #[error("tokens can be taken from position {prompt} on, behind the prompt, found position {position}")]
    TakenPrompt {
        /// The position.
        position: u32,
        /// Tokens of the prompt, its start token included.
        prompt: usize,
    },
    /// Two tokens are to stand at one position.
    #[error("one token can be taken at a position, found two at position {position}")]
    TakenTwice {
        /// The position.
        position: u32,
    },
    /// There is no token to start from.
    #[error("a text starts from at least one token, found none")]
    Empty,
}

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

    /// Goes back to where these tokens begin to differ from those that are taken so far, and returns that position. What
    /// follows is then as if these had been taken from the start; keys and values before it are kept if they are of the
    /// same window.
    pub fn fork(&mut self, gpt: &Gpt, takes: &[Take]) -> Result<usize, GenerationError> {
        let takes = Takes::new(takes, self.prompt_len(), gpt.config().vocabulary_size)?;
        let first = self.takes.first_difference(&takes);
        self.takes = takes;
        let Some((position, origin)) = first.and_then(|first| Some((first, self.origin(first)?))) else {
            return Ok(self.ids.len());
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
        Ok(position)
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
mod tests {
    use super::*;
    use crate::model::Config;
    use crate::sampler::Sampling;
    use crate::testing::{random_gpt, small};
    use crate::tokenizer::Vocabulary;

    fn greedy() -> Sampler {
        Sampler::new(Sampling { temperature: 0.0, ..Sampling::defaults(Vocabulary::Characters) }, 0)
    }

    /// The likeliest token after `ids`, computed from scratch.
    fn likeliest(gpt: &Gpt, ids: &[u32]) -> u32 {
        let logits = gpt.forward_all(ids, None).unwrap();
        let last = logits.narrow(0, ids.len() - 1, 1).unwrap().flatten_all().unwrap();
        last.argmax(0).unwrap().to_scalar().unwrap()
    }

    fn next_token(decoding: &mut Decoding, gpt: &Gpt) -> u32 {
        loop {
            if let Step::Token(id) = decoding.step(gpt).unwrap() {
                return id;
            }
        }
    }

    #[test]
    fn exact_windows_equal_recomputing_the_last_context_for_every_token() {
        let gpt = random_gpt(&small(), 5);
        let mut decoding = Decoding::new(&gpt, vec![3], Window::Exact, greedy()).unwrap();
        let mut ids = vec![3];
        for _ in 0..80 {
            let expected = likeliest(&gpt, &ids[ids.len().saturating_sub(32)..]);
            let rows = decoding.forwarded_rows();
            assert_eq!(next_token(&mut decoding, &gpt), expected, "after {} tokens", ids.len());
            let read = if ids.len() > 32 { 32 } else { 1 };
            assert_eq!(decoding.forwarded_rows() - rows, read, "after {} tokens", ids.len());
            ids.push(expected);
        }
    }

    #[test]
    fn rolling_windows_read_half_a_context_again_per_crossing() {
        let gpt = random_gpt(&small(), 6);
        let mut decoding = Decoding::new(&gpt, vec![3, 1, 4], Window::Rolling, greedy()).unwrap();
        let (mut ids, mut start) = (vec![3, 1, 4], 0);
        for token in 0..100 {
            if ids.len() - start > 32 {
                start += 16;
            }
            assert_eq!(next_token(&mut decoding, &gpt), likeliest(&gpt, &ids[start..]), "token {token}");
            ids = decoding.ids().to_vec();
            let crossings = start as u64 / 16;
            assert_eq!(u64::from(decoding.crossings()), crossings);
            assert_eq!(decoding.forwarded_rows(), 3 + token + 16 * crossings);
        }
        assert_eq!(decoding.crossings(), 5);
    }

    #[test]
    fn of_a_prompt_longer_than_the_context_the_end_is_read() {
        let gpt = random_gpt(&small(), 7);
        let prompt: Vec<u32> = (0..75).map(|i| i * 5 % 27).collect();
        for window in [Window::Rolling, Window::Exact] {
            let mut decoding = Decoding::new(&gpt, prompt.clone(), window, greedy()).unwrap();
            assert_eq!(decoding.visible(), 32);
            assert_eq!(next_token(&mut decoding, &gpt), likeliest(&gpt, &prompt[43..]));
            assert_eq!(decoding.forwarded_rows(), 32);
        }
    }

    #[test]
    fn a_token_can_be_computed_again_from_what_is_noted_of_it() {
        let gpt = random_gpt(&small(), 9);
        let sampling = Sampling { temperature: 1.5, ..Sampling::defaults(Vocabulary::Characters) };
        let mut decoding =
            Decoding::new(&gpt, vec![3, 1, 4], Window::Rolling, Sampler::new(sampling.clone(), 5)).unwrap();
        for _ in 0..90 {
            next_token(&mut decoding, &gpt);
        }
        assert_eq!((decoding.origin(2), decoding.origin(93)), (None, None));
        let mut again = Sampler::new(sampling, 0);
        for index in 3..93 {
            let Origin { window_start, sampler } = decoding.origin(index).unwrap();
            let seen = &decoding.ids()[window_start..index];
            let logits = gpt.next_logits(seen, &mut gpt.new_cache().unwrap()).unwrap().to_vec1().unwrap();
            again.set_state(sampler);
            assert_eq!(again.sample(&logits, seen), Ok(decoding.ids()[index]), "token {index}");
        }
        assert!(decoding.origin(92).unwrap().window_start > 0, "the window has moved");
    }

    #[test]
    fn a_text_goes_on_from_its_ids_as_it_would_have_gone_on() {
        let gpt = random_gpt(&small(), 10);
        let sampling = Sampling { temperature: 1.5, ..Sampling::defaults(Vocabulary::Characters) };
        for (window, prompt) in
            [Window::Rolling, Window::Exact].into_iter().flat_map(|window| [(window, 3), (window, 40)])
        {
            let prompt: Vec<u32> = (0..prompt).map(|index| index * 5 % 27).collect();
            let begin = || Decoding::new(&gpt, prompt.clone(), window, Sampler::new(sampling.clone(), 5)).unwrap();
            let mut whole = begin();
            for _ in 0..100 {
                next_token(&mut whole, &gpt);
            }
            for drawn in [0, 1, 28, 29, 30, 45, 99] {
                let mut resumed = begin();
                resumed.append(&gpt, &whole.ids()[prompt.len()..][..drawn]).unwrap();
                for _ in drawn..100 {
                    next_token(&mut resumed, &gpt);
                }
                assert_eq!(resumed.ids(), whole.ids(), "{window:?} after {drawn}");
                assert_eq!(resumed.crossings(), whole.crossings(), "{window:?} after {drawn}");
                let origins =
                    |decoding: &Decoding| (0..whole.ids().len()).map(|id| decoding.origin(id)).collect::<Vec<_>>();
                assert_eq!(origins(&resumed), origins(&whole), "{window:?} after {drawn}");
            }
        }
        let unknown = Decoding::new(&gpt, vec![1], Window::Rolling, greedy()).unwrap().append(&gpt, &[27]);
        assert!(matches!(unknown, Err(GenerationError::UnknownId { id: 27, size: 27 })));
    }

    #[test]
    fn a_step_takes_a_tile_through_a_block_or_one_token_through_all() {
        let gpt = random_gpt(&Config { context: 300, ..small() }, 8);
        let mut decoding = Decoding::new(&gpt, vec![1; 300], Window::Rolling, greedy()).unwrap();
        let mut steps = Vec::new();
        for _ in 0..11 {
            let before = decoding.forwarded_rows();
            let is_token = matches!(decoding.step(&gpt).unwrap(), Step::Token(_));
            steps.push((decoding.forwarded_rows() - before, is_token));
        }
        // There are two blocks, so a tile takes two steps.
        let prompt = [(0, false), (128, false), (0, false), (128, false), (0, false), (44, true)];
        let window = [(0, false), (128, false), (0, false), (23, true), (1, true)];
        assert_eq!(steps, [prompt.as_slice(), &window].concat());
    }

    #[test]
    fn nothing_to_go_on_from_is_an_error() {
        let gpt = random_gpt(&small(), 9);
        assert!(matches!(Decoding::new(&gpt, vec![], Window::Rolling, greedy()), Err(GenerationError::Empty)));
    }
}
