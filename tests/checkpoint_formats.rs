//! What is written is what is read.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs;
use std::io::Cursor;

use candle_core::quantized::GgmlDType;
use common::{Folder, as_gguf, path, text, to_bytes};
use peargpt::app::catalog;
use peargpt::checkpoint::precision::Precision;
use peargpt::checkpoint::{Checkpoint, gguf};
use peargpt::model::Share;
use peargpt::model::config::{Activation, Head};

fn read(bytes: &[u8]) -> Checkpoint {
    gguf::read(&mut Cursor::new(bytes), Share::WHOLE).unwrap()
}

#[test]
fn a_gguf_that_is_read_and_written_has_the_same_bytes() {
    for fixture in ["small", "variant"] {
        for precision in [Precision::F32, Precision::F16, Precision::Q8_0] {
            let bytes = as_gguf(fixture, precision);
            assert!(to_bytes(&read(&bytes)) == bytes, "{fixture} in {precision:?}");
        }
    }
}

#[test]
fn a_gguf_says_what_the_folder_said() {
    for fixture in ["small", "variant"] {
        let folder = Folder::fixture(fixture).read().unwrap();
        let file = read(&as_gguf(fixture, Precision::F32));
        assert_eq!(file.config, folder.config);
        assert_eq!(file.tokenizer, folder.tokenizer);
    }
}

#[test]
fn a_folder_is_read_with_its_variants() {
    let Checkpoint { config, tokenizer, mut weights } = Folder::fixture("variant").read().unwrap();
    assert_eq!((config.activation, config.head), (Activation::Relu, Head::Untied { bias: false }));
    assert_eq!((config.n_inner, config.context, config.qkv_bias), (128, 32, true));
    assert_eq!((tokenizer.start, tokenizer.end_of_text), (45, Some(45)));
    assert_eq!(tokenizer.merges[1], "th e");
    // Masks were left out, and the matrices stand as [out, in].
    assert!(weights.get("blk.0.attn.bias").is_none());
    assert_eq!(weights.take("blk.0.ffn_down.weight", &[32, 128]).unwrap().dtype(), GgmlDType::F32);
}

#[test]
fn a_character_vocabulary_and_our_own_keys_survive() {
    let mut checkpoint = Folder::fixture("variant").read().unwrap();
    checkpoint.tokenizer.merges.clear();
    checkpoint.tokenizer.end_of_text = None;
    checkpoint.tokenizer.start = 0;
    checkpoint.config.activation = Activation::Gelu;
    checkpoint.config.head = Head::Untied { bias: true };
    let bias = candle_core::Tensor::arange(0f32, 46f32, &candle_core::Device::Cpu).unwrap();
    let bias = candle_core::quantized::QTensor::quantize(&bias, GgmlDType::F32).unwrap();
    checkpoint.weights.insert("output.bias", bias).unwrap();
    let file = read(&to_bytes(&checkpoint));
    assert_eq!(file.config, checkpoint.config);
    assert_eq!(file.tokenizer, checkpoint.tokenizer);
    assert!(to_bytes(&file) == to_bytes(&checkpoint));
}

#[test]
fn matrices_are_quantised_where_rows_allow() {
    let file = read(&as_gguf("small", Precision::Q8_0));
    let dtype = |name| file.weights.get(name).unwrap().dtype();
    assert_eq!(dtype("token_embd.weight"), GgmlDType::Q8_0);
    assert_eq!(dtype("blk.1.ffn_up.weight"), GgmlDType::Q8_0);
    assert_eq!(dtype("blk.1.ffn_down.weight"), GgmlDType::F16);
    assert_eq!(dtype("position_embd.weight"), GgmlDType::F32);
    assert_eq!(dtype("output_norm.bias"), GgmlDType::F32);
}

#[test]
fn the_shipped_file_is_the_one_in_the_catalog() {
    let bytes = fs::read(path("weights/peargpt.gguf")).unwrap();
    let entry = catalog::find(catalog::parse(&text("weights/catalog.json")).unwrap(), "peargpt").unwrap();
    let [part] = entry.parts.as_slice() else { panic!("{:?}", entry.parts) };
    assert_eq!((part.url.as_str(), part.bytes), ("peargpt.gguf", bytes.len() as u64));
    assert_eq!(part.sha256, catalog::sha256(&bytes));
    assert!(text("weights/README.md").contains(&part.sha256), "weights/README.md names another sha256");
    let Checkpoint { config, tokenizer, .. } = read(&bytes);
    assert_eq!((config.parameters() as u64, config.context as u32), (entry.parameters, entry.context));
    assert_eq!((tokenizer.tokens.len(), tokenizer.merges.len()), (65, 0));
    assert_eq!((tokenizer.tokens[0].as_str(), tokenizer.start, tokenizer.end_of_text), ("Ċ", 0, None));
}
