//! What a model is exported as is what it was: the same bytes, the same logits.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/imported.rs"]
mod imported;

use std::fs;
use std::io::{self, Cursor};

use candle_core::Device;
use candle_core::quantized::gguf_file;
use imported::{Files, fixtures, logits, named, read};
use peargpt::checkpoint::Model;
use peargpt::checkpoint::export::{self, File, Source};
use peargpt::checkpoint::precision::Precision;
use peargpt::checkpoint::{Checkpoint, random};
use peargpt::model::Config;
use peargpt::model::config::{Activation, Head};
use peargpt::tokenizer::TokenizerSpec;
use safetensors::SafeTensors;

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::F16, Precision::Q8_0];

/// The GGUF file of a model, which has the length that was said before.
fn gguf(source: &impl Source, precision: Option<Precision>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = export::gguf(source, "fixture", precision).unwrap();
    let (name, length) = (file.name().to_string(), file.length());
    file.write(source, &mut bytes).unwrap();
    assert_eq!((name.as_str(), length), ("fixture.gguf", bytes.len() as u64));
    bytes
}

/// The files of a folder, each with the length that was said before.
fn folder(source: &impl Source, precision: Precision) -> Files {
    let written = |file: File| {
        let (mut bytes, name, length) = (Vec::new(), file.name().to_string(), file.length());
        file.write(source, &mut bytes).unwrap();
        assert_eq!(length, bytes.len() as u64, "{name}");
        named(&name, bytes)
    };
    export::huggingface(source, precision).unwrap().into_iter().map(written).collect()
}

fn text(files: &Files, name: &str) -> String {
    let bytes = files.iter().find(|file| file.name == name).unwrap().reader.get_ref();
    String::from_utf8(bytes.clone()).unwrap()
}

fn opened(bytes: &[u8]) -> Model {
    Model::open(&mut Cursor::new(bytes)).unwrap()
}

fn loaded(files: &mut Files, precision: Precision) -> Model {
    Model::build(read(files, Some(precision))).unwrap()
}

#[test]
fn a_loaded_model_is_written_as_a_checkpoint_is() {
    for (fixture, mut files) in fixtures() {
        for precision in PRECISIONS {
            let converted = common::to_bytes(&read(&mut files, Some(precision)));
            let model = loaded(&mut files, precision);
            assert!(gguf(&model, None) == converted, "{fixture} in {precision:?}, as it was loaded");
            assert!(gguf(&model, Some(precision)) == converted, "{fixture} in {precision:?}");
        }
    }
}

#[test]
fn another_precision_is_that_of_converting_from_float32() {
    for (fixture, mut files) in fixtures() {
        let model = loaded(&mut files, Precision::F32);
        for precision in PRECISIONS {
            let converted = common::to_bytes(&read(&mut files, Some(precision)));
            assert!(gguf(&model, Some(precision)) == converted, "{fixture} in {precision:?}");
        }
    }
}

#[test]
fn an_exported_file_opens_as_the_same_model() {
    for (fixture, mut files) in fixtures() {
        for precision in PRECISIONS {
            let model = loaded(&mut files, precision);
            let bytes = gguf(&model, None);
            let again = opened(&bytes);
            assert_eq!(again.gpt.config(), model.gpt.config(), "{fixture}");
            assert_eq!(logits(&again.gpt, fixture), logits(&model.gpt, fixture), "{fixture} in {precision:?}");
            assert!(gguf(&again, None) == bytes, "{fixture} in {precision:?}");
        }
    }
}

#[test]
fn the_model_that_the_site_serves_comes_back_byte_for_byte() {
    let bytes = fs::read(common::path("weights/peargpt.gguf")).unwrap();
    let mut written = Vec::new();
    let model = opened(&bytes);
    let mut file = export::gguf(&model, "pearGPT", None).unwrap();
    let mut steps = 1;
    while file.step(&model, &mut written).unwrap() {
        steps += 1;
    }
    assert!(written == bytes);
    // A header, 100 tensors with zeros behind each, and more than one piece for each large matrix.
    assert!(steps > 201 + 16, "{steps}");
}

/// llama.cpp asks for them.
#[test]
fn biases_that_a_model_lacks_are_zeros_in_the_file_and_none_in_the_model() {
    for (fixture, mut files) in fixtures() {
        let model = loaded(&mut files, Precision::Q8_0);
        let file = Cursor::new(gguf(&model, None));
        let content = gguf_file::Content::read(&mut file.clone()).unwrap();
        for layer in 0..model.gpt.config().layers {
            let bias = content.tensor(&mut file.clone(), &format!("blk.{layer}.attn_qkv.bias"), &Device::Cpu).unwrap();
            let sum = bias.dequantize(&Device::Cpu).unwrap().abs().unwrap().sum_all().unwrap();
            let is_biased = sum.to_scalar::<f32>().unwrap() > 0.0;
            assert_eq!(is_biased, !matches!(fixture, "lecture" | "unbiased"), "{fixture}");
            assert_eq!(is_biased, opened(file.get_ref()).gpt.config().qkv_bias, "{fixture}");
        }
    }
}

#[test]
fn a_folder_is_the_same_model() {
    for (fixture, mut files) in fixtures() {
        for (held, written) in
            [(Precision::F32, Precision::F32), (Precision::F16, Precision::F16), (Precision::Q8_0, Precision::F32)]
        {
            let model = loaded(&mut files, held);
            let again = Model::build(read(&mut folder(&model, written), None)).unwrap();
            // In the precision that the folder has: 8-bit matrices are multiplied otherwise than those in float32.
            let model = opened(&gguf(&model, Some(written)));
            assert_eq!(again.tokenizer.spec(), model.tokenizer.spec(), "{fixture}");
            let config = Config { qkv_bias: true, ..model.gpt.config().clone() };
            assert_eq!(again.gpt.config(), &config, "{fixture}");
            assert_eq!(logits(&again.gpt, fixture), logits(&model.gpt, fixture), "{fixture} from {held:?}");
        }
    }
}

#[test]
fn a_folder_says_what_the_model_is() {
    let mut files = fixtures().into_iter().find(|(fixture, _)| *fixture == "lecture").unwrap().1;
    let folder = folder(&loaded(&mut files, Precision::F32), Precision::F16);
    assert_eq!(text(&folder, "merges.txt"), "#version: 0.2\n");
    let vocabulary = text(&folder, "vocab.json");
    assert!(
        vocabulary.starts_with(r#"{"Ċ":0,"Ġ":1,"!":2,"$":3"#) && vocabulary.ends_with(r#""z":64}"#),
        "{vocabulary}"
    );
    let config: serde_json::Value = serde_json::from_str(&text(&folder, "config.json")).unwrap();
    let says = |field: &str, value: serde_json::Value| assert_eq!(config[field], value, "{field}");
    says("activation_function", "relu".into());
    says("dtype", "float16".into());
    says("tie_word_embeddings", false.into());
    says("bos_token_id", 0.into());
    says("eos_token_id", serde_json::Value::Null);
    says("vocab_size", 65.into());
}

/// A shape in which nothing is even.
fn odd() -> Checkpoint {
    let config = Config {
        layers: 1,
        heads: 3,
        n_embd: 33,
        n_inner: 5,
        context: 9,
        vocabulary_size: 7,
        layer_norm_epsilon: 1e-5,
        activation: Activation::GeluNew,
        head: Head::Tied,
        qkv_bias: true,
    };
    let tokens = "abcdefg".chars().map(String::from).collect();
    let tokenizer = TokenizerSpec { tokens, merges: Vec::new(), start: 0, end_of_text: None };
    let weights = random::weights(&config, 1).unwrap();
    Checkpoint { config, tokenizer, weights }
}

#[test]
fn a_tensor_begins_where_its_type_may() {
    let weights = folder(&odd(), Precision::F16).pop().unwrap().reader.into_inner();
    let read = SafeTensors::deserialize(&weights).unwrap();
    let data = 8 + u64::from_le_bytes(*weights.first_chunk().unwrap()) as usize;
    assert!(data.is_multiple_of(8) && read.len() == 16, "{data}, {}", read.len());
    for (name, tensor) in read.tensors() {
        let begin = tensor.data().as_ptr() as usize - weights.as_ptr() as usize;
        assert!(begin.is_multiple_of(tensor.dtype().bitsize() / 8), "{name} at {begin}");
    }
}

#[test]
fn what_a_format_cannot_keep_is_said() {
    let mut files = fixtures().remove(0).1;
    let model = loaded(&mut files, Precision::F32);
    let error = export::huggingface(&model, Precision::Q8_0).unwrap_err().to_string();
    assert!(error.starts_with("expected F16 or F32 for model.safetensors, found Q8_0"), "{error}");
}

#[test]
fn a_model_is_not_held_twice() {
    let model = opened(&fs::read(common::path("weights/peargpt.gguf")).unwrap());
    let peak = |write: &dyn Fn()| hostile::with_peak(write).1;
    let gguf = peak(&|| export::gguf(&model, "pearGPT", None).unwrap().write(&model, &mut io::sink()).unwrap());
    // A piece of 256 KiB three times: numbers, blocks, bytes; of 10 MB.
    assert!(gguf < 900 << 10, "{gguf}");
    let folder = peak(&|| {
        for file in export::huggingface(&model, Precision::F32).unwrap() {
            file.write(&model, &mut io::sink()).unwrap();
        }
    });
    // The largest matrix, [1280, 320], in float32 and as bytes, of 40 MB.
    assert!(folder < 2 * 1280 * 320 * 4 + (400 << 10), "{folder}");
}
