//! Generates ids from ids: prefills in tiles, decodes one by one, and moves the window when the context is full.

use candle_core::Tensor;

use crate::generation::Window;
use crate::kernels::memory::{self, OutOfMemory};
use crate::kernels::ops::with_numbers;
use crate::model::{Gpt, KvCache, ModelError, Pass};
use crate::sampler::{Sampler, SamplerError, SamplerState};
use crate::tokenizer::TokenizerError;

/// Tokens that pass a block together, so that each weight is read once for all of them. A step takes a tile through one
/// block only, so that a Stop of the reader takes effect soon.
const PREFILL_TILE: usize = 128;

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
    /// Index in `ids` of the window's first id.
    start: usize,
    cache: KvCache,
    /// The ids that are being read into the cache.
    pass: Option<Pass>,
    window: Window,
    sampler: Sampler,
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
        let (cache, pass) = (gpt.new_cache()?, None);
        Ok(Decoding { ids: prompt, origins, start, cache, pass, window, sampler, forwarded_rows: 0, crossings: 0 })
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
        let mut pass = match self.pass.take().filter(|_| gpt.has(&self.cache)) {
            Some(pass) => pass,
            None => self.begin_tile(gpt)?,
        };
        let left = self.ids.len() - self.start - self.cache.len();
        while !gpt.next_block(&mut pass, &mut self.cache)? {
            if left > 1 {
                self.pass = Some(pass);
                return Ok(Step::Prefilled);
            }
        }
        self.forwarded_rows += pass.tokens() as u64;
        if self.start + self.cache.len() < self.ids.len() {
            return Ok(Step::Prefilled);
        }
        let logits = gpt.logits(pass)?; // [1, 1, vocabulary]
        self.draw(&logits).map(Step::Token)
    }

    fn begin_tile(&mut self, gpt: &Gpt) -> Result<Pass, ModelError> {
        // Other threads have read something else meanwhile; the same is read again.
        if !gpt.has(&self.cache) {
            self.cache.clear();
        }
        if self.visible() > gpt.config().context {
            self.move_window(gpt.config().context);
        }
        let begin = self.start + self.cache.len();
        gpt.begin(&self.ids[begin..self.ids.len().min(begin + PREFILL_TILE)], &self.cache)
    }

    /// Chooses the next id, and records what it was computed from.
    fn draw(&mut self, logits: &Tensor) -> Result<u32, GenerationError> {
        let origin = Origin { window_start: self.start, sampler: self.sampler.state() };
        let context = &self.ids[self.start..];
        let id = with_numbers(logits, |logits| self.sampler.sample(logits, context)).map_err(ModelError::from)??;
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
        self.start += match self.window {
            Window::Rolling => context - context / 2,
            Window::Exact => 1,
        };
        self.cache.clear();
        self.crossings += 1;
    }

    /// The prompt and everything after it.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The inputs from which the id at this index was computed; `None` for ids of the prompt.
    pub fn origin(&self, index: usize) -> Option<Origin> {
        self.origins.get(index.checked_sub(self.ids.len() - self.origins.len())?).copied()
    }

    /// The keys and values of the window, as far as they have been computed.
    pub fn cache(&self) -> &KvCache {
        &self.cache
    }

    /// Tokens from the window's start on: at most those of a context, and the one that was chosen last.
    pub fn visible(&self) -> usize {
        self.ids.len() - self.start
    }

    /// Tokens in the cache.
    pub fn cached(&self) -> usize {
        self.cache.len()
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
