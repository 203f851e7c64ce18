//! How long a token of a model takes with so many members, before its weights are here: they compute with weights of the
//! same shape, but fewer blocks.

use crate::app::catalog::Shape;
use crate::app::threads::{Speeds, candidates};
use crate::checkpoint::random;
use crate::generation::{Decoding, GenerationError, Window};
use crate::model::config::{Activation, Head};
use crate::model::{Config, Gpt, Member};
use crate::sampler::{Sampler, Sampling};
use crate::tokenizer::Vocabulary;

use super::super::time::{Breath, now};
use super::{Crew, Team};

/// Milliseconds of each measurement.
const WORK_MS: f64 = 30.0;
/// How often each is made; the fastest counts. In the first ones the browser may still compile.
const ROUNDS: usize = 2;

/// Blocks and vocabulary that it has at most.
const LAYERS: usize = 2;
const VOCABULARY: usize = 2048;
const CONTEXT: usize = 128;

/// The shape of what is computed.
pub fn reduced(shape: &Shape) -> Config {
    Config {
        layers: shape.layers.min(LAYERS),
        heads: shape.heads,
        n_embd: shape.n_embd,
        n_inner: shape.n_inner,
        context: CONTEXT,
        vocabulary_size: shape.vocabulary_size.min(VOCABULARY),
        layer_norm_epsilon: 1e-5,
        activation: Activation::GeluNew,
        head: Head::Tied,
        qkv_bias: true,
    }
}

/// The matrices' weights, which a token's time goes with.
fn matrices(config: &Config) -> f64 {
    let Config { layers, n_embd, n_inner, vocabulary_size, .. } = *config;
    (layers * (4 * n_embd * n_embd + 2 * n_embd * n_inner) + vocabulary_size * n_embd) as f64
}

/// The whole shape's time by that of what is computed.
fn scale(shape: &Shape, trial: &Config) -> f64 {
    let whole = Config { layers: shape.layers, vocabulary_size: shape.vocabulary_size, ..trial.clone() };
    matrices(&whole) / matrices(trial)
}

/// A member's share of what is computed.
pub fn model(config: &Config, member: Member) -> Result<Gpt, String> {
    let mut weights = random::uniform(config, member.share()).map_err(|error| error.to_string())?;
    Gpt::load_member(config, &mut weights, member).map_err(|error| error.to_string())
}

/// Measures 1, 2, 4, … members, as far as there are cores and as workers can be had. They are in `crew` then.
pub async fn measure(shape: &Shape, cores: u32, crew: &mut Crew) -> Speeds {
    let (config, mut speeds) = (reduced(shape), Speeds { shape: shape.name(), ms: Vec::new() });
    let Ok(breath) = Breath::new() else { return speeds };
    for threads in (0..ROUNDS).flat_map(|_| candidates(cores)) {
        let Ok(ms) = time(&config, threads, crew).await else { break };
        let ms = ms * scale(shape, &config);
        let earlier = speeds.ms.iter().find(|(others, _)| *others == threads);
        if earlier.is_none_or(|(_, earlier)| ms < *earlier) {
            speeds.note(threads, ms);
        }
        let _ = breath.take().await;
    }
    speeds
}

/// Milliseconds of a token with so many threads; an error says why they cannot.
async fn time(config: &Config, threads: u32, crew: &mut Crew) -> Result<f64, String> {
    if threads == 1 {
        return tokens(&model(config, Member::alone())?).map_err(|error| error.to_string());
    }
    let team = Team::form_for_trial(config, threads as usize, crew).await?;
    team.loaded().await?;
    let ms = tokens(&model(config, team.leader())?).map_err(|error| error.to_string())?;
    team.dismiss(crew);
    Ok(ms)
}

fn tokens(gpt: &Gpt) -> Result<f64, GenerationError> {
    let sampler = Sampler::new(Sampling::defaults(Vocabulary::Characters), 1);
    let mut decoding = Decoding::new(gpt, vec![0], Window::Rolling, sampler)?;
    // The prompt, and whatever comes first.
    decoding.step(gpt)?;
    decoding.step(gpt)?;
    let (begun, mut tokens) = (now(), 0);
    while now() - begun < WORK_MS {
        decoding.step(gpt)?;
        tokens += 1;
    }
    Ok((now() - begun) / f64::from(tokens.max(1)))
}
