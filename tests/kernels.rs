//! Every kernel against its scalar twin, bit for bit, natively and in Chromium.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use peargpt::kernels::{Activations, MatMul, Q8Matrix, multiply, scalar};

#[path = "common/numbers.rs"]
mod numbers;

use numbers::Numbers;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;
#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Numbers between minus and plus `most`.
fn random(numbers: &mut Numbers, count: usize, most: f32) -> Vec<f32> {
    (0..count).map(|_| (numbers.below(2_000_001) as f32 / 1e6 - 1.0) * most).collect()
}

fn tensor(values: Vec<f32>, rows: usize) -> Tensor {
    let columns = values.len() / rows;
    Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
}

fn quantised(values: Vec<f32>, rows: usize) -> QTensor {
    QTensor::quantize(&tensor(values, rows), GgmlDType::Q8_0).unwrap()
}

/// The bits of what the fast kernel gives, which have to be the twin's.
fn expect_twin(matrix: &Q8Matrix, rows: &[f32]) -> Vec<u32> {
    let activations = Activations::quantise(rows, matrix.inputs());
    let (mut fast, mut slow) = (vec![7.0; activations.tokens() * matrix.outputs()], Vec::new());
    slow.clone_from(&fast);
    multiply(matrix, &activations, &mut fast);
    scalar::multiply(matrix, &activations, &mut slow);
    let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&fast), bits(&slow), "{} × {}", matrix.outputs(), matrix.inputs());
    bits(&fast)
}

#[test]
fn kernels_equal_their_twin_on_sizes_of_all_kinds() {
    let mut numbers = Numbers(1);
    for (outputs, inputs) in [(1, 32), (3, 64), (4, 96), (5, 320), (65, 320), (130, 768), (7, 3072)] {
        let matrix = quantised(random(&mut numbers, outputs * inputs, 0.3), outputs);
        let matrix = Q8Matrix::new(&matrix).unwrap().unwrap();
        for tokens in [1, 2, 3, 4, 5, 8, 11] {
            expect_twin(&matrix, &random(&mut numbers, tokens * inputs, 5.0));
        }
    }
}

#[test]
fn kernels_equal_their_twin_at_the_extremes() {
    let extremes = [1e-30, 1.0, 1e30, 3e38];
    for weight in extremes.map(|weight| f32::min(weight, 60_000.0)) {
        for x in extremes {
            // Every product is 127², of one sign and of changing ones.
            for sign in [1.0, -1.0] {
                let alternating =
                    |most: f32| move |index: usize| if index.is_multiple_of(2) { most } else { sign * most };
                let matrix = quantised((0..9 * 96).map(alternating(weight)).collect(), 9);
                let matrix = Q8Matrix::new(&matrix).unwrap().unwrap();
                expect_twin(&matrix, &(0..5 * 96).map(alternating(x)).collect::<Vec<_>>());
            }
        }
    }
    let matrix = Q8Matrix::new(&quantised(vec![0.5; 4 * 64], 4)).unwrap().unwrap();
    let mut row = vec![1.0; 64];
    row[40] = f32::NAN;
    assert!(expect_twin(&matrix, &row).iter().all(|bits| f32::from_bits(*bits).is_nan()), "NaN is not hidden");
}

#[test]
fn products_are_those_of_the_numbers() {
    let mut numbers = Numbers(2);
    let (tokens, outputs, inputs) = (6, 50, 320);
    let weights = quantised(random(&mut numbers, outputs * inputs, 0.2), outputs);
    let x = tensor(random(&mut numbers, tokens * inputs, 2.0), tokens);
    let exact = x.matmul(&weights.dequantize(&Device::Cpu).unwrap().t().unwrap()).unwrap();
    let matrix = Q8Matrix::new(&weights).unwrap().unwrap();
    let found = x.apply_op1_no_bwd(&MatMul(&matrix)).unwrap();
    let largest = |tensor: &Tensor| tensor.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    let (difference, size) = (largest(&(&found - &exact).unwrap()), largest(&exact));
    // 8-bit activations are at most half of a 127th off, and 320 such errors mostly cancel.
    assert!(difference < 0.01 * size, "{difference} of {size}");
    assert!(difference > 0.0, "the activations are rounded");
}

#[test]
fn rows_are_looked_up_as_they_were_stored() {
    let mut numbers = Numbers(3);
    let stored = quantised(random(&mut numbers, 7 * 96, 1.0), 7);
    let expected: Vec<Vec<f32>> = stored.dequantize(&Device::Cpu).unwrap().to_vec2().unwrap();
    let matrix = Q8Matrix::new(&stored).unwrap().unwrap();
    for (row, expected) in expected.iter().enumerate() {
        assert_eq!(matrix.row(row).collect::<Vec<_>>(), *expected, "row {row}");
    }
}

#[test]
fn other_precisions_are_left_to_candle() {
    let tensor = QTensor::quantize(&tensor(vec![1.0; 64], 2), GgmlDType::F16).unwrap();
    assert!(Q8Matrix::new(&tensor).unwrap().is_none());
}
