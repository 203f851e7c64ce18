//! Safetensors files are not trusted: whatever they claim, reading ends in an error that names field and offset, and costs
//! at most 8 times the header and the texts beside it; converting, some rows and a transposed matrix more.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/made.rs"]
mod made;

use std::io::{Write, sink};

use common::{Files, Folder, inspect, named};
use hostile::{Numbers, mutate, open, with_peak};
use made::{Made, SMALL};
use peargpt::checkpoint::import::{self, Answers, ImportError};
use peargpt::checkpoint::precision::Precision;

/// What is read at once of texts.
const BUFFERS: usize = 64 << 10;
/// Rows of 256 KiB in 8 bits, and as float32.
const ROWS: usize = 1280 << 10;

/// Header and data of a safetensors file.
fn header_of(file: &[u8]) -> (&str, &[u8]) {
    let length = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let (header, data) = file[8..].split_at(length);
    (std::str::from_utf8(header).unwrap(), data)
}

/// The small safetensors file with another header.
fn with_header(weights: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let (header, data) = header_of(weights);
    let header = change(header);
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn a_safetensors_header_that_lies_is_refused_before_a_tensor_is_read() {
    let whole = Folder::fixture("small");
    let bias = r#""transformer.h.0.attn.c_attn.bias":{"dtype":"F32","shape":[96],"data_offsets":[0,384]}"#;
    let instead = |text: &str| bias.replace(r#""shape":[96],"data_offsets":[0,384]"#, text);
    let cases = [
        (instead(r#""shape":[96],"data_offsets":[384,0]"#), ["data_offsets of transformer.h.0", "begin before end"]),
        (instead(r#""shape":[95],"data_offsets":[0,384]"#), ["data_offsets of transformer.h.0", "found 384 bytes"]),
        (instead(r#""shape":[96],"data_offsets":[0,999999]"#), ["`data_offsets of", "as many bytes as [96] takes"]),
        (
            instead(r#""shape":[96],"data_offsets":[18446744073709551615,18446744073709551615]"#),
            ["data_offsets", "begin"],
        ),
        (instead(r#""shape":[4294967296,4294967296,4294967296],"data_offsets":[0,384]"#), ["data_offsets of", "384"]),
        (instead(r#""shape":[1,1,1,1,96],"data_offsets":[0,384]"#), ["the header", "at most 4 sizes"]),
        (instead(r#""shape":[-96],"data_offsets":[0,384]"#), ["the header", "invalid value"]),
        (instead(r#""shape":[96],"data_offsets":[4,388]"#), ["`place of", "bytes behind those of"]),
        (
            instead(r#""shape":[96],"data_offsets":[1000000,1000384]"#),
            ["` at byte", "takes 384 bytes, and the file has 0 left"],
        ),
        (instead(r#""shape":[1,96],"data_offsets":[0,384]"#), ["`shape of", "expected [96], found [1, 96]"]),
        (bias.replace("F32", "I32"), ["`dtype of transformer.h.0", "expected F32, F16 or BF16, found I32"]),
        (bias.replace("F32", "F33"), ["the header", "unknown variant `F33`"]),
        (
            bias.replace("h.0.attn.c_attn", "h.0.attn.c_atta"),
            ["`name of a tensor` at byte", "found transformer.h.0.attn.c_atta.bias"],
        ),
        (bias.replace("h.0.attn.c_attn", "h.1.attn.c_attn"), ["the file has two tensors", "h.1.attn.c_attn.bias"]),
        (
            format!(
                "{bias},{}",
                bias.replace("h.0.attn.c_attn.bias", "h.2.ln_1.bias").replace("[96]", "[0]").replace("384", "0")
            ),
            ["h.2.ln_1.bias` at byte", "found one more"],
        ),
        ("[".repeat(100_000), ["the header", "key must be a string"]),
        (format!(r#""__metadata__":{}"#, "[".repeat(100_000)), ["the header", ""]),
    ];
    for (text, says) in cases {
        let mut folder = Folder::fixture("small");
        folder.weights = with_header(&whole.weights, |header| {
            assert!(header.contains(bias));
            header.replace(bias, &text)
        });
        check_folder(&folder, says);
    }
}

#[test]
fn a_safetensors_length_that_lies_is_refused() {
    for (length, says) in [(u64::MAX, "`header` at byte 8"), (1 << 40, "`header` at byte 8"), (0, "EOF"), (9, "EOF")] {
        let mut folder = Folder::fixture("small");
        folder.weights[..8].copy_from_slice(&length.to_le_bytes());
        check_folder(&folder, [says, ""]);
    }
}

#[test]
fn a_config_that_does_not_fit_is_refused_by_field_and_offset() {
    let cases = [
        (r#""n_head": 4"#, r#""n_head": 5"#, ["`config.json n_head` at byte", "a divisor of n_embd, which is 32"]),
        (r#""n_head": 4"#, r#""n_head": 0"#, ["`config.json n_head` at byte", "expected 1 to"]),
        (r#""n_embd": 32"#, r#""n_embd": 1000000000000"#, ["`config.json n_embd` at byte", "found 1000000000000"]),
        (r#""n_layer": 2"#, r#""n_layer": -2"#, ["config.json", "invalid value: integer `-2`"]),
        (r#""n_layer": 2"#, r#""n_layer": 3"#, ["the file has no tensor", "`blk.2.attn_norm.weight`"]),
        (
            r#""vocab_size": 46"#,
            r#""vocab_size": 16777216"#,
            ["`shape of transformer.wte.weight` at byte", "expected [16777216, 32], found [46, 32]"],
        ),
        (r#""gelu_new""#, r#""swish""#, ["`config.json activation_function` at byte", "found `swish`"]),
        (r#""gpt2""#, r#""llama""#, ["`config.json model_type` at byte", "found `llama`"]),
        ("1e-05", "0", ["`config.json layer_norm_epsilon` at byte", "a positive number"]),
        (r#""n_embd""#, r#""width""#, ["config.json", "missing field `n_embd`"]),
    ];
    for (old, new, says) in cases {
        let mut folder = Folder::fixture("small");
        assert!(folder.config.contains(old));
        folder.config = folder.config.replace(old, new);
        check_folder(&folder, says);
    }
}

/// Reading says this, and stays within 8 times the files that are read as a whole.
fn check_folder(folder: &Folder, says: [&str; 2]) {
    let mut files = folder.files();
    let (result, peak) = with_peak(|| inspect(&mut files, &Answers::default()));
    let error = result.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(says.iter().all(|part| error.contains(part)), "expected {says:?}, found `{error}`");
    // Whatever its length claims, the header is what stands before the fixture's data.
    let header = folder.weights.len() - header_of(&Folder::fixture("small").weights).1.len();
    let texts = folder.config.len() + folder.vocabulary.len() + folder.merges.len() + header;
    assert!(peak <= 8 * texts + BUFFERS, "{peak} bytes for {texts}: {error}");
}

#[test]
fn files_cut_off_anywhere_are_refused() {
    let mut folder = Folder::fixture("small");
    let whole = folder.weights.clone();
    for step in 0..200 {
        folder.weights = whole[..whole.len() * step / 200].to_vec();
        let error = folder.read().unwrap_err().to_string();
        let says = if step == 0 { "an empty file" } else { "at byte" };
        assert!(error.contains(says), "{step}: {error}");
    }
}

/// Writes the GGUF that a folder becomes.
fn convert(files: &mut Files, gguf: &mut impl Write) -> Result<(), ImportError> {
    let info = inspect(files, &Answers::default())?;
    import::to_gguf(&info, "x", Some(Precision::Q8_0))?.write(&info, files, gguf)
}

/// One block of GPT-2's, whose embedding has 31 MB.
const BLOCK: Made = Made { layers: 1, width: 768, hidden: 3072, context: 64, vocabulary: 10_000, ..SMALL };

#[test]
fn a_conversion_holds_a_transposed_matrix_and_some_rows() {
    for (dtypes, size) in [(["F32"; 3], 4), (["F16"; 3], 2)] {
        let folder = Made { dtypes, ..BLOCK }.folder();
        let mut files = folder.files();
        let texts = folder.vocabulary.len() + header_of(&folder.weights).0.len();
        let (result, peak) = with_peak(|| convert(&mut files, &mut sink()));
        result.unwrap();
        assert!(peak <= 8 * texts + 768 * 3072 * size + ROWS, "{peak} for {} bytes", folder.weights.len());
    }
}

#[test]
fn ten_thousand_mutations_of_a_safetensors_file_end_well() {
    let (mut files, at) = (Folder::fixture("small").files(), 3);
    let whole = files[at].reader.get_ref().clone();
    let (header, mut numbers, mut refused) = (header_of(&whole).0.len(), Numbers(2), 0);
    let texts: usize = files[..at].iter().map(|file| file.reader.get_ref().len()).sum();
    for run in 0..10_000 {
        let (mut weights, mut gguf) = (whole.clone(), Vec::with_capacity(2 * whole.len()));
        mutate(&mut numbers, &mut weights, header);
        files[at] = named("model.safetensors", weights);
        let (result, peak) = with_peak(|| convert(&mut files, &mut gguf));
        assert!(peak <= 8 * (header + texts) + BUFFERS, "{run}: {peak} bytes, {result:?}");
        match result {
            Ok(()) => open(&gguf),
            Err(_) => refused += 1,
        }
    }
    assert!((5_000..10_000).contains(&refused), "{refused} refused");
}
