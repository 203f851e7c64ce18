//! The twelve products of a block's four linear layers at 8 × 320, beside the most that one core can do.

use std::hint::black_box;

use peargpt::kernels::product::{self, Operand, Size, add_product};

/// Rows of a batch.
const ROWS: usize = 2048;
/// Inputs and outputs of the layers: query, key and value; their projection; the two of the MLP.
const LAYERS: [(usize, usize); 4] = [(320, 960), (320, 320), (320, 1280), (1280, 320)];
/// Rounds, of which the median counts.
const ROUNDS: usize = 9;

/// A line of JSON for each kernel of this machine, or for that of browsers with relaxed SIMD: 10⁹ multiplications and additions per second.
pub fn measure() -> Vec<String> {
    #[cfg(not(target_arch = "wasm32"))]
    let kernels = product::kernels().filter(|kernel| kernel.name != product::SCALAR.name);
    #[cfg(target_arch = "wasm32")]
    let kernels = [product::relaxed()].into_iter();
    let measured = kernels.map(|kernel| {
        product::select(kernel);
        let peak = (0..ROUNDS).map(|_| peak(kernel.name)).fold(0.0, f64::max);
        let (mut seconds, mut work, mut told) = (0.0, 0.0, Vec::new());
        for (inputs, outputs) in LAYERS {
            for (name, took) in ["forward", "of rows", "of weight"].iter().zip(layer(inputs, outputs)) {
                let here = (2 * ROWS * inputs * outputs) as f64;
                (seconds, work) = (seconds + took, work + here);
                told.push(format!("\"{inputs} → {outputs}, {name}\": {:.1}", here / took / 1e9));
            }
        }
        format!(
            "{{\"kernel\": \"{}\", \"peak\": {:.1}, \"all\": {:.1}, \"share\": {:.3}, {}}}",
            kernel.name,
            peak / 1e9,
            work / seconds / 1e9,
            work / seconds / peak,
            told.join(", ")
        )
    });
    measured.collect()
}

/// Seconds of a layer's three products: forward, and the gradients of its rows and of its weight.
fn layer(inputs: usize, outputs: usize) -> [f64; 3] {
    let [x, weight, gradient] = [ROWS * inputs, outputs * inputs, ROWS * outputs].map(|count| vec![0.5; count]);
    let [mut of_x, mut of_weight, mut out] = [&x, &weight, &gradient].map(|numbers| vec![0.0; numbers.len()]);
    let (x, weight, gradient) =
        (Operand::rows(&x, inputs), Operand::rows(&weight, inputs), Operand::rows(&gradient, outputs));
    [
        median(|| {
            let size = Size { rows: ROWS, columns: outputs, depth: inputs };
            add_product(&mut out, outputs, x, weight.transposed(), size);
        }),
        median(|| {
            add_product(&mut of_x, inputs, gradient, weight, Size { rows: ROWS, columns: inputs, depth: outputs });
        }),
        median(|| {
            let size = Size { rows: outputs, columns: inputs, depth: ROWS };
            add_product(&mut of_weight, inputs, gradient.transposed(), x, size);
        }),
    ]
}

/// Seconds that something takes.
fn median(mut each: impl FnMut()) -> f64 {
    let mut seconds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = now();
            each();
            now() - begun
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[ROUNDS / 2]
}

/// Seconds on a clock that never goes back.
#[cfg(not(target_arch = "wasm32"))]
fn now() -> f64 {
    static BEGUN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    BEGUN.elapsed().as_secs_f64()
}

/// Seconds on a clock that never goes back.
#[cfg(target_arch = "wasm32")]
fn now() -> f64 {
    #[wasm_bindgen::prelude::wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = performance, js_name = now)]
        fn milliseconds() -> f64;
    }
    milliseconds() / 1000.0
}

/// Rounds of multiply-adds among registers.
const STEPS: usize = 4_000_000;
/// Sums that do not wait for each other.
const SUMS: usize = 10;

/// Multiplications and additions per second of multiply-adds among registers, with vectors of these features.
macro_rules! rate {
    ($features:literal, $register:ty, $splat:ident, $multiply_add:expr) => {{
        #[target_feature(enable = $features)]
        fn rate() -> f64 {
            let (mut sums, factor) = ([$splat(black_box(1.0)); SUMS], $splat(black_box(0.5)));
            let begun = now();
            for _ in 0..STEPS {
                for sum in &mut sums {
                    *sum = $multiply_add(*sum, factor);
                }
            }
            black_box(sums);
            let lanes = size_of::<$register>() / size_of::<f32>();
            (2 * STEPS * SUMS * lanes) as f64 / (now() - begun)
        }
        // SAFETY: kernels are listed only where the processor, or the browser, has their vectors.
        #[allow(unused_unsafe, reason = "in WebAssembly a program with unknown instructions is not loaded at all")]
        unsafe {
            rate()
        }
    }};
}

/// The most that a core can do with the vectors of this kernel.
#[cfg(target_arch = "x86_64")]
fn peak(kernel: &str) -> f64 {
    use core::arch::x86_64::*;

    match kernel {
        "AVX-512" => rate!("avx512f", __m512, _mm512_set1_ps, |sum, factor| _mm512_fmadd_ps(sum, factor, factor)),
        _ => rate!("avx2,fma", __m256, _mm256_set1_ps, |sum, factor| _mm256_fmadd_ps(sum, factor, factor)),
    }
}

/// The most that a core can do with relaxed SIMD.
#[cfg(target_arch = "wasm32")]
fn peak(_: &str) -> f64 {
    use core::arch::wasm32::*;

    rate!("relaxed-simd", v128, f32x4_splat, |sum, factor| f32x4_relaxed_madd(sum, factor, factor))
}

/// Not known here.
#[cfg(not(any(target_arch = "x86_64", target_arch = "wasm32")))]
fn peak(_: &str) -> f64 {
    f64::NAN
}
