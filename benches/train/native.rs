//! Natively, as the command line asks.

use std::time::Instant;

use peargpt::kernels::product;
use peargpt::team::keep_candle_to_one_thread;
use peargpt::train::{Plan, Size, keep_freed_memory};

use super::products;

/// Steps before the first one that counts.
const WARM_UP: usize = 2;
/// Steps that count.
const STEPS: usize = 7;
/// Characters of tiny Shakespeare.
const VOCABULARY: u32 = 65;

/// Measures, and prints lines of JSON.
pub fn main() {
    keep_candle_to_one_thread();
    keep_freed_memory();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments == ["products"] {
        return products::measure().iter().for_each(|line| println!("{line}"));
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
    let (size, batch) = match shape.as_str() {
        "pear" => (Size::Pear, 8),
        "small" => (Size::Tiny, 12),
        other => panic!("expected pear or small, found {other}"),
    };
    let learning_rate = match optimizer.as_str() {
        "muon" => None,
        "adamw" => Some(1e-3),
        other => panic!("expected adamw or muon, found {other}"),
    };
    let plan = Plan { size, batch_size: Some(batch), dropout: Some(0.0), learning_rate, ..Plan::default() };
    let mut runs = tokens_per_second(&plan, threads.parse().unwrap());
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
fn tokens_per_second(plan: &Plan, threads: usize) -> Vec<f64> {
    let character = |index: u32| char::from(b'A' + ((index.wrapping_mul(2_654_435_761) >> 16) % VOCABULARY) as u8);
    let text: String = (0..100_000).map(character).collect();
    let mut run = plan.begin(&text, "", None).unwrap();
    run.set_threads(threads);
    let tokens = (run.recipe().settings.batch * run.config().context) as f64;
    let mut runs = Vec::new();
    for _ in 0..WARM_UP + STEPS {
        let begun = Instant::now();
        run.step().unwrap();
        runs.push(tokens / begun.elapsed().as_secs_f64());
    }
    runs.split_off(WARM_UP)
}
