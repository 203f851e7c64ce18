//! What the site must reach, and how far it is.

use crate::samples::Figures;
use crate::table::{Bound, Finding, Target};

/// The bench page with GPT-2's shape and random weights, after a prompt of 64 tokens.
pub const GPT2: &str = "GPT-2, prompt of 64";
/// The same after 512.
pub const GPT2_LONG: &str = "GPT-2, prompt of 512";
/// The same where decoding passes position 1,000.
pub const GPT2_LATE: &str = "GPT-2, prompt of 970";
/// The bench page with pearGPT.
pub const PEARGPT: &str = "pearGPT, prompt of 64";
/// candle's plain float32 layers on pearGPT's shape.
pub const CANDLE: &str = "candle f32, pearGPT's shape";
/// 5,000 words on pearGPT's page.
pub const WORDS: &str = "pearGPT, 5,000 words";
/// The same with two threads.
pub const WORDS_TWO: &str = "pearGPT, 5,000 words, 2 threads";
/// A megabyte pasted over another into the prompt on pearGPT's page.
pub const PASTE: &str = "pearGPT, 1 MB pasted over 1 MB";
/// The same into a text area alone.
pub const BARE: &str = "bare text area, 1 MB pasted over 1 MB";
/// pearGPT's page for a browser that has never seen it, over a slow line, text and programs compressed.
pub const VISIT: &str = "first visit, brotli";
/// The same with nothing compressed.
pub const PLAIN_VISIT: &str = "first visit, uncompressed";
/// The files that are built.
pub const FILES: &str = "files, brotli";

/// The rivals that one target each is about.
pub const WLLAMA: &str = "wllama Q8_0, 1 thread";
/// The same weights, with the threads that wllama would take here.
pub const WLLAMA_THREADS: &str = "wllama Q8_0, 2 threads";

/// Tokens per second after the prompt.
pub const DECODE: &str = "decoding, tokens/s";
/// From the prompt's ids to the first token.
pub const FIRST_TOKEN: &str = "prompt to first token, ms";
/// The browser engines whose start is measured.
pub const ENGINES: [&str; 3] = ["Chromium", "Firefox", "WebKitGTK"];
/// Of a page that was just opened: one of tokens 10 to 100.
pub const COLD_TOKEN: &str = "tokens 10 to 100, ms each";
/// The median token of later runs.
pub const WARM_TOKEN: &str = "later, ms each";
/// A prompt of 64 tokens, the first that a page reads.
pub const COLD_PROMPT: &str = "first prompt of 64, ms";
/// One of those that follow.
pub const WARM_PROMPT: &str = "later prompts of 64, ms";
/// From the weights to a model that is ready.
pub const LOAD: &str = "loading, ms";
/// One plain pass over the 8-bit weights, a byte a weight: decoding a token cannot take less.
pub const FLOOR: &str = "one read of the weights, ms";
/// The products that learning takes, by jax-js.
pub const JAX: &str = "jax-js, 1 thread";
/// Multiplications and additions per second in them.
pub const PRODUCTS: &str = "products of 8 × 320, 10⁹ a second";
/// Tokens that are learned in a second.
pub const LEARNED: &str = "learning, tokens/s";
/// Shapes that are trained, as parameters of the address.
pub const SHAPES: [(&str, &str); 2] = [(PEAR, "size=pear&batch_size=8"), (TINY, "size=tiny&batch_size=12")];
const PEAR: &str = "8 × 320, B 8";
const TINY: &str = "4 × 128, B 12";
/// pearGPT's weights: multiplications and additions of a token are six times as many (Kaplan et al. 2020).
const WEIGHTS: f64 = 9_967_040.0;
/// WebAssembly memory.
pub const MEMORY: &str = "WebAssembly memory, MB";
/// From the click to the last letter, or from the address to the first.
pub const SECONDS: &str = "time, s";
/// Of those, what is left when the bytes are taken at the line's rate.
pub const NOT_TRANSFER: &str = "of it not transfer, s";
/// What came over the line.
pub const MEGABYTES: &str = "sent, MB";
/// Length of the text.
pub const CHARACTERS: &str = "characters";
/// The longest task on the page's thread; 0 if none reached the 50 ms from which browsers report them.
pub const LONGEST_TASK: &str = "longest task (0: none of 50), ms";
/// The longest time between two frames.
pub const LONGEST_GAP: &str = "longest gap between frames, ms";
/// How long the page's thread was busy, in tasks of at least 50 ms.
pub const BUSY: &str = "page's thread busy, ms";
/// The worker's program, the longest build.
pub const WORKER_BYTES: &str = "worker's WebAssembly, bytes";
/// The page's program.
pub const PAGE_BYTES: &str = "page's WebAssembly, bytes";

/// What is noted down as the start of a model in a browser engine.
pub fn start_of(model: &str, engine: &str) -> String {
    format!("start of {model}, {engine}")
}

/// What is noted down as so many threads, with a model and so many tokens of prompt.
pub fn threads_of(model: &str, prompt_tokens: u32, threads: u32) -> String {
    let plural = if threads == 1 { "" } else { "s" };
    format!("{model}, prompt of {prompt_tokens}, {threads} thread{plural}, run again")
}

/// What is noted down as training with so many threads.
pub fn training_of(shape: &str, threads: u32) -> String {
    let plural = if threads == 1 { "" } else { "s" };
    format!("training, {shape}, {threads} thread{plural}")
}

/// The trainer's targets; `peak` and `products` are in 10⁹ multiplications and additions per second.
pub fn trainer(figures: &Figures, peak: Option<f64>, products: Option<f64>) -> Vec<Target> {
    let of = |shape, threads, quantity| figures.median(&training_of(shape, threads), quantity);
    let work = of(PEAR, 1, LEARNED).map(|rate| 6.0 * WEIGHTS * rate / 1e9);
    let peak = peak.map(|peak| ("fused 128-bit peak".to_string(), peak));
    let one = |shape| of(shape, 1, LEARNED).map(|rate| ("1 thread".to_string(), rate));
    let memory = of(PEAR, 1, MEMORY);
    let further = of(PEAR, 2, MEMORY).zip(memory).map(|(two, one)| two - one);
    let at_most = |what, number: Option<f64>, most| Target {
        what,
        finding: number.map_or(Finding::NotMeasured, Finding::Alone),
        bound: Bound::AtMost(most),
    };
    let jax = figures.median(JAX, PRODUCTS).map(|rate| (JAX.to_string(), rate));
    vec![
        compared("8 × 320, 1 thread, products, 10⁹", products, peak.clone(), Bound::AtLeast(0.75)),
        compared("8 × 320, 1 thread, products, 10⁹", products, jax, Bound::AtLeast(1.0)),
        compared("8 × 320, 1 thread, 6 × weights × tokens/s, 10⁹", work, peak, Bound::AtLeast(0.5)),
        compared("8 × 320, 2 threads, tokens/s", of(PEAR, 2, LEARNED), one(PEAR), Bound::AtLeast(1.6)),
        compared("4 × 128, 2 threads, tokens/s", of(TINY, 2, LEARNED), one(TINY), Bound::AtLeast(1.6)),
        at_most("8 × 320, 1 thread, WebAssembly memory, MB", memory, 400.0),
        at_most("8 × 320, a further thread, WebAssembly memory, MB", further, 180.0),
    ]
}

/// Two threads by one.
fn by_one(
    figures: &Figures,
    what: &'static str,
    (model, prompt_tokens): (&str, u32),
    quantity: &str,
    bound: Bound,
) -> Target {
    let [one, two] = [1, 2].map(|threads| figures.median(&threads_of(model, prompt_tokens, threads), quantity));
    compared(what, two, one.map(|one| ("1 thread".to_string(), one)), bound)
}

/// GPT-2's targets; the rivals are those of [`Figures`] that have one of these names.
pub fn gpt2(figures: &Figures, rivals: &[&str]) -> Vec<Target> {
    let ours = |engine, quantity| figures.median(engine, quantity);
    let decode = ours(GPT2, DECODE);
    let fastest = best(figures, rivals, DECODE, f64::gt);
    let soonest = best(figures, rivals, FIRST_TOKEN, f64::lt);
    let loads = best(figures, &[WLLAMA, WLLAMA_THREADS], LOAD, f64::lt);
    let floor = ours(GPT2, FLOOR).map(|floor| ("one read of the weights".to_string(), floor));
    let long_rate = ours(GPT2_LONG, FIRST_TOKEN).map(|ms| 512.0 / ms * 1000.0);
    let own = |what: &str| decode.map(|decode| (what.to_string(), decode));
    let wllama = figures.median(WLLAMA, DECODE).map(|rate| (WLLAMA.to_string(), rate));
    let two = |quantity| figures.median(&threads_of("gpt2", 64, 2), quantity);
    let (two_decode, two_first) = (two(DECODE), two(FIRST_TOKEN));
    let mut targets = vec![
        compared("GPT-2, decoding, tokens/s", decode, wllama, Bound::AtLeast(4.0)),
        compared("GPT-2, decoding, tokens/s", decode, fastest.clone(), Bound::AtLeast(2.5)),
        compared("GPT-2, one token, ms", decode.map(|rate| 1000.0 / rate), floor, Bound::AtMost(1.7)),
        compared("GPT-2, 64 tokens of prompt, ms", ours(GPT2, FIRST_TOKEN), soonest.clone(), Bound::AtMost(0.5)),
        compared("GPT-2, 512 tokens of prompt, tokens/s", long_rate, own("decoding"), Bound::AtLeast(8.0)),
        compared(
            "GPT-2, decoding at position 1,000, tokens/s",
            ours(GPT2_LATE, DECODE),
            own("at position 64"),
            Bound::AtLeast(0.75),
        ),
        compared("GPT-2, from storage to ready, ms", ours(GPT2, LOAD), loads, Bound::AtMost(0.5)),
    ];
    let threads = |what, prompt, quantity, bound| by_one(figures, what, ("gpt2", prompt), quantity, bound);
    targets.extend([
        threads("GPT-2, 2 threads, decoding, tokens/s", 64, DECODE, Bound::AtLeast(1.6)),
        threads("GPT-2, 2 threads, 64 tokens of prompt, ms", 64, FIRST_TOKEN, Bound::AtMost(1.0 / 1.75)),
        threads("GPT-2, 2 threads, 512 tokens of prompt, ms", 512, FIRST_TOKEN, Bound::AtMost(1.0 / 1.75)),
        threads("GPT-2, 2 threads, from storage to ready, ms", 64, LOAD, Bound::AtMost(1.0)),
        compared("GPT-2, 2 threads, decoding, tokens/s", two_decode, fastest, Bound::AtLeast(3.0)),
        compared("GPT-2, 2 threads, 64 tokens of prompt, ms", two_first, soonest, Bound::AtMost(0.5)),
    ]);
    targets.extend(starts(figures, "gpt2"));
    targets
}

/// Each browser engine's start with a model.
fn starts(figures: &Figures, model: &str) -> Vec<Target> {
    let targets = ENGINES.iter().flat_map(|name| {
        let ms = |quantity| figures.median(&start_of(model, name), quantity);
        let later = |quantity, what: &str| ms(quantity).map(|ms| (format!("{name}, {what}"), ms));
        [
            compared(COLD_TOKEN, ms(COLD_TOKEN), later(WARM_TOKEN, "later tokens"), Bound::AtMost(3.0)),
            compared(COLD_PROMPT, ms(COLD_PROMPT), later(WARM_PROMPT, "later prompts"), Bound::AtMost(2.0)),
        ]
    });
    targets.collect()
}

/// pearGPT's targets, and the site's.
pub fn peargpt(figures: &Figures) -> Vec<Target> {
    let candle = figures.median(CANDLE, DECODE).map(|rate| ("candle, plain f32".to_string(), rate));
    let at_most = |what, number: Option<f64>, most| Target {
        what,
        finding: number.map_or(Finding::NotMeasured, Finding::Alone),
        bound: Bound::AtMost(most),
    };
    let bare = figures.median(BARE, BUSY).map(|ms| ("bare text area".to_string(), ms));
    let alone = |what, engine, quantity, most| at_most(what, figures.median(engine, quantity), most);
    // Not one task in one run may be longer.
    let longest_task = figures.most(WORDS, LONGEST_TASK);
    let mut targets = vec![
        compared("pearGPT, decoding, tokens/s", figures.median(PEARGPT, DECODE), candle, Bound::AtLeast(3.0)),
        alone("pearGPT, 5,000 words, click to last letter, s", WORDS, SECONDS, 40.0),
        at_most("pearGPT, 5,000 words, longest task on the page's thread, ms", longest_task, 50.0),
        compared("pearGPT, 1 MB pasted over 1 MB, ms", figures.median(PASTE, BUSY), bare, Bound::AtMost(2.0)),
        alone("worker's WebAssembly, brotli, bytes", FILES, WORKER_BYTES, 400_000.0),
        alone("page's WebAssembly, brotli, bytes", FILES, PAGE_BYTES, 260_000.0),
        alone("pearGPT, first visit at 10 Mbit/s to first token, s", VISIT, SECONDS, 12.0),
        alone("of it not transfer, s", VISIT, NOT_TRANSFER, 1.0),
    ];
    let what = "pearGPT, 2 threads, decoding, tokens/s";
    targets.push(by_one(figures, what, ("peargpt", 64), DECODE, Bound::AtLeast(1.4)));
    let words = figures.median(WORDS, SECONDS).map(|seconds| ("1 thread".to_string(), seconds));
    let what = "pearGPT, 5,000 words, 2 threads, s";
    targets.push(compared(what, figures.median(WORDS_TWO, SECONDS), words, Bound::AtMost(1.0 / 1.35)));
    targets.extend(starts(figures, "peargpt"));
    targets
}

fn compared(what: &'static str, value: Option<f64>, with: Option<(String, f64)>, bound: Bound) -> Target {
    let finding = value.zip(with).map(|(value, (with, other))| Finding::Compared { value, with, other });
    Target { what, finding: finding.unwrap_or(Finding::NotMeasured), bound }
}

/// The engine whose median is better than all others', and that median.
fn best(
    figures: &Figures,
    engines: &[&str],
    quantity: &str,
    is_better: fn(&f64, &f64) -> bool,
) -> Option<(String, f64)> {
    let medians = engines.iter().filter_map(|engine| Some((engine.to_string(), figures.median(engine, quantity)?)));
    medians.reduce(|best, other| if is_better(&other.1, &best.1) { other } else { best })
}
