//! Measures a training step natively: forward, backward, AdamW or Muon, without dropout. Prints lines of JSON like
//! `pytorch.py`, which is run in turn with it:
//!
//! `cargo bench --bench train -- pear adamw 2` for the shape, the optimizer and the threads; a fourth word names a
//! kernel (`AVX2`) in place of the fastest. `-- products` measures the products alone.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]
#![cfg(not(target_arch = "wasm32"))]

mod products;

use std::time::Instant;

use peargpt::kernels::product;
use peargpt::model::Config;
use peargpt::team::keep_candle_to_one_thread;
use peargpt::train::optimizer::Optimizers;
use peargpt::train::{Dataset, Parameters, Settings, Size, Trainer, keep_freed_memory, leaf};

/// Steps before the first one that counts.
const WARM_UP: usize = 2;
/// Steps that count.
const STEPS: usize = 7;
/// Characters of tiny Shakespeare.
const VOCABULARY: usize = 65;

fn main() {
    keep_candle_to_one_thread();
    keep_freed_memory();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments == ["products"] {
        return products::measure();
    }
    let (arguments, kernel) = arguments.split_at(arguments.len().min(3));
    let known = product::kernels().find(|known| kernel.first().is_none_or(|name| known.name == name));
    let (Some(known), 0..=1, [shape, optimizer, threads]) = (known, kernel.len(), arguments) else {
        eprintln!(
            "expected products, or a shape (pear, small), an optimizer (adamw, muon), threads and a kernel of this machine, \
             found {arguments:?} {kernel:?}"
        );
        std::process::exit(2);
    };
    product::select(known);
    let (config, batch) = match shape.as_str() {
        "pear" => (Size::Pear.config(VOCABULARY), 8),
        "small" => (Size::Tiny.config(VOCABULARY), 12),
        other => panic!("expected pear or small, found {other}"),
    };
    let optimizers = match optimizer.as_str() {
        "muon" => Optimizers::muon(),
        "adamw" => Optimizers::adamw(1e-3),
        other => panic!("expected adamw or muon, found {other}"),
    };
    let mut runs = tokens_per_second(&config, batch, optimizers, threads.parse().unwrap());
    let told = runs.iter().map(|run| format!("{run:.1}")).collect::<Vec<_>>().join(", ");
    runs.sort_by(f64::total_cmp);
    println!(
        "{{\"threads\": {threads}, \"shape\": \"{shape}\", \"optimizer\": \"{optimizer}\", \"kernel\": \"{}\", \
         \"tokens_per_second\": {:.1}, \"runs\": [{told}]}}",
        product::selected().name,
        runs[STEPS / 2]
    );
}

/// Those of each step that counts.
fn tokens_per_second(config: &Config, batch: usize, optimizers: Optimizers, threads: usize) -> Vec<f64> {
    let settings = Settings { batch, leaf: leaf(config), dropout: 0.0, clip: 1.0, ema: 0.995, seed: 1 };
    let ids = (0..100_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 16) % VOCABULARY as u32).collect();
    let dataset = Dataset::new(ids, 0.1, config.context, 1).unwrap();
    let mut trainer = Trainer::new(config, settings, Parameters::random(config, 1).unwrap(), optimizers).unwrap();
    trainer.set_threads(threads);
    let mut runs = Vec::new();
    for _ in 0..WARM_UP + STEPS {
        let windows = trainer.next_windows(&dataset);
        let begun = Instant::now();
        trainer.step(&windows, 1.0).unwrap();
        runs.push((batch * config.context) as f64 / begun.elapsed().as_secs_f64());
    }
    runs.split_off(WARM_UP)
}
