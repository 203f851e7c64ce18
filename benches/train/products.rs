//! The twelve products of a block's four linear layers at 8 × 320, beside the most that one core can do.

use std::time::Instant;

use peargpt::kernels::product::{self, Operand, Size, add_product};

/// Rows of a batch.
const ROWS: usize = 2048;
/// Inputs and outputs of the layers: query, key and value; their projection; the two of the MLP.
const LAYERS: [(usize, usize); 4] = [(320, 960), (320, 320), (320, 1280), (1280, 320)];
/// Rounds, of which the median counts.
const ROUNDS: usize = 9;

/// Prints a line of JSON for each kernel of this machine: 10⁹ multiplications and additions per second.
pub fn measure() {
    for kernel in product::kernels().filter(|kernel| kernel.name != product::SCALAR.name) {
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
        println!(
            "{{\"kernel\": \"{}\", \"peak\": {:.1}, \"all\": {:.1}, \"share\": {:.3}, {}}}",
            kernel.name,
            peak / 1e9,
            work / seconds / 1e9,
            work / seconds / peak,
            told.join(", ")
        );
    }
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
            let begun = Instant::now();
            each();
            begun.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[ROUNDS / 2]
}

/// Multiplications and additions per second of fused multiply-adds among registers, with the vectors of this kernel.
#[cfg(target_arch = "x86_64")]
fn peak(kernel: &str) -> f64 {
    use core::arch::x86_64::*;
    use std::hint::black_box;

    const STEPS: usize = 4_000_000;
    /// Sums that do not wait for each other.
    const SUMS: usize = 10;

    macro_rules! rate {
        ($features:literal, $splat:ident, $fma:ident, $register:ty) => {{
            #[target_feature(enable = $features)]
            fn rate() -> f64 {
                let (mut sums, factor) = ([$splat(black_box(1.0)); SUMS], $splat(black_box(0.5)));
                let begun = Instant::now();
                for _ in 0..STEPS {
                    for sum in &mut sums {
                        *sum = $fma(*sum, factor, factor);
                    }
                }
                black_box(sums);
                let lanes = size_of::<$register>() / size_of::<f32>();
                (2 * STEPS * SUMS * lanes) as f64 / begun.elapsed().as_secs_f64()
            }
            // SAFETY: kernels are listed only where the processor has their vectors.
            unsafe { rate() }
        }};
    }
    match kernel {
        "AVX-512" => rate!("avx512f", _mm512_set1_ps, _mm512_fmadd_ps, __m512),
        _ => rate!("avx2,fma", _mm256_set1_ps, _mm256_fmadd_ps, __m256),
    }
}

/// Not known here.
#[cfg(not(target_arch = "x86_64"))]
fn peak(_: &str) -> f64 {
    f64::NAN
}
