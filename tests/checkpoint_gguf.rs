//! GGUF files are not trusted: whatever they claim, reading ends in an error that names field and offset, and costs
//! at most 8 times the header plus the tensors.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/hostile.rs"]
mod hostile;

use std::io::Cursor;

use common::{after, as_gguf, gguf_data};
use hostile::{HUGE, Numbers, build, mutate, with_peak};
use peargpt::checkpoint::precision::Precision;
use peargpt::checkpoint::{Checkpoint, CheckpointError, gguf};
use peargpt::model::Share;

fn read_gguf(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    gguf::read(&mut Cursor::new(bytes), Share::WHOLE)
}

/// One change of a GGUF and what the reader says of it.
struct Case {
    /// The bytes replaced begin `skip` bytes behind this name, or behind the file's beginning.
    name: &'static str,
    skip: usize,
    bytes: Vec<u8>,
    says: [&'static str; 2],
}

fn case(name: &'static str, skip: usize, bytes: impl AsRef<[u8]>, says: [&'static str; 2]) -> Case {
    Case { name, skip, bytes: bytes.as_ref().to_vec(), says }
}

/// Lengths and counts that no file has.
fn absurd() -> Vec<Case> {
    let half = (1u64 << 63).to_le_bytes();
    vec![
        case("", 0, b"GGUX", ["`magic` at byte 0: expected `GGUF`", "found `GGUX`"]),
        case("", 4, 1u32.to_le_bytes(), ["`version` at byte 4: expected 2 or 3", "found 1"]),
        case("", 4, 3u32.to_be_bytes(), ["`version` at byte 4", "a big-endian one"]),
        case("", 8, HUGE, ["`tensors` at byte", "takes 18446744073709551615 bytes"]),
        case("", 16, HUGE, ["`keys` at byte 24", "takes 18446744073709551615 bytes"]),
        case("", 24, HUGE, ["`key 0` at byte 32", "takes 18446744073709551615 bytes"]),
        case("general.name", 4, HUGE, ["`general.name` at byte", "takes 18446744073709551615 bytes"]),
        case("tokenizer.ggml.tokens", 8, HUGE, ["`tokenizer.ggml.tokens` at byte", "takes 18446744073709551615"]),
        case("tokenizer.ggml.tokens", 8, half, ["`tokenizer.ggml.tokens` at byte", "takes 18446744073709551615"]),
        case("tokenizer.ggml.tokens", 16, HUGE, ["`tokenizer.ggml.tokens[0]` at byte", "18446744073709551615"]),
        case("tokenizer.ggml.token_type", 8, half, ["`tokenizer.ggml.token_type` at byte", "takes 184467440737095516"]),
        case("tokenizer.ggml.tokens", 4, [9], ["`tokenizer.ggml.tokens` at byte", "found elements of type 9"]),
        case(
            "gpt2.block_count",
            0,
            [99],
            ["`gpt2.block_count` at byte", "expected a type of value from 0 to 12, found 99"],
        ),
        case("token_embd.weight", 0, [5], ["`rank of token_embd.weight` at byte", "expected at most 4, found 5"]),
        case("token_embd.weight", 0, [255; 4], ["`rank of token_embd.weight`", "found 4294967295"]),
        case(
            "token_embd.weight",
            4,
            HUGE,
            ["`shape of token_embd.weight` at byte", "found [46, 18446744073709551615]"],
        ),
        case(
            "token_embd.weight",
            4,
            [half, half].concat(),
            ["`shape of token_embd.weight`", "no more than 2^64 bytes"],
        ),
    ]
}

/// Values that a header may have, but not this one.
fn inconsistent() -> Vec<Case> {
    let (three, zero) = (3u32.to_le_bytes(), [0; 4]);
    vec![
        case(
            "general.architecture",
            4 + 8,
            b"gptj",
            ["`general.architecture` at byte", "expected `gpt2`, found `gptj`"],
        ),
        case("general.alignment", 4, three, ["`general.alignment` at byte", "expected a power of two, found 3"]),
        case("general.alignment", 4, zero, ["`general.alignment` at byte", "expected a whole number from 1"]),
        case("fixture", 8, b"general.alignment", ["`general.alignment`", "each key once"]),
        case("gpt2.block_count", 4, three, ["the file has no tensor", "`blk.2.attn_norm.weight`"]),
        case("gpt2.block_count", 4, [1, 0, 0, 0], ["`blk.1.attn_norm.bias` at byte", "found one more"]),
        case("gpt2.block_count", 4, zero, ["`gpt2.block_count` at byte", "from 1 to 4096, found 0"]),
        case("gpt2.block_count", 4, [255; 4], ["`gpt2.block_count` at byte", "found 4294967295"]),
        case("gpt2.block_count", 0, [6], ["`gpt2.block_count` at byte", "found a value of type 6 and 4 bytes"]),
        case("gpt2.attention.head_count", 4, three, ["`gpt2.attention.head_count` at byte", "a divisor of"]),
        case("gpt2.attention.head_count", 4, zero, ["`gpt2.attention.head_count` at byte", "found 0"]),
        case("gpt2.context_length", 4, [33], ["`shape of position_embd.weight`", "expected [33, 32], found [32, 32]"]),
        case("gpt2.context_length", 0, b"\x04\0\0\0\0\0\0\x80", ["`gpt2.context_length` at byte", "found 2147483648"]),
        case(
            "layer_norm_epsilon",
            4,
            f32::NAN.to_le_bytes(),
            ["epsilon` at byte", "expected a positive number, found NaN"],
        ),
        case("tokenizer.ggml.bos_token_id", 4, [46], ["bos_token_id` at byte", "from 0 to 45, found 46"]),
        case(
            "tokenizer.ggml.tokens",
            24,
            [255],
            ["`tokenizer.ggml.tokens[0]` at byte", "expected UTF-8, found `\\xff"],
        ),
        case("tokenizer.ggml.mode", 0, b"x", ["the file has no key", "`tokenizer.ggml.model`"]),
        case("token_embd.weight", 4, [46, 0, 0, 0, 0, 0, 0, 0, 32], ["`shape of token_embd.weight`", "found [32, 46]"]),
        case("token_embd.weight", 20, [2], ["`type of token_embd.weight` at byte", "F32, F16 or Q8_0, found Q4_0"]),
        case("blk.0.ffn_down.weight", 20, [8], ["`shape of blk.0.ffn_down.weight` at byte", "rows of whole blocks"]),
        case("blk.0.ffn_up.", 0, b"byas", ["the file has no tensor", "`blk.0.ffn_up.weight`"]),
        case("blk.", 0, b"1", ["the file has two tensors", "`blk.1.attn_norm.weight`"]),
    ]
}

/// Tensors that lie where they may not.
fn misplaced() -> Vec<Case> {
    let last = u64::MAX - 31;
    vec![
        case(
            "position_embd.weight",
            24,
            [1],
            ["`offset of position_embd.weight` at byte", "expected a multiple of 32"],
        ),
        case(
            "position_embd.weight",
            24,
            last.to_le_bytes(),
            ["`offset of position_embd.weight`", "a place in the file"],
        ),
        case(
            "position_embd.weight",
            24,
            (1u64 << 40).to_le_bytes(),
            ["`position_embd.weight` at byte", "and the file has 0 left"],
        ),
        case(
            "position_embd.weight",
            24,
            [0; 8],
            ["`place of token_embd.weight`", "bytes behind those of position_embd"],
        ),
    ]
}

#[test]
fn a_gguf_that_lies_is_refused_by_field_and_offset_before_a_tensor_is_read() {
    let whole = as_gguf("small", Precision::F32);
    let header = gguf_data(&whole);
    for Case { name, skip, bytes, says } in absurd().into_iter().chain(inconsistent()).chain(misplaced()) {
        let mut file = whole.clone();
        let at = skip + if name.is_empty() { 0 } else { after(&file, name) };
        file[at..at + bytes.len()].copy_from_slice(&bytes);
        let (result, peak) = with_peak(|| read_gguf(&file));
        let error = result.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(says.iter().all(|part| error.contains(part)), "{name} + {skip}: expected {says:?}, found `{error}`");
        assert!(peak <= 8 * header, "{name} + {skip}: {peak} bytes for a header of {header}");
    }
}

#[test]
fn a_number_that_is_not_finite_is_refused_where_it_stands() {
    let mut file = as_gguf("small", Precision::Q8_0);
    let at = file.len() - 4;
    file[at..].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = read_gguf(&file).unwrap_err().to_string();
    assert_eq!(error, format!("`output_norm.bias` at byte {at}: expected a finite number, found NaN or infinity"));
}

#[test]
fn a_scale_that_is_not_finite_is_refused_where_it_stands() {
    let whole = as_gguf("small", Precision::Q8_0);
    // The first tensor is the token embedding, of 46 rows of one block each.
    for block in [0, 3, 44, 45] {
        let (mut file, at) = (whole.clone(), gguf_data(&whole) + block * 34);
        file[at..at + 2].copy_from_slice(&0xfc00u16.to_le_bytes());
        let error = read_gguf(&file).unwrap_err().to_string();
        assert_eq!(error, format!("`token_embd.weight` at byte {at}: expected a finite number, found NaN or infinity"));
    }
}

#[test]
fn files_cut_off_anywhere_are_refused() {
    let whole = as_gguf("small", Precision::Q8_0);
    for step in 0..200 {
        let error = read_gguf(&whole[..whole.len() * step / 200]).unwrap_err().to_string();
        assert!(error.contains("at byte"), "{step}: {error}");
    }
}

#[test]
fn reading_costs_little_more_than_the_tensors() {
    for precision in [Precision::F32, Precision::F16, Precision::Q8_0] {
        let file = as_gguf("small", precision);
        let (header, tensors) = (gguf_data(&file), file.len() - gguf_data(&file));
        let (result, peak) = with_peak(|| read_gguf(&file).unwrap());
        assert!(peak <= 8 * header + tensors, "{peak} for {header} and {tensors}, {result:?}");
    }
}

#[test]
fn ten_thousand_mutations_of_a_gguf_end_well() {
    let whole = as_gguf("small", Precision::Q8_0);
    let (header, mut numbers, mut refused) = (gguf_data(&whole), Numbers(1), 0);
    for run in 0..10_000 {
        let mut file = whole.clone();
        mutate(&mut numbers, &mut file, header);
        let (result, peak) = with_peak(|| read_gguf(&file));
        assert!(peak <= 8 * header + whole.len() - header, "{run}: {peak} bytes, {result:?}");
        match result {
            Ok(checkpoint) => build(checkpoint),
            Err(_) => refused += 1,
        }
    }
    assert!((5_000..10_000).contains(&refused), "{refused} refused");
}
