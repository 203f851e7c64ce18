//! Every kernel against its scalar twin, bit for bit, natively and in Chromium.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use half::bf16;
use peargpt::kernels::{Activation, Activations, Element, Heads, Kernel, Keys, Q8Matrix, SCALAR, Scores};
use peargpt::kernels::{append, attend, attention_weights, elementwise, layer_norm, mix_values, multiply_f32};
use peargpt::kernels::{scalar, vectors};

#[path = "common/numbers.rs"]
mod numbers;

use numbers::Numbers;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;
#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Those of this machine that multiply `Q8_0` matrices, without the twin. `cargo xtask test` names those that it lacks.
fn kernels() -> Vec<&'static Kernel> {
    #[cfg(target_arch = "wasm32")]
    return vectors().chain(peargpt::kernels::relaxed::fitting()).collect();
    #[cfg(not(target_arch = "wasm32"))]
    vectors().collect()
}

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

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// What a kernel makes of some row blocks.
fn multiply(kernel: &Kernel, matrix: &Q8Matrix, row_blocks: std::ops::Range<usize>, rows: &[f32]) -> Vec<f32> {
    let mut activations = Activations::default();
    activations.quantise(rows, matrix.inputs(), kernel.operands);
    let columns = matrix.outputs().min(row_blocks.end * 8) - row_blocks.start * 8;
    let mut out = vec![7.0; activations.tokens() * columns];
    (kernel.multiply)(matrix, row_blocks, &activations, &mut out);
    out
}

/// What every kernel gives, which has to be the twin's.
fn expect_twin(matrix: &Q8Matrix, rows: &[f32]) -> Vec<f32> {
    let (outputs, inputs) = (matrix.outputs(), matrix.inputs());
    let all = 0..matrix.row_blocks();
    let expected = multiply(&SCALAR, matrix, all.clone(), rows);
    for kernel in kernels() {
        let found = multiply(kernel, matrix, all.clone(), rows);
        assert_eq!(bits(&found), bits(&expected), "{}: {outputs} × {inputs}", kernel.name);
        for some in [0..matrix.row_blocks().div_ceil(3), matrix.row_blocks() / 3..matrix.row_blocks()] {
            let expected = multiply(&SCALAR, matrix, some.clone(), rows);
            let found = multiply(kernel, matrix, some.clone(), rows);
            assert_eq!(bits(&found), bits(&expected), "{}: {some:?} of {outputs} × {inputs}", kernel.name);
        }
    }
    expected
}

#[test]
fn products_equal_their_twin_on_sizes_of_all_kinds() {
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
fn products_equal_their_twin_at_the_extremes() {
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
    for kernel in kernels() {
        assert!(multiply(kernel, &matrix, 0..1, &row).iter().all(|out| out.is_nan()), "NaN is not hidden");
    }
}

#[test]
fn products_are_those_of_the_numbers() {
    let mut numbers = Numbers(2);
    let (tokens, outputs, inputs) = (6, 50, 320);
    let weights = quantised(random(&mut numbers, outputs * inputs, 0.2), outputs);
    let x = tensor(random(&mut numbers, tokens * inputs, 2.0), tokens);
    let exact = x.matmul(&weights.dequantize(&Device::Cpu).unwrap().t().unwrap()).unwrap();
    let matrix = Q8Matrix::new(&weights).unwrap().unwrap();
    let rows: Vec<f32> = x.flatten_all().unwrap().to_vec1().unwrap();
    let found = tensor(expect_twin(&matrix, &rows), tokens);
    let largest = |tensor: &Tensor| tensor.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    let (difference, size) = (largest(&(&found - &exact).unwrap()), largest(&exact));
    // 8-bit activations are at most half of a 127th off, and 320 such errors mostly cancel.
    assert!(difference < 0.01 * size, "{difference} of {size}");
    assert!(difference > 0.0, "the activations are rounded");
}

#[test]
fn products_in_float32_equal_their_twin_and_are_those_of_the_numbers() {
    let mut numbers = Numbers(3);
    for (tokens, outputs, inputs) in [(1, 1, 1), (2, 3, 5), (3, 9, 20), (1, 65, 7), (4, 6, 64)] {
        let (weights, x) = (random(&mut numbers, outputs * inputs, 1.0), random(&mut numbers, tokens * inputs, 1.0));
        let exact = tensor(x.clone(), tokens).matmul(&tensor(weights.clone(), outputs).t().unwrap()).unwrap();
        let exact: Vec<f32> = exact.flatten_all().unwrap().to_vec1().unwrap();
        let (mut found, mut twin) = (vec![7.0; tokens * outputs], vec![8.0; tokens * outputs]);
        multiply_f32(&weights, inputs, &x, &mut found);
        scalar::multiply_f32(&weights, inputs, &x, &mut twin);
        assert_eq!(bits(&found), bits(&twin), "{outputs} × {inputs}");
        assert!(found.iter().zip(exact).all(|(found, exact)| (found - exact).abs() < 1e-5), "{outputs} × {inputs}");
    }
}

#[test]
fn rows_are_looked_up_as_they_were_stored() {
    let mut numbers = Numbers(4);
    let stored = quantised(random(&mut numbers, 7 * 96, 1.0), 7);
    let expected: Vec<Vec<f32>> = stored.dequantize(&Device::Cpu).unwrap().to_vec2().unwrap();
    let matrix = Q8Matrix::new(&stored).unwrap().unwrap();
    for (row, expected) in expected.iter().enumerate() {
        assert_eq!(matrix.row(row).collect::<Vec<_>>(), *expected, "row {row}");
    }
}

#[test]
fn other_precisions_are_no_8_bit_matrices() {
    let tensor = QTensor::quantize(&tensor(vec![1.0; 64], 2), GgmlDType::F16).unwrap();
    assert!(Q8Matrix::new(&tensor).unwrap().is_none());
}

/// Rows as models have them, and such as they should never have.
fn rows_of_all_kinds(columns: usize) -> Vec<f32> {
    let mut numbers = Numbers(5);
    let mut rows = random(&mut numbers, 3 * columns, 4.0);
    let extremes = [0.0, -0.0, 1e-45, -1e-30, 87.5, -88.5, 1e30, -3e38];
    rows.extend(extremes.iter().cycle().take(columns));
    rows
}

#[test]
fn what_follows_a_product_equals_its_twin() {
    for columns in [1, 2, 3, 4, 7, 320, 770] {
        let rows = rows_of_all_kinds(columns);
        let bias = random(&mut Numbers(6), columns, 1.0);
        for activation in [None, Some(Activation::GeluNew), Some(Activation::Gelu), Some(Activation::Relu)] {
            for bias in [None, Some(bias.as_slice())] {
                let (mut found, mut twin) = (rows.clone(), rows.clone());
                elementwise::add_bias(&mut found, bias, columns, activation);
                scalar::add_bias(&mut twin, bias, columns, activation);
                assert_eq!(bits(&found), bits(&twin), "{activation:?} of {columns}");
            }
        }
    }
}

#[test]
fn gelu_is_its_tanh_approximation() {
    for step in -1200..1200 {
        let x = step as f32 * 0.01;
        let mut found = [x];
        elementwise::add_bias(&mut found, None, 1, Some(Activation::GeluNew));
        let x = f64::from(x);
        let exact = 0.5 * x * (1.0 + libm::tanh((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)));
        assert!((f64::from(found[0]) - exact).abs() < 1e-6, "{x}: {} for {exact}", found[0]);
    }
}

#[test]
fn exact_gelu_is_exact() {
    for step in -1200..1200 {
        let x = step as f32 * 0.01;
        let mut found = [x];
        elementwise::add_bias(&mut found, None, 1, Some(Activation::Gelu));
        let x = f64::from(x);
        let exact = 0.5 * x * (1.0 + libm::erf(x / 2f64.sqrt()));
        assert!((f64::from(found[0]) - exact).abs() < 1e-6, "{x}: {} for {exact}", found[0]);
    }
}

#[test]
fn layer_norms_equal_their_twin_and_are_candles() {
    for width in [1, 2, 3, 4, 7, 320, 770] {
        let rows = rows_of_all_kinds(width);
        let (weight, bias) = (random(&mut Numbers(8), width, 2.0), random(&mut Numbers(9), width, 1.0));
        let (mut found, mut twin) = (vec![7.0; rows.len()], vec![8.0; rows.len()]);
        layer_norm(&rows, &weight, &bias, 1e-5, &mut found);
        scalar::layer_norm(&rows, &weight, &bias, 1e-5, &mut twin);
        assert_eq!(bits(&found), bits(&twin), "{width}");
    }
    let (x, weight, bias) =
        (rows_of_all_kinds(320)[..3 * 320].to_vec(), random(&mut Numbers(8), 320, 2.0), vec![0.5; 320]);
    let mut normed = vec![7.0; x.len()];
    layer_norm(&x, &weight, &bias, 1e-5, &mut normed);
    let vector = |values| Tensor::from_vec(values, 320, &Device::Cpu).unwrap();
    let expected = candle_nn::ops::layer_norm_slow(&tensor(x, 3), &vector(weight), &vector(bias), 1e-5).unwrap();
    let expected: Vec<f32> = expected.flatten_all().unwrap().to_vec1().unwrap();
    assert!(normed.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5));
}

/// Attention of some rows over random keys and values by the kernel and by its twin, and exactly, with keys and values
/// as given.
fn attention<E: Element>(heads: Heads, mut keys: Keys, (position, rows): (usize, usize), most: f32) -> [Vec<f32>; 3] {
    let mut numbers = Numbers(11);
    let width = heads.count * heads.head_dim;
    let mut values = vec![E::default(); heads.count * heads.context * heads.row()];
    let kept = [(); 2].map(|()| random(&mut numbers, heads.context * width, most));
    for position in 0..heads.context {
        // The whole context, of which only what is seen may count.
        let [key, value] = kept.each_ref().map(|rows| &rows[position * width..][..width]);
        keys.append(&heads, key, position);
        append(&heads, value, position, &mut values);
    }
    let qkv = random(&mut numbers, rows * 3 * width, most);
    let mut outs = [7.0, 8.0, 0.0].map(|out| vec![out; rows * width]);
    let cache = (&keys, values.as_slice());
    attend(&heads, cache, position, &qkv, &mut Scores::default(), &mut outs[0]);
    scalar::attend(&heads, cache, position, &qkv, &mut outs[1]);
    for (row, head) in (0..rows).flat_map(|row| (0..heads.count).map(move |head| (row, head))) {
        let of_head = |row: &[f32]| row[head * heads.head_dim..][..heads.head_dim].to_vec();
        let [keys, values] = kept.each_ref().map(|rows| rows.chunks(width).map(of_head).collect::<Vec<_>>());
        let out = exact_attention(&of_head(&qkv[row * 3 * width..]), &keys, &values, position + row + 1);
        outs[2][row * width + head * heads.head_dim..][..heads.head_dim].copy_from_slice(&out);
    }
    outs
}

/// The weights of the same attention and the values that they mix, by the kernels and by their twins.
fn weighed<E: Element>(heads: Heads, mut keys: Keys, (position, rows): (usize, usize)) -> [(Vec<f32>, Vec<f32>); 2] {
    let mut numbers = Numbers(12);
    let width = heads.n_embd();
    let mut values = vec![E::default(); heads.count * heads.context * heads.row()];
    for position in 0..heads.context {
        keys.append(&heads, &random(&mut numbers, width, 2.0), position);
        append(&heads, &random(&mut numbers, width, 2.0), position, &mut values);
    }
    let qkv = random(&mut numbers, rows * 3 * width, 2.0);
    let mut weights = [7.0, 8.0].map(|weight| vec![weight; heads.count * rows * (position + rows)]);
    attention_weights(&heads, &keys, position, &qkv, &mut Scores::default(), &mut weights[0]);
    scalar::attention_weights(&heads, &keys, position, &qkv, &mut weights[1]);
    let mut mixed = [7.0, 8.0].map(|out| vec![out; rows * width]);
    mix_values(&heads, &values, &weights[0], rows, &mut mixed[0]);
    scalar::mix_values(&heads, &values, &weights[1], rows, &mut mixed[1]);
    let mut attended = vec![9.0; rows * width];
    attend(&heads, (&keys, values.as_slice()), position, &qkv, &mut Scores::default(), &mut attended);
    for (attended, mixed) in attended.iter().zip(&mixed[0]) {
        assert!((attended - mixed).abs() < 1e-5, "the weights are those that attention uses: {attended}, {mixed}");
    }
    let [mixed, twin] = mixed;
    let [weights, twins] = weights;
    [(weights, mixed), (twins, twin)]
}

#[test]
fn attention_weights_equal_their_twin_add_up_to_one_and_see_nothing_ahead() {
    for (count, head_dim) in [(1, 1), (3, 4), (2, 12), (5, 64)] {
        for place @ (position, rows) in [(0, 1), (1, 1), (0, 4), (5, 2), (26, 7), (39, 1)] {
            let heads = Heads { count, head_dim, context: 40 };
            let plain = weighed::<f32>(heads, Keys::plain(&heads).unwrap(), place);
            let small = weighed::<bf16>(heads, Keys::q8(&heads).unwrap(), place);
            for [(weights, mixed), (twins, twin)] in [plain, small] {
                assert_eq!((bits(&weights), bits(&mixed)), (bits(&twins), bits(&twin)), "{heads:?}, {place:?}");
                for (index, weights) in weights.chunks(position + rows).enumerate() {
                    let (seen, ahead) = weights.split_at(position + index % rows + 1);
                    assert!((seen.iter().sum::<f32>() - 1.0).abs() < 1e-5 && seen.iter().all(|weight| *weight >= 0.0));
                    assert!(ahead.iter().all(|weight| *weight == 0.0), "{heads:?}, {place:?}");
                }
            }
        }
    }
}

/// One head's attention in float64.
fn exact_attention(query: &[f32], keys: &[Vec<f32>], values: &[Vec<f32>], seen: usize) -> Vec<f32> {
    let product = |key: &[f32]| query.iter().zip(key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>();
    let scores: Vec<f64> = keys[..seen].iter().map(|key| product(key) / (query.len() as f64).sqrt()).collect();
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| libm::exp(score - largest)).collect();
    let total: f64 = weights.iter().sum();
    let mixed = |column: usize| weights.iter().zip(values).map(|(w, v)| w * f64::from(v[column])).sum::<f64>();
    (0..query.len()).map(|column| (mixed(column) / total) as f32).collect()
}

#[test]
fn attention_equals_its_twin_and_is_that_of_the_numbers() {
    let far = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    for (count, width) in [(1, 1), (3, 4), (2, 12), (5, 64), (2, 80)] {
        for (place, most) in
            [((0, 1), 1.0), ((1, 1), 1.0), ((0, 4), 3.0), ((5, 2), 1.0), ((26, 7), 3.0), ((39, 1), 30.0)]
        {
            let heads = Heads { count, head_dim: width, context: 40 };
            let [found, twin, exact] = attention::<f32>(heads, Keys::plain(&heads).unwrap(), place, most);
            assert_eq!(bits(&found), bits(&twin), "float32, {heads:?}, {place:?}");
            assert!(far(&found, &exact) < 1e-4 * most, "{heads:?}, {place:?}: {}", far(&found, &exact));
            let [found, twin, exact] = attention::<bf16>(heads, Keys::q8(&heads).unwrap(), place, most);
            assert_eq!(bits(&found), bits(&twin), "8 and 16 bits, {heads:?}, {place:?}");
            // Of keys and values eight bits are kept; large scores turn that into another choice of positions.
            assert!(most > 3.0 || far(&found, &exact) < 0.03 * most, "{heads:?}, {place:?}: {}", far(&found, &exact));
        }
    }
}

#[test]
fn what_lies_behind_a_rows_own_position_is_not_seen() {
    let heads = Heads { count: 1, head_dim: 8, context: 6 };
    for mut keys in [Keys::plain(&heads).unwrap(), Keys::q8(&heads).unwrap()] {
        let mut values = vec![f32::NAN; 6 * 8];
        for position in 0..6 {
            keys.append(&heads, &[if position < 2 { 1.0 } else { f32::NAN }; 8], position);
        }
        append(&heads, &[2.0; 8], 0, &mut values);
        append(&heads, &[4.0; 8], 1, &mut values);
        let mut out = [0.0; 3 * 8];
        attend(&heads, (&keys, &values), 0, &[1.0; 3 * 24], &mut Scores::default(), &mut out);
        assert_eq!((&out[..8], &out[8..16]), (&[2.0; 8][..], &[3.0; 8][..]), "{keys:?}");
        assert!(out[16..].iter().all(|out| out.is_nan()), "what is seen is not hidden");
    }
}
