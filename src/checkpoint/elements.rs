//! Converts blocks of elements, of every dtype that a file may have, to float32 and back.

use candle_core::quantized::GgmlDType;
use candle_core::quantized::k_quants::{
    BlockQ2K, BlockQ3K, BlockQ4_0, BlockQ4_1, BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K, BlockQ8_0, BlockQ8_1,
    BlockQ8K, GgmlType,
};
use half::{bf16, f16};

use super::CheckpointError;
use super::source::room;

// Elements are copied as the file has them, in little-endian order.
const _: () = assert!(cfg!(target_endian = "little"));

/// Elements of the largest block there is.
const MOST_BLOCK: usize = 256;
/// Elements that are encoded at once: a whole number of blocks of each dtype that is written.
const ENCODED: usize = 1024;

/// Whole blocks → their elements in f32.
pub(super) fn decode(dtype: GgmlDType, bytes: &[u8], values: &mut [f32]) {
    match dtype {
        GgmlDType::F32 => each(bytes, values, f32::from_le_bytes),
        GgmlDType::F16 => each(bytes, values, |bytes| half_to_f32(u16::from_le_bytes(bytes))),
        GgmlDType::BF16 => each(bytes, values, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        GgmlDType::Q4_0 => decode_blocks::<BlockQ4_0>(bytes, values),
        GgmlDType::Q4_1 => decode_blocks::<BlockQ4_1>(bytes, values),
        GgmlDType::Q5_0 => decode_blocks::<BlockQ5_0>(bytes, values),
        GgmlDType::Q5_1 => decode_blocks::<BlockQ5_1>(bytes, values),
        GgmlDType::Q8_0 => decode_blocks::<BlockQ8_0>(bytes, values),
        GgmlDType::Q8_1 => decode_blocks::<BlockQ8_1>(bytes, values),
        GgmlDType::Q2K => decode_blocks::<BlockQ2K>(bytes, values),
        GgmlDType::Q3K => decode_blocks::<BlockQ3K>(bytes, values),
        GgmlDType::Q4K => decode_blocks::<BlockQ4K>(bytes, values),
        GgmlDType::Q5K => decode_blocks::<BlockQ5K>(bytes, values),
        GgmlDType::Q6K => decode_blocks::<BlockQ6K>(bytes, values),
        GgmlDType::Q8K => decode_blocks::<BlockQ8K>(bytes, values),
    }
}

fn each<const N: usize>(bytes: &[u8], values: &mut [f32], convert: impl Fn([u8; N]) -> f32) {
    values.iter_mut().zip(bytes.as_chunks().0).for_each(|(value, bytes)| *value = convert(*bytes));
}

/// A number of 16 bits as f32. `half` does the same with branches; this is 8 times as fast in WebAssembly, where the
/// compiler makes vectors of it. The exponent is moved by a multiplication, which is exact and takes subnormal numbers
/// along; infinity and NaN get theirs back.
fn half_to_f32(bits: u16) -> f32 {
    /// 2^112: the difference of the two biases is 127 - 15.
    const SCALE: f32 = f32::from_bits((127 + 112) << 23);
    /// The first number whose exponent is all ones.
    const INFINITY: u32 = 0x7c00 << 13;
    let (sign, magnitude) = (u32::from(bits & 0x8000) << 16, u32::from(bits & 0x7fff) << 13);
    let exponent = if magnitude >= INFINITY { 0x7f80_0000 } else { 0 };
    f32::from_bits((f32::from_bits(magnitude) * SCALE).to_bits() | exponent | sign)
}

fn decode_blocks<T: Plain>(bytes: &[u8], values: &mut [f32]) {
    let mut block = [T::zeros()];
    for (bytes, values) in bytes.chunks_exact(size_of::<T>()).zip(values.chunks_exact_mut(T::BLCK_SIZE)) {
        bytes_of(&mut block).copy_from_slice(bytes);
        T::to_float(&block, values);
    }
}

/// Encodes f32 as whole blocks of F32, F16 or Q8_0, as a file has them. Fails where 16 bits cannot hold a number of the
/// tensor `name`.
pub(super) fn encode(name: &str, dtype: GgmlDType, values: &[f32]) -> Result<Vec<u8>, CheckpointError> {
    let (bytes, bits) = match dtype {
        GgmlDType::Q8_0 => (encode_q8(name, values)?, "8 bits and a scale of 16"),
        GgmlDType::F16 => (encode_as::<f16>(name, values)?, "16 bits"),
        _ => return encode_as::<f32>(name, values),
    };
    match first_not_finite(dtype, &bytes) {
        None => Ok(bytes),
        Some(_) => Err(CheckpointError::too_large(name, bits)),
    }
}

fn encode_as<T: Plain>(name: &str, values: &[f32]) -> Result<Vec<u8>, CheckpointError> {
    let count = values.len() / T::BLCK_SIZE;
    let mut bytes = room(&name, (count * size_of::<T>()) as u64)?;
    let mut blocks = vec![T::zeros(); count.min(ENCODED / T::BLCK_SIZE)];
    for values in values.chunks(ENCODED) {
        let blocks = &mut blocks[..values.len() / T::BLCK_SIZE];
        T::from_float(values, blocks);
        bytes.extend_from_slice(bytes_of(blocks));
    }
    Ok(bytes)
}

/// Numbers of a block of Q8_0, and its bytes.
const Q8: (usize, usize) = (32, 34);

fn encode_q8(name: &str, values: &[f32]) -> Result<Vec<u8>, CheckpointError> {
    let blocks = values.as_chunks::<{ Q8.0 }>().0;
    let mut bytes = room(&name, (blocks.len() * Q8.1) as u64)?;
    blocks.iter().for_each(|block| bytes.extend_from_slice(&q8_block(block)));
    Ok(bytes)
}

/// Finite numbers as 8 bits each and a scale of 16 bits: what candle's `BlockQ8_0` and ggml's `quantize_row_q8_0_ref`
/// make of them, bit by bit, and 13 times as fast in WebAssembly, which cannot round halves away from zero in one
/// instruction.
fn q8_block(values: &[f32; Q8.0]) -> [u8; Q8.1] {
    // The order of positive numbers is that of their bits.
    let largest = values.iter().fold(0, |largest, value| value.abs().to_bits().max(largest));
    let scale = f32::from_bits(largest) / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let mut block = [0; Q8.1];
    block[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    for (byte, value) in block[2..].iter_mut().zip(values) {
        *byte = rounded(value * inverse).clamp(-128, 127) as u8;
    }
    block
}

/// The nearest integer; halves away from zero, as `f32::round`. A half itself would take 0.49999997 to 1.
fn rounded(value: f32) -> i32 {
    (value + 0.5_f32.next_down().copysign(value)) as i32
}

/// Fails at the first NaN or infinity among these elements, which begin at `offset` in the file. A single one would
/// make every logit NaN.
pub(super) fn check_finite(name: &str, dtype: GgmlDType, bytes: &[u8], offset: u64) -> Result<(), CheckpointError> {
    let Some(block) = first_not_finite(dtype, bytes) else { return Ok(()) };
    let offset = offset + block as u64 * dtype.type_size() as u64;
    Err(CheckpointError::field(&name, offset, "a finite number", "NaN or infinity"))
}

/// The first block whose number, or whose scale, is not finite: all bits of its exponent are set.
fn first_not_finite(dtype: GgmlDType, bytes: &[u8]) -> Option<usize> {
    let half = |bits: [u8; 2], exponent: u16| u16::from_le_bytes(bits) & exponent == exponent;
    match dtype {
        GgmlDType::F32 => first(bytes, |bits| !f32::from_le_bytes(bits).is_finite()),
        GgmlDType::F16 => first(bytes, |bits| half(bits, 0x7c00)),
        GgmlDType::BF16 => first(bytes, |bits| half(bits, 0x7f80)),
        GgmlDType::Q8_0 => bytes.as_chunks::<{ Q8.1 }>().0.iter().position(|block| half([block[0], block[1]], 0x7c00)),
        _ => bytes.chunks_exact(dtype.type_size()).position(|block| {
            let mut values = [0.0; MOST_BLOCK];
            let values = &mut values[..dtype.block_size()];
            decode(dtype, block, values);
            !values.iter().all(|value| value.is_finite())
        }),
    }
}

/// The first of the numbers that `is_wrong`. Looks at many at once, of which the compiler makes vectors.
fn first<const N: usize>(bytes: &[u8], is_wrong: impl Fn([u8; N]) -> bool) -> Option<usize> {
    const MANY: usize = 256;
    let chunks = bytes.as_chunks().0.chunks(MANY);
    let any = |numbers: &[[u8; N]]| numbers.iter().fold(false, |any, &number| any | is_wrong(number));
    let (chunk, numbers) = chunks.enumerate().find(|(_, numbers)| any(numbers))?;
    numbers.iter().position(|&number| is_wrong(number)).map(|index| chunk * MANY + index)
}

/// Blocks that a file's bytes may be copied into.
///
/// # Safety
/// Every bit pattern is a value of the type, and the type has no padding.
pub(super) unsafe trait Plain: GgmlType + 'static {}

// SAFETY: every bit pattern is an f32, and an f32 has no padding.
unsafe impl Plain for f32 {}
// SAFETY: a transparent u16.
unsafe impl Plain for f16 {}

/// Types of `repr(C)` whose fields are numbers and arrays of them, and add up to their size, which candle asserts.
macro_rules! plain {
    ($($block:ty),*) => {
        $(
            // SAFETY: every bit pattern is a value of these fields, and they leave no bytes for padding.
            unsafe impl Plain for $block {}
        )*
    };
}

plain!(BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, BlockQ8_1);
plain!(BlockQ2K, BlockQ3K, BlockQ4K, BlockQ5K, BlockQ6K, BlockQ8K);

/// The blocks' memory.
pub(super) fn bytes_of<T: Plain>(blocks: &mut [T]) -> &mut [u8] {
    // SAFETY: the bytes borrow the slice mutably for as long as they live, bytes need no alignment, and `Plain`
    // guarantees that any bytes written to them are valid blocks.
    unsafe { std::slice::from_raw_parts_mut(blocks.as_mut_ptr().cast(), size_of_val(blocks)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::testing::numbers;

    #[test]
    fn every_half_is_the_number_that_its_library_reads() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (half_to_f32(bits), f16::from_bits(bits).to_f32());
            assert!(ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan()), "{bits:04x}: {ours}");
        }
    }

    #[test]
    fn numbers_are_rounded_as_the_library_rounds() {
        for half in (-255..=255).map(|odd| odd as f32 / 2.0) {
            for value in [half.next_down().next_down(), half.next_down(), half, half.next_up()] {
                assert_eq!(rounded(value), value.round() as i32, "{value}");
            }
        }
    }

    #[test]
    fn blocks_of_eight_bits_are_those_of_candle() {
        let mut number = numbers(8);
        let scales = [0.0, f32::MIN_POSITIVE, 1e-30, 1e-5, 0.02, 1.0, 3e4, 8e6];
        for scale in scales.into_iter().cycle().take(4000) {
            let values: [f32; Q8.0] = std::array::from_fn(|_| number() * scale);
            let mut theirs = [BlockQ8_0::zeros()];
            BlockQ8_0::from_float(&values, &mut theirs);
            assert_eq!(q8_block(&values), bytes_of(&mut theirs), "{values:?}");
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_found_in_every_dtype() {
        let f32s: Vec<u8> = [1.0, f32::MAX, f32::NAN].iter().flat_map(|x: &f32| x.to_le_bytes()).collect();
        assert_eq!(first_not_finite(GgmlDType::F32, &f32s), Some(2));
        let f16s: Vec<u8> = [f16::MAX, f16::NEG_INFINITY].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(first_not_finite(GgmlDType::F16, &f16s), Some(1));
        let bf16s: Vec<u8> = [bf16::MAX, bf16::INFINITY].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(first_not_finite(GgmlDType::BF16, &bf16s), Some(1));
        let mut blocks = [0xff; 68];
        blocks[..2].copy_from_slice(&f16::ONE.to_le_bytes());
        assert_eq!(first_not_finite(GgmlDType::Q8_0, &blocks), Some(1));
    }
}
