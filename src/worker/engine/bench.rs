//! Measures for `#/bench`: prefill, decoding, and a plain read of the weights to compare with.

use std::ops::Range;

use super::super::channel::Channel;
use super::super::time::now;
use super::backend;
use super::open::Open;
use crate::app::protocol::BenchReport;
use crate::checkpoint::Model;
use crate::generation::Window;
use crate::generation::{Decoding, GenerationError, Step};
use crate::model::Gpt;
use crate::sampler::{Sampler, Sampling};

/// Number of passes over the weights; the fastest counts.
const READ_PASSES: usize = 5;
/// The tokens that show how slow a start is.
const START: Range<u32> = 10..100;
/// Milliseconds that can be measured: browsers round the clock to a tenth of one.
const TOLD_MS: f64 = 0.5;
/// Least bytes that a pass reads, since browsers round the clock. It reads small weights several times.
const READ_LEAST: u64 = 32 << 20;

/// Prefills `prompt_tokens` (at most a context), then decodes `tokens` greedily; `None` if a request came in between.
pub async fn measure(
    channel: &Channel,
    open: &Open,
    prompt_tokens: u32,
    tokens: u32,
) -> Result<Option<BenchReport>, GenerationError> {
    let Open { model, summary, .. } = open;
    let prompt_tokens = prompt_tokens.clamp(1, summary.context);
    let prompt = (0..prompt_tokens).map(|index| index.wrapping_mul(7919) % summary.vocabulary_size).collect();
    let greedy = Sampling { temperature: 0.0, ..Sampling::defaults(summary.vocabulary) };
    let mut decoding = Decoding::new(&model.gpt, prompt, Window::Rolling, Sampler::new(greedy, 0))?;
    let mut breathed = 0.0;
    let Some(prefill_ms) = time_token(channel, model, &mut decoding, &mut breathed).await? else { return Ok(None) };
    let mut times = Times::default();
    for _ in 0..tokens.max(1) {
        let Some(ms) = time_token(channel, model, &mut decoding, &mut breathed).await? else { return Ok(None) };
        times.push(ms);
    }
    Ok(Some(BenchReport {
        model: String::new(),
        parameters: summary.parameters,
        weight_bytes: summary.weight_bytes,
        backend: backend(model.gpt.threads()),
        threads: model.gpt.threads() as u32,
        load_ms: summary.load_ms,
        prefill_tokens: prompt_tokens,
        prefill_ms,
        decode_tokens: times.tokens,
        decode_tokens_per_second: f64::from(times.tokens) / times.ms * 1000.0,
        decode_ms_p50: times.percentile(0.5),
        decode_ms_p95: times.percentile(0.95),
        decode_start_ms: times.start_ms(),
        read_gb_per_second: read_speed(&model.gpt)?,
        wasm_memory_bytes: open.memory_bytes(),
        user_agent: String::new(),
    }))
}

/// The times of tokens.
#[derive(Default)]
struct Times {
    tokens: u32,
    /// Milliseconds of all tokens together.
    ms: f64,
    /// Milliseconds of those in [`START`].
    start_ms: f64,
    /// Mean milliseconds per token, each over as few tokens as the clock can measure.
    means: Vec<f64>,
    /// Tokens since the last mean, and their time.
    since: (u32, f64),
}

impl Times {
    fn push(&mut self, ms: f64) {
        if START.contains(&self.tokens) {
            self.start_ms += ms;
        }
        self.tokens += 1;
        self.ms += ms;
        self.since = (self.since.0 + 1, self.since.1 + ms);
        let (tokens, ms) = self.since;
        if ms >= TOLD_MS {
            self.means.push(ms / f64::from(tokens));
            self.since = (0, 0.0);
        }
    }

    /// Milliseconds per token of those in [`START`].
    fn start_ms(&self) -> Option<f64> {
        (self.tokens >= START.end).then(|| self.start_ms / START.len() as f64)
    }

    /// The time that this share of the tokens does not exceed.
    fn percentile(&self, share: f64) -> f64 {
        let mut means = self.means.clone();
        means.sort_by(f64::total_cmp);
        let last = means.len().saturating_sub(1) as f64;
        means.get((last * share).round() as usize).copied().unwrap_or(self.ms / f64::from(self.tokens.max(1)))
    }
}

/// Milliseconds of the steps to the next token, without those of the event loop; `None` if a request came in.
async fn time_token(
    channel: &Channel,
    model: &Model,
    decoding: &mut Decoding,
    breathed: &mut f64,
) -> Result<Option<f64>, GenerationError> {
    let mut ms = 0.0;
    loop {
        if channel.interrupted_between(breathed).await {
            return Ok(None);
        }
        let begun = now();
        let step = decoding.step(&model.gpt)?;
        ms += now() - begun;
        if let Step::Token(_) = step {
            return Ok(Some(ms));
        }
    }
}

/// 10⁹ bytes per second of one plain pass over the quantised weights, by all threads at once; 0 if there are none.
fn read_speed(gpt: &Gpt) -> Result<f64, GenerationError> {
    let mut bytes = gpt.read_weights()?;
    let repeats = READ_LEAST.div_ceil(bytes.max(1));
    let mut best_ms = f64::INFINITY;
    for _ in 0..READ_PASSES {
        let begun = now();
        for _ in 0..repeats {
            bytes = gpt.read_weights()?;
        }
        best_ms = best_ms.min((now() - begun) / repeats as f64);
    }
    Ok(if bytes == 0 || best_ms <= 0.0 { 0.0 } else { bytes as f64 / best_ms / 1e6 })
}
