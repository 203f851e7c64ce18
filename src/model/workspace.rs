//! The tensors that rows pass through, kept from one token to the next.

use std::cell::RefCell;
use std::rc::Rc;

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
    pub scratch: Rc<RefCell<Scratch>>,
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
            scratch: Rc::default(),
        })
    }

    /// The last of the rows alone, in the same memory.
    pub fn last(&self) -> Result<Workspace> {
        let last = |rows: &Tensor| rows.narrow(0, self.rows() - 1, 1);
        Ok(Workspace {
            stream: last(&self.stream)?,
            normed: last(&self.normed)?,
            qkv: last(&self.qkv)?,
            mixed: last(&self.mixed)?,
            hidden: last(&self.hidden)?,
            scratch: self.scratch.clone(),
        })
    }

    /// Rows there is room for.
    pub fn rows(&self) -> usize {
        self.stream.dims()[0]
    }
}
