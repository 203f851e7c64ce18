//! Elements of a safetensors file → a GGUF's blocks, by the functions that `convert` has them quantised with.

use candle_core::quantized::GgmlDType;
use half::{bf16, f16};

use super::super::super::tensor::{Kind, encode};

/// Rows of a panel that are turned at once: 8 KiB of f32, which stays in the nearest cache.
const GROUP: usize = 64;

/// Whole blocks, as they come one behind the other.
pub(super) fn blocks(kind: Kind, dtype: GgmlDType, bytes: &[u8]) -> Vec<u8> {
    let mut values = vec![0.0; bytes.len() / kind.block().1 as usize];
    floats(kind, bytes, |index, value| values[index] = value);
    encode(dtype, &values)
}

/// A panel `[elements of a block, rows]` → one block for each row: `place` gets the row and its block.
pub(super) fn panel(kind: Kind, dtype: GgmlDType, bytes: &[u8], rows: usize, mut place: impl FnMut(usize, &[u8])) {
    let (block, size) = (dtype.block_size(), kind.block().1 as usize);
    let mut values = [0.0; GROUP * 32];
    for first in (0..rows).step_by(GROUP) {
        let group = GROUP.min(rows - first);
        for element in 0..block {
            let run = &bytes[(element * rows + first) * size..][..group * size];
            floats(kind, run, |row, value| values[row * block + element] = value);
        }
        let encoded = encode(dtype, &values[..group * block]);
        for (row, block) in encoded.chunks_exact(dtype.type_size()).enumerate() {
            place(first + row, block);
        }
    }
}

/// Each element with its index.
fn floats(kind: Kind, bytes: &[u8], mut take: impl FnMut(usize, f32)) {
    match kind {
        Kind::F32 => each(bytes, |index, bytes| take(index, f32::from_le_bytes(bytes))),
        Kind::F16 => each(bytes, |index, bytes| take(index, f16::from_le_bytes(bytes).to_f32())),
        Kind::Bf16 => each(bytes, |index, bytes| take(index, bf16::from_le_bytes(bytes).to_f32())),
        // No types of a safetensors file.
        Kind::Q8_0 | Kind::Coarse(_) => {}
    }
}

fn each<const N: usize>(bytes: &[u8], mut take: impl FnMut(usize, [u8; N])) {
    bytes.as_chunks().0.iter().enumerate().for_each(|(index, bytes)| take(index, *bytes));
}
