//! Checkpoints as their producers write them become the models that they are in PyTorch.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/imported.rs"]
mod imported;

use std::collections::BTreeMap;
use std::io::Cursor;

use candle_core::Device;
use candle_core::quantized::gguf_file::Content;
use candle_core::quantized::{GgmlDType, QTensor};
use common::{gguf_of, opened};
use imported::{Files, SHARDS, converted, distance, files, fixtures, inspect, named, needs, read, shakespeare};
use peargpt::checkpoint::import::{self, Answers, Need, TINY_SHAKESPEARE};
use peargpt::checkpoint::precision::Precision;
use peargpt::model::config::{Activation, Head};
use peargpt::tokenizer::Tokenizer;

#[test]
fn float32_logits_are_pytorchs_to_a_thousandth() {
    for (fixture, mut files) in fixtures() {
        let (distance, most) = distance(read(&mut files, Some(Precision::F32)), fixture);
        assert!(distance < 1e-3 && most > 1.0, "{fixture}, {}: {distance} of {most}", files[0].name);
    }
}

/// 8 bits change the logits of these models of random weights by less than a tenth of the largest.
#[test]
fn logits_in_8_bits_are_near() {
    for (fixture, mut files) in fixtures() {
        let (distance, most) = distance(read(&mut files, Some(Precision::Q8_0)), fixture);
        assert!(distance < 0.1 * most, "{fixture}, {}: {distance} of {most}", files[0].name);
    }
}

/// What a tensor is kept as in this precision.
fn kept(name: &str, shape: &[usize], precision: Precision) -> GgmlDType {
    match (precision, shape) {
        (Precision::F16, [_, _]) if name != "position_embd.weight" => GgmlDType::F16,
        (Precision::Q8_0, [_, columns]) if name != "position_embd.weight" => {
            if columns.is_multiple_of(32) {
                GgmlDType::Q8_0
            } else {
                GgmlDType::F16
            }
        }
        _ => GgmlDType::F32,
    }
}

/// A GGUF's tensors, as candle reads them.
fn tensors(bytes: &[u8]) -> BTreeMap<String, QTensor> {
    let mut file = Cursor::new(bytes);
    let content = Content::read(&mut file).unwrap();
    let mut read = |name: &String| (name.clone(), content.tensor(&mut file, name, &Device::Cpu).unwrap());
    content.tensor_infos.keys().map(&mut read).collect()
}

#[test]
fn weights_that_are_converted_as_they_come_are_candles_of_the_float32_ones() {
    for (fixture, mut files) in fixtures() {
        let whole = tensors(&converted(&mut files, Some(Precision::F32)));
        for precision in [Precision::F32, Precision::F16, Precision::Q8_0] {
            let come = tensors(&converted(&mut files, Some(precision)));
            assert!(whole.keys().eq(come.keys()) && whole.len() > 12, "{fixture}");
            for (name, tensor) in &whole {
                let dtype = kept(name, tensor.shape().dims(), precision);
                let expected = QTensor::quantize(&tensor.dequantize(&Device::Cpu).unwrap(), dtype).unwrap();
                assert_eq!((come[name].dtype(), come[name].shape()), (dtype, tensor.shape()), "{fixture}, {name}");
                assert!(come[name].data().unwrap() == expected.data().unwrap(), "{fixture}, {name} in {precision:?}");
            }
        }
    }
}

#[test]
fn a_gguf_runs_as_it_stands_where_the_site_opens_its_types() {
    let runs = |mut files: Files| inspect(&mut files, &shakespeare()).unwrap().as_it_stands().is_some();
    for precision in [Precision::F32, Precision::F16, Precision::Q8_0] {
        assert!(runs(vec![named("model.gguf", common::as_gguf("small", precision))]), "{precision:?}");
    }
    for (fixture, files) in fixtures() {
        assert!(!runs(files), "{fixture}");
    }
    assert!(!runs(common::Folder::fixture("small").files()));
}

#[test]
fn a_nanogpt_says_what_it_is() {
    let mut files = files("nanogpt", &["meta.pkl", "ckpt.pt"]);
    let info = inspect(&mut files, &Answers::default()).unwrap();
    let config = &info.config;
    assert_eq!((config.layers, config.heads, config.n_embd, config.n_inner, config.context), (2, 4, 32, 128, 16));
    assert_eq!((config.activation, config.head, config.qkv_bias), (Activation::Gelu, Head::Tied, true));
    let tokenizer = Tokenizer::new(info.tokenizer.clone()).unwrap();
    assert_eq!(tokenizer.alphabet().unwrap(), "\n !'abcdefghijklmnopqrstuvwxyzé→");
    let summary = info.summary(Some(Precision::Q8_0));
    assert_eq!((summary.source, summary.parameters), ("nanoGPT", config.parameters()));
    assert_eq!(info.usual_precision(), Some(Precision::Q8_0));
    assert_eq!((summary.stored, summary.kept), (vec!["F32".to_string()], vec!["F32".to_string(), "Q8_0".to_string()]));
}

#[test]
fn missing_biases_are_zeros_and_padding_is_dropped() {
    let mut files = files("unbiased", &["merges.txt", "ckpt.pt", "vocab.json"]);
    let info = inspect(&mut files, &Answers::default()).unwrap();
    assert_eq!((info.config.vocabulary_size, info.config.qkv_bias), (46, false));
    assert_eq!((info.tokenizer.end_of_text, info.summary(None).padding_rows), (Some(45), 18));
    let checkpoint = opened(&gguf_of(&info, &mut files, None).unwrap());
    let numbers = |name: &str| -> Vec<f32> {
        let tensor = checkpoint.weights.get(name).unwrap().dequantize(&Device::Cpu).unwrap();
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    };
    assert_eq!(numbers("blk.1.ffn_up.bias"), [0.0; 128]);
    assert_eq!(numbers("token_embd.weight").len(), 46 * 32);
}

#[test]
fn the_lectures_gpt_says_what_it_is_and_asks_for_its_alphabet() {
    for name in ["bare.pth", "wrapped.pth", "legacy.pth"] {
        let mut files = files("lecture", &[name]);
        let need = Need::Alphabet { tokens: 65, proposed: Some(TINY_SHAKESPEARE) };
        assert_eq!(needs(&mut files, &Answers::default()), [need], "{name}");
        let info = inspect(&mut files, &shakespeare()).unwrap();
        let config = &info.config;
        assert_eq!((config.heads, config.activation), (4, Activation::Relu), "{name}");
        assert_eq!((config.head, config.qkv_bias), (Head::Untied { bias: true }, false), "{name}");
        assert_eq!((info.tokenizer.tokens[1].as_str(), info.tokenizer.start), ("Ġ", 0));
    }
}

#[test]
fn an_alphabet_follows_from_the_text() {
    let mut files = files("lecture", &["bare.pth"]);
    files.push(named("notes.md", "Other words, of other characters."));
    let text: String = TINY_SHAKESPEARE.chars().rev().collect();
    files.push(named("input.txt", text + "ROMEO:\r\nAy me!"));
    let info = inspect(&mut files, &Answers::default()).unwrap();
    let alphabet = Tokenizer::new(info.tokenizer).unwrap().alphabet().unwrap();
    assert_eq!(alphabet, TINY_SHAKESPEARE);
}

#[test]
fn what_nothing_tells_is_asked_for() {
    let nothing = Answers::default();
    let mut sharded = files("sharded", &[&SHARDS[..], &["tokenizer.json"]].concat());
    assert_eq!(needs(&mut sharded, &nothing), [Need::Heads { n_embd: 32, proposed: None }]);
    let heads = Answers { heads: Some(4), ..Answers::default() };
    assert_eq!(inspect(&mut sharded, &heads).unwrap().config.heads, 4);
    let heads = Answers { heads: Some(5), ..Answers::default() };
    let error = inspect(&mut sharded, &heads).unwrap_err().to_string();
    assert!(error.ends_with("expected a divisor of the width, which is 32, found 5"), "{error}");
    let mut alone = files("bin", &["pytorch_model.bin"]);
    let wanted = [Need::Heads { n_embd: 32, proposed: None }, Need::Tokenizer { tokens: 46 }];
    assert_eq!(needs(&mut alone, &nothing), wanted);
    let mut half = files("unbiased", &["ckpt.pt", "vocab.json"]);
    assert_eq!(needs(&mut half, &nothing), [Need::File { name: "merges.txt".to_string() }]);
    let mut no_meta = files("nanogpt", &["ckpt.pt"]);
    assert_eq!(needs(&mut no_meta, &nothing), [Need::Alphabet { tokens: 32, proposed: None }]);
}

#[test]
fn shards_that_are_missing_are_named() {
    let missing = |names: &[&str]| needs(&mut files("sharded", names), &Answers::default());
    let file = |name: &str| Need::File { name: name.to_string() };
    assert_eq!(missing(&["model.safetensors.index.json", SHARDS[1]]), [file(SHARDS[0]), file(SHARDS[2])]);
    assert_eq!(missing(&[SHARDS[0], SHARDS[2], "config.json"]), [file(SHARDS[1])]);
    assert_eq!(missing(&["model.safetensors.index.json"]).len(), 3);
}

#[test]
fn a_head_that_repeats_the_embedding_elsewhere_is_tied() {
    let folder = common::Folder::fixture("small");
    let mut files = vec![
        named("model.safetensors", folder.weights),
        named("vocab.json", folder.vocabulary),
        named("merges.txt", folder.merges),
    ];
    let answers = Answers { heads: Some(4), ..Answers::default() };
    assert_eq!(inspect(&mut files, &answers).unwrap().config.head, Head::Tied);
    let mut untied = imported::files("bin", &["pytorch_model.bin", "tokenizer.json"]);
    assert_eq!(inspect(&mut untied, &answers).unwrap().config.head, Head::Untied { bias: false });
}

#[test]
fn a_gguf_of_other_types_is_kept_in_8_bits() {
    let mut files = files("quantised", &["model.gguf"]);
    let info = inspect(&mut files, &Answers::default()).unwrap();
    let summary = info.summary(None);
    let types = ["BF16", "F32", "Q2K", "Q3K", "Q4K", "Q4_0", "Q4_1", "Q5K", "Q5_0", "Q5_1", "Q6K"];
    assert_eq!((summary.source, summary.stored.as_slice()), ("GGUF", &types.map(String::from)[..]));
    assert_eq!((info.usual_precision(), summary.kept.as_slice()), (None, &["F32", "Q8_0"].map(String::from)[..]));
    let mut kquants = imported::files("kquants", &["model.gguf"]);
    let stored = inspect(&mut kquants, &Answers::default()).unwrap().summary(None).stored;
    assert_eq!(stored, ["F32", "Q2K", "Q3K", "Q4K", "Q5K", "Q6K", "Q8K", "Q8_1"]);
    let checkpoint = opened(&gguf_of(&info, &mut files, None).unwrap());
    assert_eq!(checkpoint.weights.get("blk.0.ffn_up.weight").unwrap().dtype(), GgmlDType::Q8_0);
}

#[test]
fn a_gguf_of_types_that_are_kept_comes_back_byte_for_byte() {
    for precision in [Precision::F32, Precision::F16, Precision::Q8_0] {
        let bytes = common::as_gguf("small", precision);
        let mut files = vec![named("model.gguf", bytes.clone())];
        assert!(common::to_bytes(&read(&mut files, None)) == bytes, "{precision:?}");
    }
}

#[test]
fn files_that_are_no_model_are_named() {
    let error = |files: &mut Files| import::inspect(files, &Answers::default()).unwrap_err().to_string();
    let mut none = vec![named("a.txt", "Once more unto the breach"), named("b.png", b"\x89PNG\r\n\x1a\n\0\0\0\0")];
    let says =
        "expected a model's weights (safetensors, a torch checkpoint or GGUF), found a.txt: a text, b.png: an image";
    assert_eq!(error(&mut none), says);
    let found = |bytes: &[u8]| error(&mut vec![named("x", bytes)]);
    assert!(found(b"").ends_with("found x: an empty file"));
    assert!(found(b"\0\x01\x02").ends_with("found x: a file of no format that is known here"));
    assert!(found(b"Dear diary,\nnothing happened.").contains("found x: "), "not what may be a list of merges");
    assert_eq!(needs(&mut vec![named("x", b"\x80\x02}.")], &Answers::default()), [Need::Weights]);
    assert!(error(&mut Vec::new()).ends_with("found no file"));
}
