//! Encodes elements of a safetensors file as blocks of a GGUF, by the functions that `convert` uses.

use candle_core::quantized::GgmlDType;

use crate::checkpoint::CheckpointError;
use crate::checkpoint::elements::{decode, encode};

/// Rows of a panel that are transposed at once: 8 KiB of f32, which fit into the L1 cache.
const GROUP: usize = 64;

/// Encodes whole blocks of the tensor `name`, whose elements are in order.
pub(super) fn blocks(
    name: &str,
    stored: GgmlDType,
    dtype: GgmlDType,
    bytes: &[u8],
) -> Result<Vec<u8>, CheckpointError> {
    let mut values = vec![0.0; bytes.len() / stored.type_size()];
    decode(stored, bytes, &mut values);
    encode(name, dtype, &values)
}

/// Encodes a panel `[elements of a block, rows]` as one block for each row, and calls `place` with each row and its
/// block.
pub(super) fn panel(
    name: &str,
    (stored, dtype): (GgmlDType, GgmlDType),
    bytes: &[u8],
    rows: usize,
    mut place: impl FnMut(usize, &[u8]),
) -> Result<(), CheckpointError> {
    let (block, size) = (dtype.block_size(), stored.type_size());
    let (mut values, mut line) = ([0.0; GROUP * 32], [0.0; GROUP]);
    for first in (0..rows).step_by(GROUP) {
        let group = GROUP.min(rows - first);
        for element in 0..block {
            decode(stored, &bytes[(element * rows + first) * size..][..group * size], &mut line[..group]);
            line[..group].iter().enumerate().for_each(|(row, value)| values[row * block + element] = *value);
        }
        let encoded = encode(name, dtype, &values[..group * block])?;
        for (row, block) in encoded.chunks_exact(dtype.type_size()).enumerate() {
            place(first + row, block);
        }
    }
    Ok(())
}
