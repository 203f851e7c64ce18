//! What a header says about a tensor.

use std::ops::Range;

use candle_core::quantized::GgmlDType;

use super::CheckpointError;

/// A tensor as the header describes it.
#[derive(Clone, Debug)]
pub(super) struct TensorInfo {
    /// Its name in the file.
    pub name: String,
    /// The offset of its description.
    pub at: u64,
    /// The dtype of its elements.
    pub dtype: GgmlDType,
    /// Its shape in the file, rows first.
    pub dims: Dims,
    /// Whether the file stores the matrix as `[in, out]`.
    pub transposed: bool,
    /// The range of its bytes in the file.
    pub span: Range<u64>,
}

impl TensorInfo {
    /// Its shape in the model, rows first.
    pub fn shape(&self) -> Dims {
        if self.transposed { self.dims.reversed() } else { self.dims }
    }

    /// Fails unless this is the tensor's shape in the model.
    pub fn check_shape(&self, shape: &[usize]) -> Result<(), CheckpointError> {
        let mut expected = Dims::default();
        let fits = shape.iter().all(|&size| expected.push(size as u64));
        let expected = if self.transposed { expected.reversed() } else { expected };
        if fits && expected == self.dims {
            return Ok(());
        }
        let field = format!("shape of {}", self.name);
        let (expected, found) = (format!("{:?}", expected.as_slice()), format!("{:?}", self.dims.as_slice()));
        Err(CheckpointError::field(&field, self.at, expected, found))
    }

    /// Fails unless the file, which ends there, has all of its bytes.
    pub fn check_end(&self, end: u64) -> Result<(), CheckpointError> {
        let Range { start, end: needed } = self.span;
        if needed <= end {
            return Ok(());
        }
        let (needed, left) = (needed.saturating_sub(start), end.saturating_sub(start));
        Err(CheckpointError::Truncated { field: self.name.clone(), offset: start, needed, left })
    }
}

/// Sorts the tensors by their offsets. Fails unless each lies within `data`, and no two overlap.
pub(super) fn check_spans(infos: &mut [&TensorInfo], data: Range<u64>) -> Result<(), CheckpointError> {
    infos.sort_unstable_by_key(|info| (info.span.start, info.span.end));
    if let Some(TensorInfo { name, at, span, .. }) = infos.iter().find(|info| info.span.start < data.start) {
        let (expected, found) = (format!("bytes within {data:?}"), format!("{span:?}"));
        return Err(CheckpointError::field(&format!("place of {name}"), *at, expected, found));
    }
    infos.iter().try_for_each(|info| info.check_end(data.end))?;
    match infos.windows(2).find(|pair| pair[0].span.end > pair[1].span.start) {
        None => Ok(()),
        Some(pair) => {
            let (field, at) = (format!("place of {}", pair[1].name), pair[1].at);
            let expected = format!("bytes behind those of {}, which end at {}", pair[0].name, pair[0].span.end);
            Err(CheckpointError::field(&field, at, expected, format!("{:?}", pair[1].span)))
        }
    }
}

/// Up to four sizes, the length of a row last. It allocates nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dims {
    sizes: [u64; 4],
    rank: usize,
}

impl Dims {
    /// The most sizes there may be.
    pub const MOST: usize = 4;

    /// Appends a size; `false` if there are four already.
    pub fn push(&mut self, size: u64) -> bool {
        let room = self.rank < Self::MOST;
        if room {
            self.sizes[self.rank] = size;
            self.rank += 1;
        }
        room
    }

    /// The sizes in reverse, which is GGUF's order.
    pub fn reversed(mut self) -> Self {
        self.sizes[..self.rank].reverse();
        self
    }

    /// The sizes.
    pub fn as_slice(&self) -> &[u64] {
        &self.sizes[..self.rank]
    }

    /// Bytes of a tensor with these sizes. `None` if they overflow, or if a row is not a whole number of blocks.
    pub fn bytes(&self, dtype: GgmlDType) -> Option<u64> {
        let elements = dtype.block_size() as u64;
        let row = self.as_slice().last().copied().unwrap_or(1);
        let count = self.as_slice().iter().try_fold(1u64, |product, &size| product.checked_mul(size))?;
        row.is_multiple_of(elements).then(|| (count / elements).checked_mul(dtype.type_size() as u64)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_overflow_or_split_a_block_have_no_bytes() {
        let dims = |sizes: &[u64]| {
            let mut dims = Dims::default();
            assert!(sizes.iter().all(|&size| dims.push(size)));
            dims
        };
        assert_eq!(dims(&[65, 320]).bytes(GgmlDType::Q8_0), Some(65 * 10 * 34));
        assert_eq!(dims(&[320, 65]).bytes(GgmlDType::Q8_0), None);
        assert_eq!(dims(&[1 << 33, 1 << 33]).bytes(GgmlDType::F16), None);
        assert_eq!(dims(&[1 << 63]).bytes(GgmlDType::F32), None);
        assert!(!dims(&[1, 1, 1, 1]).push(1));
    }
}
