//! What a model is exported as is what it was: the same bytes, the same logits.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/imported.rs"]
mod imported;

use std::fs;
use std::io::Cursor;

use imported::{Files, fixtures, logits, read};
use peargpt::checkpoint::export::{self, Source};
use peargpt::checkpoint::quantize::Precision;
use peargpt::generation::Model;

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
