//! Neither a file that comes in pieces nor what was saved of one is trusted.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/made.rs"]
mod made;
#[path = "common/pushed.rs"]
mod pushed;

use std::io::Cursor;

use common::Folder;
use hostile::{Numbers, mutate, with_peak};
use made::{Made, SMALL, convert};
use peargpt::checkpoint::import::streaming::{Streaming, Texts};
use pushed::{NAME, begin, begin_of, push, resume, stream_evenly, texts};

/// What is wrong with a file, said before it ends.
fn error(folder: &Folder) -> String {
    stream_evenly(folder, 1000).unwrap_err().to_string()
}

/// The file with another text in its header.
fn with_header(made: &Made, old: &str, new: &str) -> Folder {
    let mut folder = made.folder();
    let length = u64::from_le_bytes(*folder.weights.first_chunk().unwrap()) as usize;
    let (header, data) = folder.weights[8..].split_at(length);
    let header = String::from_utf8(header.to_vec()).unwrap();
    assert!(header.contains(old), "{old} in {header}");
    let header = header.replace(old, new);
    folder.weights = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();
    folder
}

#[test]
fn a_header_that_lies_is_refused_by_field_and_offset() {
    let lie = |old: &str, new: &str| error(&with_header(&SMALL, old, new));
    let cases = [
        ("[64, 192]", "[32, 384]", "attn.c_attn.weight` at byte"),
        // As nanoGPT has it, which keeps the other matrices so too.
        ("[64, 192]", "[192, 64]", "`shape of h.0.mlp.c_fc.weight` at byte"),
        (r#""F32""#, r#""I32""#, "expected F32, F16 or BF16, found I32"),
        (r#""h.1.ln_1.bias""#, r#""h.1.ln_1.bios""#, "the file has no tensor `blk.1.attn_norm.bias`"),
        (
            r#""h.1.ln_1.bias""#,
            r#""h.4096.ln_1.bias""#,
            "`number of a block` at byte 0: expected below 4096, found 4096",
        ),
        (r#""h.1.ln_1.bias""#, r#""h.9.ln_1.bias""#, "the file has no tensor `blk.1.attn_norm.bias`"),
        (r#""wte.weight""#, r#""transformer.h.0.ln_1.bias""#, "the file has two tensors"),
        (r#""wte.weight""#, r#""wta.weight""#, "of the lecture's GPT, found wta.weight"),
        (r#""wte.weight""#, r#""lm_head.weight""#, "the file has no tensor `token_embd.weight`"),
        ("[101, 64]", "[6464]", "shape of wte.weight` at byte"),
        ("[101, 64]", "[202, 32]", "`width` at byte 0: expected a multiple of 64, the length of a head, found 32"),
        ("[101, 64]", "[0, 64]", "`data_offsets of wte.weight` at byte"),
        ("[7, 64]", "[14, 32]", "`shape of wpe.weight` at byte"),
        (r#"{"__meta"#, r#"{{"__meta"#, "the header of model.safetensors, from byte 8: key must be a string"),
    ];
    for (old, new, says) in cases {
        let error = lie(old, new);
        assert!(error.contains(says), "{old} → {new}: expected `{says}`, found `{error}`");
    }
}

/// OpenAI's models have them all, and none is made up.
#[test]
fn biases_that_are_nowhere_are_missed() {
    for (name, ours) in [("attn.c_attn", "attn_qkv"), ("attn.c_proj", "attn_output"), ("ln_1", "attn_norm")] {
        let folder = Made { layers: 1, without: Some(name), ..SMALL }.folder();
        assert_eq!(error(&folder), format!("the file has no tensor `blk.0.{ours}.bias`"));
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    let whole = SMALL.folder();
    let with_length = |length: u64| {
        let mut folder = SMALL.folder();
        folder.weights[..8].copy_from_slice(&length.to_le_bytes());
        error(&folder)
    };
    for length in [u64::MAX, 1 << 40, whole.weights.len() as u64 - 7] {
        let error = with_length(length);
        assert!(error.starts_with(&format!("`header` at byte 8 takes {length} bytes, and the file has")), "{error}");
    }
    assert!(with_length(0).contains("EOF") && with_length(9).contains("EOF"));
    let mut long = Streaming::new(texts(&whole), NAME, u64::MAX).unwrap();
    let error = long.push(&(1u64 << 40).to_le_bytes(), &mut Cursor::new(Vec::new())).unwrap_err().to_string();
    assert_eq!(error, "`header length` at byte 0: expected at most 16777216 bytes, found 1099511627776");
    let error = Streaming::new(texts(&whole), NAME, 7).unwrap_err().to_string();
    assert_eq!(error, "`header length` at byte 0 takes 8 bytes, and the file has 7 left");
}

#[test]
fn a_file_that_ends_too_early_or_too_late_is_refused() {
    let folder = SMALL.folder();
    let end = folder.weights.len();
    for at in [0, 5, 100, 50_000, end - 1] {
        let (mut streaming, mut file) = (begin(&folder), Cursor::new(Vec::new()));
        push(&mut streaming, &folder, at, &mut file);
        let error = streaming.finish(&mut file).unwrap_err().to_string();
        let says = format!("`model.safetensors` at byte {at} takes {} bytes, and the file has 0 left", end - at);
        assert_eq!(error, says);
    }
    let (mut streaming, mut file) = (begin(&folder), Cursor::new(Vec::new()));
    push(&mut streaming, &folder, end - 1, &mut file);
    let error = streaming.push(&[0, 0], &mut file).unwrap_err().to_string();
    assert_eq!(error, format!("`model.safetensors` at byte {end}: expected its end, found 1 bytes more"));
    push(&mut streaming, &folder, end, &mut file);
    file.get_mut().push(0);
    let error = streaming.finish(&mut file).unwrap_err().to_string();
    assert!(error.contains("`length of the GGUF file` at byte 0: expected"), "{error}");
}

#[test]
fn numbers_that_are_not_finite_are_named_with_their_place() {
    for dtypes in [["F32"; 3], ["F16"; 3], ["BF16"; 3]] {
        let made = Made { dtypes, ..SMALL };
        for name in ["wte.weight", "h.1.mlp.c_proj.weight", "h.0.ln_2.bias"] {
            let mut folder = made.folder();
            let size = if dtypes == ["F32"; 3] { 4 } else { 2 };
            let at = begin_of(&folder, name) + 33 * size;
            folder.weights[at..at + size].fill(0xff);
            let says = format!("`{name}` at byte {at}: expected a finite number, found NaN or infinity");
            assert_eq!(error(&folder), says);
        }
    }
}

#[test]
fn nothing_goes_on_after_an_error() {
    let mut folder = SMALL.folder();
    let at = begin_of(&folder, "wte.weight");
    folder.weights[at..at + 4].fill(0xff);
    let (mut streaming, mut file) = (begin(&folder), Cursor::new(Vec::new()));
    streaming.push(&folder.weights, &mut file).unwrap_err();
    let says = "writing failed: an earlier piece could not be taken";
    assert_eq!(streaming.push(&[], &mut file).unwrap_err().to_string(), says);
    assert_eq!(streaming.save(&mut file).unwrap_err().to_string(), says);
    assert_eq!(streaming.finish(&mut file).unwrap_err().to_string(), says);
}

#[test]
fn what_was_saved_is_refused_where_it_is_damaged_or_anothers() {
    let folder = Made { layers: 1, ..SMALL }.folder();
    let length = folder.weights.len() as u64;
    let (mut streaming, mut file) = (begin(&folder), Cursor::new(Vec::new()));
    push(&mut streaming, &folder, 100_000, &mut file);
    let saved = streaming.save(&mut file).unwrap();
    let mut numbers = Numbers(5);
    for run in 0..300 {
        let (mut damaged, at) = (saved.clone(), numbers.below(saved.len()));
        match run % 3 {
            0 => damaged[at] ^= 1 << numbers.below(8),
            1 => damaged.truncate(at),
            _ => damaged.insert(at, numbers.below(256) as u8),
        }
        let error = resume(&folder, &damaged, &mut file).unwrap_err().to_string();
        assert!(error.contains("saved conversion") || damaged == saved, "{run}: {error}");
    }
    let changed = format!("{} ", folder.vocabulary);
    let others = [
        (Texts { vocabulary: &changed, ..texts(&folder) }, NAME, length),
        (Texts { merges: "", ..texts(&folder) }, NAME, length),
        (texts(&folder), "other", length),
        (texts(&folder), NAME, length + 1),
    ];
    for (texts, name, length) in others {
        let error = Streaming::resume(texts, name, length, &saved, &mut file).unwrap_err().to_string();
        assert!(error.contains("expected that of the same file, name and vocabulary"), "{error}");
    }
    let short = file.get_ref().len() / 2;
    file.get_mut().truncate(short);
    let error = resume(&folder, &saved, &mut file).unwrap_err().to_string();
    assert!(error.contains("the GGUF so far"), "{error}");
}

#[test]
fn three_thousand_mutations_end_as_the_reader_says() {
    let made = Made { layers: 1, hidden: 1, vocabulary: 3, context: 2, ..SMALL };
    let (mut folder, mut numbers, mut refused) = (made.folder(), Numbers(6), 0);
    let whole = folder.weights.clone();
    let header = u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    for run in 0..3_000 {
        folder.weights.clone_from(&whole);
        mutate(&mut numbers, &mut folder.weights, header);
        let (result, peak) = with_peak(|| stream_evenly(&folder, 9973));
        // The GGUF counts too, in a Vec that doubles.
        assert!(peak <= 8 * header + 3 * whole.len(), "{run}: {peak} bytes, {result:?}");
        match (result, convert(&folder)) {
            (Ok(found), expected) => assert!(found == expected.unwrap(), "{run}"),
            (Err(_), Err(_)) => refused += 1,
            (Err(error), Ok(_)) => panic!("{run}: {error}"),
        }
    }
    assert!((1_000..3_000).contains(&refused), "{refused} refused");
}
