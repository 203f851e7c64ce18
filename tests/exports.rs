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
use common::{Files, gguf_of, inspect, named, to_bytes};
use imported::{converted, fixtures, logits, read, shakespeare};
use peargpt::checkpoint::export;
use peargpt::checkpoint::import::{self, Answers, CheckpointInfo, OutputFile};
use peargpt::checkpoint::precision::Precision;
use peargpt::checkpoint::{Checkpoint, Model, random};
use peargpt::model::Config;
use peargpt::model::config::{Activation, Head};
use peargpt::tokenizer::TokenizerSpec;
use safetensors::SafeTensors;

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::F16, Precision::Q8_0];

/// What a GGUF is.
fn of(gguf: &[u8]) -> (CheckpointInfo, Files) {
    let mut files = vec![named("model.gguf", gguf)];
    (inspect(&mut files, &Answers::default()).unwrap(), files)
}

/// The GGUF that one becomes.
fn gguf(gguf: &[u8], precision: Option<Precision>) -> Vec<u8> {
    let (info, mut files) = of(gguf);
    gguf_of(&info, &mut files, precision).unwrap()
}

/// The files of the folder that a GGUF becomes, each with the length that was said before.
fn folder(gguf: &[u8], precision: Precision) -> Files {
    let (info, mut files) = of(gguf);
    folder_of(&info, &mut files, precision)
}

fn folder_of(info: &CheckpointInfo, files: &mut Files, precision: Precision) -> Files {
    let written = |file: OutputFile| {
        let (mut bytes, name, length) = (Vec::new(), file.name().to_string(), file.length());
        file.write(info, files, &mut bytes).unwrap();
        assert_eq!(length, bytes.len() as u64, "{name}");
        named(&name, bytes)
    };
    export::huggingface(info, precision).unwrap().into_iter().map(written).collect()
}

fn text(files: &Files, name: &str) -> String {
    let bytes = files.iter().find(|file| file.name == name).unwrap().reader.get_ref();
    String::from_utf8(bytes.clone()).unwrap()
}

fn opened(bytes: &[u8]) -> Model {
    Model::open(&mut Cursor::new(bytes)).unwrap()
}

#[test]
fn a_gguf_is_exported_as_it_is_and_as_who_has_it_in_memory_writes_it() {
    for (fixture, mut files) in fixtures() {
        for precision in PRECISIONS {
            let bytes = converted(&mut files, Some(precision));
            assert!(to_bytes(&common::opened(&bytes)) == bytes, "{fixture} in {precision:?}, from memory");
            assert!(gguf(&bytes, None) == bytes, "{fixture} in {precision:?}, as it is");
            assert!(gguf(&bytes, Some(precision)) == bytes, "{fixture} in {precision:?}");
        }
    }
}

#[test]
fn another_precision_is_that_of_converting_from_float32() {
    for (fixture, mut files) in fixtures() {
        let whole = converted(&mut files, Some(Precision::F32));
        for precision in PRECISIONS {
            let expected = converted(&mut files, Some(precision));
            assert!(gguf(&whole, Some(precision)) == expected, "{fixture} in {precision:?}");
        }
    }
}

#[test]
fn the_model_that_the_site_serves_comes_back_byte_for_byte() {
    let bytes = fs::read(common::path("weights/peargpt.gguf")).unwrap();
    let (info, mut files) = of(&bytes);
    for precision in [None, Some(Precision::Q8_0)] {
        let (mut written, mut steps) = (Vec::new(), 1);
        let mut file = import::to_gguf(&info, "pearGPT", precision).unwrap();
        while file.step(&info, &mut files, &mut written).unwrap() {
            steps += 1;
        }
        assert!(written == bytes, "{precision:?}");
        // A header, 100 tensors with zeros behind each, and more than one piece for each large matrix.
        assert!(steps > 201 + 16, "{steps}");
    }
}

/// llama.cpp asks for them.
#[test]
fn biases_that_a_model_lacks_are_zeros_in_the_file_and_none_in_the_model() {
    for (fixture, mut files) in fixtures() {
        let file = Cursor::new(gguf(&converted(&mut files, Some(Precision::Q8_0)), None));
        let content = gguf_file::Content::read(&mut file.clone()).unwrap();
        let config = opened(file.get_ref()).gpt.config().clone();
        for layer in 0..config.layers {
            let bias = content.tensor(&mut file.clone(), &format!("blk.{layer}.attn_qkv.bias"), &Device::Cpu).unwrap();
            let sum = bias.dequantize(&Device::Cpu).unwrap().abs().unwrap().sum_all().unwrap();
            let is_biased = sum.to_scalar::<f32>().unwrap() > 0.0;
            assert_eq!(is_biased, !matches!(fixture, "lecture" | "unbiased"), "{fixture}");
            assert_eq!(is_biased, config.qkv_bias, "{fixture}");
        }
    }
}

#[test]
fn a_folder_is_the_same_model() {
    for (fixture, mut files) in fixtures() {
        for (held, written) in
            [(Precision::F32, Precision::F32), (Precision::F16, Precision::F16), (Precision::Q8_0, Precision::F32)]
        {
            let bytes = converted(&mut files, Some(held));
            let again = Model::build(read(&mut folder(&bytes, written), None)).unwrap();
            // In the precision that the folder has: 8-bit matrices are multiplied otherwise than those in float32.
            let model = opened(&gguf(&bytes, Some(written)));
            assert_eq!(again.tokenizer.spec(), model.tokenizer.spec(), "{fixture}");
            let config = Config { qkv_bias: true, ..model.gpt.config().clone() };
            assert_eq!(again.gpt.config(), &config, "{fixture}");
            assert_eq!(logits(&again.gpt, fixture), logits(&model.gpt, fixture), "{fixture} from {held:?}");
        }
    }
}

#[test]
fn a_folder_that_becomes_a_gguf_comes_back_byte_for_byte() {
    for (fixture, mut files) in fixtures() {
        for precision in [Precision::F32, Precision::F16] {
            let mut first = folder(&converted(&mut files, Some(precision)), precision);
            let again = folder(&converted(&mut first, Some(precision)), precision);
            // Files that become a folder with no GGUF between, too.
            let direct = folder_of(&inspect(&mut files, &shakespeare()).unwrap(), &mut files, precision);
            for ((a, b), c) in first.iter().zip(&again).zip(&direct) {
                let bytes = a.reader.get_ref();
                assert!(bytes == b.reader.get_ref() && bytes == c.reader.get_ref(), "{fixture}, {}", a.name);
            }
        }
    }
}

#[test]
fn a_folder_says_what_the_model_is() {
    let mut files = fixtures().into_iter().find(|(fixture, _)| *fixture == "lecture").unwrap().1;
    let folder = folder(&converted(&mut files, Some(Precision::F32)), Precision::F16);
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
    let weights = folder(&to_bytes(&odd()), Precision::F16).pop().unwrap().reader.into_inner();
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
    let info = inspect(&mut files, &shakespeare()).unwrap();
    let error = export::huggingface(&info, Precision::Q8_0).unwrap_err().to_string();
    assert!(error.starts_with("expected F16 or F32 for model.safetensors, found Q8_0"), "{error}");
}

#[test]
fn a_model_is_never_held() {
    let (info, mut files) = of(&fs::read(common::path("weights/peargpt.gguf")).unwrap());
    let mut peak = |outputs: Vec<OutputFile>| {
        let write = |file: OutputFile| file.write(&info, &mut files, &mut io::sink()).unwrap();
        hostile::with_peak(|| outputs.into_iter().for_each(write)).1
    };
    let kept = peak(vec![import::to_gguf(&info, "pearGPT", None).unwrap()]);
    let half = peak(vec![import::to_gguf(&info, "pearGPT", Some(Precision::F16)).unwrap()]);
    // A piece of 256 KiB, and its numbers in float32; of 10 MB.
    assert!(kept < 400 << 10 && half < 900 << 10, "{kept}, {half}");
    let folder = peak(export::huggingface(&info, Precision::F32).unwrap());
    // The largest matrix, [1280, 320], in float32, of 40 MB.
    assert!(folder < 1280 * 320 * 4 + (700 << 10), "{folder}");
}
