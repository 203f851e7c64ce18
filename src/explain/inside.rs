//! What a forward pass shows.

use candle_core::{Device, Result, Tensor};

use super::Norms;
use crate::kernels::ops::with_numbers;
use crate::model::{Hook, Observer};

/// Keeps the attention weights and the residual stream of one row, as asked for.
#[derive(Debug, Default)]
pub struct Inside {
    wants_heads: bool,
    heads: Vec<Tensor>,
    embedding: Option<Tensor>,
    middle: Vec<Tensor>,
    residual: Vec<Tensor>,
}

impl Inside {
    /// Looks at the residual stream alone.
    pub fn stream() -> Self {
        Inside::default()
    }

    /// Looks at the attention weights of all heads, too.
    pub fn with_heads() -> Self {
        Inside { wants_heads: true, ..Inside::default() }
    }

    /// Of each layer, of each head, the weights of a single row.
    pub fn heads(&self) -> Result<Vec<Vec<Vec<f32>>>> {
        let row = |weights: &Tensor| {
            let (_, heads, _, positions) = weights.dims4()?;
            let rows = |weights: &[f32]| weights.chunks_exact(positions).take(heads).map(<[f32]>::to_vec).collect();
            with_numbers(weights, rows)
        };
        self.heads.iter().map(row).collect()
    }

    /// The residual stream after the embedding and after each layer, `[1, layers + 1, n_embd]`.
    pub fn rows(&self) -> Result<Tensor> {
        let (mut numbers, mut n_embd) = (Vec::new(), 0);
        for row in self.embedding.iter().chain(&self.residual) {
            n_embd = row.dim(2)?;
            with_numbers(row, |row: &[f32]| numbers.extend_from_slice(row))?;
        }
        let rows = numbers.len() / n_embd.max(1);
        Tensor::from_vec(numbers, (1, rows, n_embd), &Device::Cpu)
    }

    /// Lengths of the residual stream.
    pub fn norms(&self) -> Result<Norms> {
        let norms = |tensors: &[Tensor]| tensors.iter().map(norm).collect::<Result<Vec<f32>>>();
        Ok(Norms {
            embedding: self.embedding.as_ref().map_or(Ok(0.0), norm)?,
            attention: norms(&self.middle)?,
            mlp: norms(&self.residual)?,
        })
    }
}

/// The length of a row.
fn norm(row: &Tensor) -> Result<f32> {
    with_numbers(row, |row: &[f32]| {
        row.iter().map(|number| f64::from(*number) * f64::from(*number)).sum::<f64>().sqrt() as f32
    })
}

impl Observer for Inside {
    fn wants(&self, hook: Hook) -> bool {
        match hook {
            Hook::AttentionWeights(_) => self.wants_heads,
            Hook::Embedding | Hook::ResidualMiddle(_) | Hook::Residual(_) => true,
            _ => false,
        }
    }

    fn see(&mut self, hook: Hook, value: &Tensor) -> Option<Tensor> {
        match hook {
            Hook::AttentionWeights(_) => self.heads.push(value.clone()),
            Hook::Embedding => self.embedding = Some(value.clone()),
            Hook::ResidualMiddle(_) => self.middle.push(value.clone()),
            _ => self.residual.push(value.clone()),
        }
        None
    }
}

/// Keeps, of the attention weights of later rows, those for one position.
#[derive(Debug)]
pub struct Column {
    /// The position in the window.
    position: usize,
    /// Of each layer, of each head, a weight for each row.
    layers: Vec<Vec<Vec<f32>>>,
    failed: Option<candle_core::Error>,
}

impl Column {
    /// Of no rows yet.
    pub fn new(position: usize, layers: usize, heads: usize) -> Self {
        Column { position, layers: vec![vec![Vec::new(); heads]; layers], failed: None }
    }

    /// The weights of all rows that have been seen.
    pub fn finish(self) -> Result<Vec<Vec<Vec<f32>>>> {
        self.failed.map_or(Ok(self.layers), Err)
    }

    fn keep(&mut self, layer: usize, weights: &Tensor) -> Result<()> {
        let (_, _, rows, positions) = weights.dims4()?;
        with_numbers(weights, |weights: &[f32]| {
            for (head, weights) in self.layers[layer].iter_mut().zip(weights.chunks_exact(rows * positions)) {
                head.extend(weights.chunks_exact(positions).map(|row| row[self.position]));
            }
        })
    }
}

impl Observer for Column {
    fn wants(&self, hook: Hook) -> bool {
        matches!(hook, Hook::AttentionWeights(_))
    }

    fn see(&mut self, hook: Hook, value: &Tensor) -> Option<Tensor> {
        if let Hook::AttentionWeights(layer) = hook
            && let Err(error) = self.keep(layer, value)
        {
            self.failed = Some(error);
        }
        None
    }
}
