//! The tensors that rows pass through, kept from one token to the next.

use std::cell::RefCell;

use candle_core::{DType, Device, Tensor};

use super::{Config, Result};
use crate::kernels::Scratch;

/// What is computed with on the way through the blocks.
#[derive(Debug)]
pub struct Workspace {
    /// The residual stream, `[rows, width]`.
    pub stream: Tensor,
    /// A layer norm of it, `[rows, width]`.
    pub normed: Tensor,
    /// Queries, keys and values, `[rows, 3 · width]`.
    pub qkv: Tensor,
    /// What the heads give, `[rows, width]`.
    pub mixed: Tensor,
    /// The MLP's hidden layer, `[rows, hidden]`.
    pub hidden: Tensor,
    /// Memory of the kernels.
    pub scratch: RefCell<Scratch>,
}

impl Workspace {
    /// Room for that many rows.
    pub fn new(config: &Config, rows: usize) -> Result<Self> {
        let zeros = |columns: usize| Tensor::zeros((rows, columns), DType::F32, &Device::Cpu);
        Ok(Workspace {
            stream: zeros(config.width)?,
            normed: zeros(config.width)?,
            qkv: zeros(3 * config.width)?,
            mixed: zeros(config.width)?,
            hidden: zeros(config.hidden)?,
            scratch: RefCell::default(),
        })
    }

    /// Rows there is room for.
    pub fn rows(&self) -> usize {
        self.stream.dims()[0]
    }
}
