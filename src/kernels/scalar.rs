//! Defines what the kernels compute, in plain code.
//!
//! The sum of a row is computed in four partial sums, each of every fourth number, which are then added in pairs.
//! Vectors use the same order.

use std::ops::Range;

use super::activation::{Activation, CUBE, TWICE_ROOT, gelu};
use super::exp::{LEAST, LN_2, MOST, POLYNOMIAL};
use super::lanes::{LANES, ROUNDING};
use super::layout::{Element, Heads, ROW};
use super::matrix::{BlockWeights, Scales};
use super::{Activations, BLOCK, Keys, Operands, Q8Matrix, ROW_BLOCK};

/// `[tokens, inputs]` · `matrix`ᵀ → `[tokens, outputs]`, with only the outputs of these row blocks.
pub fn multiply(matrix: &Q8Matrix, row_blocks: Range<usize>, activations: &Activations, out: &mut [f32]) {
    for (token, out) in out.chunks_exact_mut(matrix.columns(&row_blocks)).enumerate() {
        let (numbers, scales) = activations.row(token);
        for (row_block, out) in row_blocks.clone().zip(out.chunks_mut(ROW_BLOCK)) {
            for (lane, out) in out.iter_mut().enumerate() {
                *out = dot(matrix.row_block(row_block), lane, numbers, scales);
            }
        }
    }
}

/// The product of one row of a row block with one row of activations.
fn dot((weights, scales): (&[BlockWeights], &[Scales]), lane: usize, numbers: &[i8], number_scales: &[f32]) -> f32 {
    let mut sum = 0.0;
    for (block, numbers) in numbers.chunks_exact(BLOCK).enumerate() {
        let weights = weights[block].0.iter().flat_map(|step| step[lane]).map(|weight| i32::from(weight) - 128);
        let whole: i32 = weights.zip(numbers).map(|(weight, number)| weight * i32::from(*number)).sum();
        sum += whole as f32 * (scales[block].0[lane] * number_scales[block]);
    }
    sum
}

/// `[tokens, inputs]` · `weights`ᵀ → `[tokens, outputs]`; `weights` are `[outputs, inputs]`.
pub fn multiply_f32(weights: &[f32], inputs: usize, x: &[f32], out: &mut [f32]) {
    for (x, out) in x.chunks_exact(inputs).zip(out.chunks_exact_mut(weights.len() / inputs)) {
        for (weights, out) in weights.chunks_exact(inputs).zip(out) {
            *out = sum(weights.iter().zip(x).map(|(weight, x)| weight * x));
        }
    }
}

/// The sum of numbers, in four partial sums of every fourth number.
fn sum(numbers: impl Iterator<Item = f32>) -> f32 {
    let mut parts = [0.0; LANES];
    for (index, number) in numbers.enumerate() {
        parts[index % LANES] += number;
    }
    (parts[0] + parts[1]) + (parts[2] + parts[3])
}

/// e^x; see [`super::exp`].
pub fn exp(x: f32) -> f32 {
    let x = if x < LEAST { LEAST } else { x };
    let x = if MOST < x { MOST } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUNDING;
    let n = shifted - ROUNDING;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let polynomial = POLYNOMIAL[1..].iter().fold(POLYNOMIAL[0], |y, coefficient| y * r + coefficient);
    let y = polynomial * (r * r) + r + 1.0;
    f32::from_bits(y.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// Adds the bias to rows of `columns` numbers, and applies the activation function.
pub fn add_bias(rows: &mut [f32], bias: Option<&[f32]>, columns: usize, activation: Option<Activation>) {
    if bias.is_none() && activation.is_none() {
        return;
    }
    for row in rows.chunks_exact_mut(columns) {
        for (index, x) in row.iter_mut().enumerate() {
            let y = *x + bias.map_or(0.0, |bias| bias[index]);
            *x = match activation {
                None => y,
                Some(Activation::GeluNew) => y / (exp((y + y * y * y * CUBE) * -TWICE_ROOT) + 1.0),
                Some(Activation::Gelu) => gelu(y),
                Some(Activation::Relu) if y < 0.0 => 0.0,
                Some(Activation::Relu) => y,
            };
        }
    }
}

/// `(x − mean) / √(variance + epsilon) · weight + bias` for each row `x`.
pub fn layer_norm(rows: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, out: &mut [f32]) {
    let n_embd = weight.len();
    for (row, out) in rows.chunks_exact(n_embd).zip(out.chunks_exact_mut(n_embd)) {
        let mean = sum(row.iter().copied()) / n_embd as f32;
        let variance = sum(row.iter().map(|x| (x - mean) * (x - mean))) / n_embd as f32;
        let factor = 1.0 / (variance + epsilon).sqrt();
        for (index, out) in out.iter_mut().enumerate() {
            *out = (row[index] - mean) * factor * weight[index] + bias[index];
        }
    }
}

/// Writes the attention's output to `out`, `[rows, n_embd]`, for each row of `qkv`: for each head, the values of the
/// positions up to the row's own, weighted by softmax(query · key / √head_dim). The first row is at `position`.
pub fn attend<E: Element>(heads: &Heads, (keys, values): (&Keys, &[E]), position: usize, qkv: &[f32], out: &mut [f32]) {
    let n_embd = heads.n_embd();
    for (position, (qkv, out)) in (position..).zip(qkv.chunks(3 * n_embd).zip(out.chunks_mut(n_embd))) {
        for (head, out) in out.chunks_mut(heads.head_dim).enumerate() {
            let weights = exponentials(&scores(heads, keys, head, qkv, position + 1));
            mix(heads, values, head, &weights, out);
            let total = sum(weights.iter().copied());
            out.iter_mut().for_each(|out| *out /= total);
        }
    }
}

/// Writes to `weights`, `[heads, rows, positions]`, softmax(query · key / √head_dim) for the positions up to each row's
/// own.
pub fn attention_weights(heads: &Heads, keys: &Keys, position: usize, qkv: &[f32], weights: &mut [f32]) {
    let n_embd = heads.n_embd();
    let rows = qkv.len() / (3 * n_embd);
    for (index, weights) in weights.chunks_mut(position + rows).enumerate() {
        let (head, row) = (index / rows, index % rows);
        let exponentials = exponentials(&scores(heads, keys, head, &qkv[row * 3 * n_embd..], position + row + 1));
        let total = sum(exponentials.iter().copied());
        weights.fill(0.0);
        weights.iter_mut().zip(exponentials).for_each(|(weight, exponential)| *weight = exponential / total);
    }
}

/// Writes to `out`, `[rows, n_embd]`, the sums of values weighted by `weights`, `[heads, rows, positions]`.
pub fn mix_values<E: Element>(heads: &Heads, values: &[E], weights: &[f32], rows: usize, out: &mut [f32]) {
    let positions = weights.len() / (heads.count * rows);
    for (index, weights) in weights.chunks(positions).enumerate() {
        let (head, row) = (index / rows, index % rows);
        let out = &mut out[row * heads.n_embd() + head * heads.head_dim..][..heads.head_dim];
        mix(heads, values, head, weights, out);
    }
}

/// query · key / √head_dim for the first `seen` keys of a head. `qkv` begins with the row of the query.
fn scores(heads: &Heads, keys: &Keys, head: usize, qkv: &[f32], seen: usize) -> Vec<f32> {
    let root = (heads.head_dim as f32).sqrt();
    let query = qkv[head * heads.head_dim..][..heads.head_dim].iter().map(|number| number / root);
    let query: Vec<f32> = query.collect();
    match keys {
        Keys::Q8(matrices) => {
            let mut row = query;
            row.resize(matrices[head].inputs(), 0.0);
            let mut activations = Activations::default();
            activations.quantise(&row, row.len(), Operands::Rows);
            let (numbers, scales) = activations.row(0);
            let key =
                |position| dot(matrices[head].row_block(position / ROW_BLOCK), position % ROW_BLOCK, numbers, scales);
            (0..seen).map(key).collect()
        }
        Keys::Plain(keys) => (0..seen).map(|position| dot_plain(&query, &row(heads, keys, head, position))).collect(),
    }
}

/// query · key in eight partial sums of every eighth product.
fn dot_plain(query: &[f32], key: &[f32]) -> f32 {
    let mut parts = [0.0; ROW];
    for (index, (query, key)) in query.iter().zip(key).enumerate() {
        parts[index % ROW] += query * key;
    }
    sum((0..LANES).map(|lane| parts[lane] + parts[lane + LANES]))
}

/// The numbers of one position and one head.
fn row<E: Element>(heads: &Heads, all: &[[E; ROW]], head: usize, position: usize) -> Vec<f32> {
    let eights = heads.row() / ROW;
    let row = heads.rows(all, head)[position * eights..][..eights].iter().map(E::get);
    row.flat_map(|(low, high)| [low.numbers(), high.numbers()]).flatten().collect()
}

/// The exponentials of the scores, scaled so that the largest is 1.
fn exponentials(scores: &[f32]) -> Vec<f32> {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter().map(|score| exp(score - most)).collect()
}

/// The sum of a head's values, each times its weight.
fn mix<E: Element>(heads: &Heads, values: &[E], head: usize, weights: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    for (position, weight) in weights.iter().enumerate() {
        for (out, value) in out.iter_mut().zip(row(heads, values.as_chunks().0, head, position)) {
            *out += weight * value;
        }
    }
}
