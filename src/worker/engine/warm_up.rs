//! Computes with a small model of random weights while there is nothing else to do, so that the browser compiles the
//! kernels well before the first text: it first runs slow code, and makes faster code of what runs often.

use std::cell::Cell;
use std::rc::Rc;

use super::super::time::{Breath, now, sleep};
use crate::checkpoint::random;
use crate::generation::{Decoding, GenerationError, Window};
use crate::model::config::{Activation, Head};
use crate::model::{Config, Gpt};
use crate::sampler::{Sampler, Sampling};
use crate::tokenizer::Vocabulary;

/// Milliseconds before it begins: a model that is stored is open by then.
const DELAY_MS: u32 = 250;
/// Milliseconds of computing, and of those between two looks at the event loop.
const WORK_MS: f64 = 160.0;
const SLICE_MS: f64 = 4.0;

/// Every kernel is used, and a prompt fills a tile.
const SHAPE: Config = Config {
    layers: 1,
    heads: 2,
    n_embd: 128,
    n_inner: 512,
    context: 256,
    vocabulary_size: 512,
    layer_norm_epsilon: 1e-5,
    activation: Activation::GeluNew,
    head: Head::Tied,
    qkv_bias: true,
};

/// Whether it goes on.
#[derive(Clone, Default)]
pub struct WarmUp(Rc<Cell<bool>>);

impl WarmUp {
    /// Ends it: there is something to do.
    pub fn end(&self) {
        self.0.set(true);
    }

    /// Runs until it is ended, or has done enough.
    pub async fn run(self) {
        // Where the browser has no memory or no timers for it, texts begin as slowly as they would.
        let Ok(()) = sleep(DELAY_MS).await else { return };
        if self.0.get() {
            return;
        }
        let (Ok(breath), Ok(mut work)) = (Breath::new(), Work::new()) else { return };
        let mut worked = 0.0;
        while worked < WORK_MS && !self.0.get() {
            let begun = now();
            while now() - begun < SLICE_MS {
                let Ok(()) = work.step() else { return };
            }
            worked += now() - begun;
            let Ok(()) = breath.take().await else { return };
        }
    }
}

/// Prompts, and the first tokens after them, in turn.
struct Work {
    gpt: Gpt,
    decoding: Decoding,
}

impl Work {
    fn new() -> Result<Self, GenerationError> {
        let mut weights = random::weights(&SHAPE, 1).map_err(|_| GenerationError::Empty)?;
        let gpt = Gpt::load(&SHAPE, &mut weights)?;
        let decoding = text(&gpt)?;
        Ok(Work { gpt, decoding })
    }

    fn step(&mut self) -> Result<(), GenerationError> {
        self.decoding.step(&self.gpt)?;
        if self.decoding.visible() > PROMPT as usize + TOKENS {
            self.decoding = text(&self.gpt)?;
        }
        Ok(())
    }
}

const PROMPT: u32 = 128;
const TOKENS: usize = 16;

fn text(gpt: &Gpt) -> Result<Decoding, GenerationError> {
    let sampler = Sampler::new(Sampling::defaults(Vocabulary::BytePairs), 1);
    Decoding::new(gpt, (0..PROMPT).map(|id| id * 3).collect(), Window::Rolling, sampler)
}
