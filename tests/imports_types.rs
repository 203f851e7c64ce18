//! Each tensor of a GGUF file in each type: it ends in a model that opens and writes, or in a sentence.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/exchanged.rs"]
mod exchanged;
#[path = "common/imported.rs"]
mod imported;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use candle_core::Device;
use candle_core::quantized::{GgmlDType, QTensor};
use exchanged::{KNOWN, UNKNOWN, exchange, model, stored};
use imported::{draft, named};
use peargpt::checkpoint::Model;
use peargpt::checkpoint::export::{Source, gguf};
use peargpt::checkpoint::import::Answers;
use peargpt::checkpoint::precision::{Precision, quantize};
use peargpt::checkpoint::{Checkpoint, gguf as format};
use peargpt::model::Weight;

/// As they are, or one of the three that may be asked for.
const PRECISIONS: [Option<Precision>; 4] = [None, Some(Precision::Q8_0), Some(Precision::F16), Some(Precision::F32)];
/// Lengths that hold blocks of 256, of 32, and none.
const LENGTHS: [usize; 3] = [256, 32, 40];

/// Name and shape of every tensor, and the file with all of them in float32.
fn whole(length: usize) -> (Vec<(String, Vec<usize>)>, Vec<u8>) {
    let mut checkpoint = model(length);
    checkpoint.weights = quantize(checkpoint.weights, Precision::F32, || ()).unwrap();
    let shapes = checkpoint.weights.iter().map(|(name, weight)| (name.to_string(), weight.shape().into_dims()));
    (shapes.collect(), common::to_bytes(&checkpoint))
}

fn read(file: &[u8], precision: Option<Precision>) -> Result<Checkpoint, String> {
    let mut files = vec![named("model.gguf", file)];
    let draft = draft(&mut files, &Answers::default()).map_err(|error| error.to_string())?;
    let mut loading = draft.loading(precision);
    while loading.left() > 0 {
        loading.step(&mut files).map_err(|error| error.to_string())?;
    }
    Ok(loading.finish())
}

fn written(source: &impl Source) -> Vec<u8> {
    let mut bytes = Vec::new();
    gguf(source, "fixture", None).unwrap().write(source, &mut bytes).unwrap();
    bytes
}

fn numbers(weight: &Weight) -> Vec<f32> {
    weight.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// What a file in this type becomes where its types are kept: blocks are for matrices, but for the positions.
fn becomes(name: &str, shape: &[usize], dtype: GgmlDType) -> GgmlDType {
    let is_matrix = shape.len() == 2 && name != "position_embd.weight";
    match dtype {
        GgmlDType::F32 | GgmlDType::F16 => dtype,
        // As what has 16 bits for numbers that 8 bits with a scale do not fit.
        GgmlDType::BF16 if is_matrix && !shape[1].is_multiple_of(32) => GgmlDType::F16,
        _ if is_matrix => GgmlDType::Q8_0,
        _ => GgmlDType::F32,
    }
}

/// A file that can be read is written by what was read as by the model that is made of it, and read again.
fn expect_model(file: &[u8], name: &str, tensor: &QTensor) {
    for precision in PRECISIONS {
        let checkpoint = read(file, precision).unwrap();
        let weight = checkpoint.weights.get(name).unwrap();
        if precision.is_none() {
            assert_eq!(weight.dtype(), becomes(name, tensor.shape().dims(), tensor.dtype()), "{name}");
        }
        if precision == Some(Precision::F32) || precision.is_none() && weight.dtype() == GgmlDType::F32 {
            let expected: Vec<f32> = tensor.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            assert!(numbers(weight) == expected, "{name} in {:?}", tensor.dtype());
        }
        let bytes = written(&checkpoint);
        let model = Model::build(checkpoint).unwrap();
        assert!(written(&model) == bytes, "{name} from {:?} in {precision:?}", tensor.dtype());
        assert!(written(&read(&bytes, None).unwrap()) == bytes, "{name} from {:?} in {precision:?}", tensor.dtype());
    }
    // What the site opens.
    match format::read(&mut std::io::Cursor::new(file)) {
        Ok(checkpoint) => {
            let bytes = written(&checkpoint);
            assert!(written(&Model::build(checkpoint).unwrap()) == bytes, "{name} from {:?}", tensor.dtype());
        }
        Err(error) => assert!(error.to_string().contains("expected F32, F16 or Q8_0"), "{error}"),
    }
}

fn expect_sentence(file: &[u8], name: &str, field: &str) {
    for precision in PRECISIONS {
        let error = read(file, precision).err().unwrap_or_default();
        assert!(error.contains(&format!("`{field} of {name}` at byte ")), "{name} in {precision:?}: `{error}`");
    }
    assert!(format::read(&mut std::io::Cursor::new(file)).is_err());
}

#[test]
fn every_tensor_in_every_type_is_a_model_or_a_sentence() {
    for length in LENGTHS {
        let (shapes, file) = whole(length);
        let (mut models, mut sentences) = (0, 0);
        for (name, shape) in &shapes {
            for (kind, dtype) in KNOWN {
                let fits = shape.last().unwrap().is_multiple_of(dtype.block_size());
                match stored(shape, dtype).filter(|_| fits) {
                    Some(tensor) => {
                        expect_model(&exchange(&file, name, kind, &tensor.data().unwrap()), name, &tensor);
                        models += 1;
                    }
                    None => {
                        let zeros = vec![0; 4 * shape.iter().product::<usize>()];
                        expect_sentence(&exchange(&file, name, kind, &zeros), name, "shape");
                        sentences += 1;
                    }
                }
            }
            for kind in UNKNOWN {
                let zeros = vec![0; 8 * shape.iter().product::<usize>()];
                expect_sentence(&exchange(&file, name, kind, &zeros), name, "type");
            }
        }
        let all = shapes.len() * KNOWN.len();
        println!("{length}: {models} models, {sentences} sentences");
        assert!(models + sentences == all && (length != 256 || models == all), "{models} and {sentences} of {all}");
    }
}

/// One tensor of each kind, as people run it.
#[test]
fn convert_ends_in_a_file_or_in_a_sentence() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("convert_ends_in_a_file_or_in_a_sentence");
    fs::create_dir_all(&folder).unwrap();
    let (source, out) = (folder.join("source.gguf"), folder.join("out.gguf"));
    let names = ["output_norm.weight", "blk.0.attn_qkv.bias", "position_embd.weight", "blk.0.ffn_up.weight"];
    let (shapes, file) = whole(32);
    for name in names {
        let shape = &shapes.iter().find(|(found, _)| found == name).unwrap().1;
        for (kind, dtype) in KNOWN {
            let tensor = stored(shape, dtype);
            let data = tensor.as_ref().map_or(vec![0; 4096], |tensor| tensor.data().unwrap().into_owned());
            fs::write(&source, exchange(&file, name, kind, &data)).unwrap();
            for to in [&[][..], &["--quantize", "q8_0"], &["--quantize", "f16"], &["--quantize", "f32"]] {
                let _ = fs::remove_file(&out);
                let mut command = Command::new(env!("CARGO_BIN_EXE_convert"));
                let output = command.arg(&source).arg("--out").arg(&out).args(to).output().unwrap();
                let said = String::from_utf8(output.stderr).unwrap();
                match tensor {
                    Some(_) => assert!(output.status.success() && out.exists(), "{name} in {dtype:?}, {to:?}: {said}"),
                    None => {
                        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
                        assert!(said.contains(&format!("`shape of {name}` at byte ")), "{said}");
                    }
                }
            }
        }
    }
}
