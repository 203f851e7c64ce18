//! candle as it comes, in a browser: plain float32 `Linear`, `LayerNorm`, softmax and `KvCache` on the shapes of the
//! site's two models, with random weights. `cargo xtask bench` builds it and measures it beside the site.

mod model;

use wasm_bindgen::prelude::*;

use model::{Gpt, Shape};

#[wasm_bindgen]
extern "C" {
    /// Milliseconds on a clock that never goes back.
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn now() -> f64;
}

/// What was measured.
#[wasm_bindgen]
pub struct Timing {
    /// From the ids of the prompt to the first token.
    pub prefill_ms: f64,
    /// Tokens per second after it.
    pub decode_tokens_per_second: f64,
}

/// Reads `prompt_tokens` at once, then decodes `tokens` greedily, as the site's own bench does.
#[wasm_bindgen]
pub fn measure(model: &str, prompt_tokens: u32, tokens: u32) -> Result<Timing, JsError> {
    let shape = Shape::named(model)
        .ok_or_else(|| JsError::new(&format!("expected `peargpt` or `gpt2` as the model, found `{model}`")))?;
    let mut gpt = Gpt::random(shape)?;
    let prompt: Vec<u32> = (0..prompt_tokens).map(|index| index.wrapping_mul(7919) % shape.vocabulary as u32).collect();
    let begun = now();
    let mut id = gpt.next(&prompt)?;
    let prefilled = now();
    for _ in 0..tokens {
        id = gpt.next(&[id])?;
    }
    let decode_ms = now() - prefilled;
    Ok(Timing { prefill_ms: prefilled - begun, decode_tokens_per_second: f64::from(tokens) * 1000.0 / decode_ms })
}
