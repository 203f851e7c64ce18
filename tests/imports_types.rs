//! Each tensor of a GGUF file in each type: it ends in a model that opens and writes, or in a sentence.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/exchanged.rs"]
mod exchanged;

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;
use std::process::Command;

use candle_core::Device;
use candle_core::quantized::{GgmlDType, QTensor};
use common::{gguf_of, in_precision, inspect, named, opened, to_bytes};
use exchanged::{KNOWN, UNKNOWN, exchange, model, stored};
use peargpt::checkpoint::import::Answers;
use peargpt::checkpoint::precision::Precision;
use peargpt::checkpoint::{Model, gguf};
use peargpt::model::{Share, Weight};

/// As they are, or one of the three that may be asked for.
const PRECISIONS: [Option<Precision>; 4] = [None, Some(Precision::Q8_0), Some(Precision::F16), Some(Precision::F32)];
/// Lengths that hold blocks of 256, of 32, and none.
const LENGTHS: [usize; 3] = [256, 32, 40];

/// Name and shape of every tensor, and the file with all of them in float32.
fn whole(length: usize) -> (Vec<(String, Vec<usize>)>, Vec<u8>) {
    let mut checkpoint = model(length);
    checkpoint.weights = in_precision(&checkpoint.config, checkpoint.weights, Precision::F32);
    let shapes = checkpoint.weights.iter().map(|(name, weight)| (name.to_string(), weight.shape().into_dims()));
    (shapes.collect(), to_bytes(&checkpoint))
}

/// What becomes of a file, and whether it runs as it stands.
fn convert(file: &[u8], precision: Option<Precision>) -> Result<(Vec<u8>, bool), String> {
    let mut files = vec![named("model.gguf", file)];
    let info = inspect(&mut files, &Answers::default()).map_err(|error| error.to_string())?;
    let bytes = gguf_of(&info, &mut files, precision).map_err(|error| error.to_string())?;
    Ok((bytes, info.as_it_stands().is_some()))
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

/// What a file becomes opens, is written by who has it in memory, and becomes itself.
fn expect_model(file: &[u8], name: &str, tensor: &QTensor) {
    for precision in PRECISIONS {
        let (bytes, runs) = convert(file, precision).unwrap();
        let checkpoint = opened(&bytes);
        let weight = checkpoint.weights.get(name).unwrap();
        if precision.is_none() {
            assert_eq!(weight.dtype(), becomes(name, tensor.shape().dims(), tensor.dtype()), "{name}");
        }
        if precision == Some(Precision::F32) || precision.is_none() && weight.dtype() == GgmlDType::F32 {
            let expected: Vec<f32> = tensor.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            assert!(numbers(weight) == expected, "{name} in {:?}", tensor.dtype());
        }
        assert!(to_bytes(&checkpoint) == bytes, "{name} from {:?} in {precision:?}", tensor.dtype());
        Model::build(checkpoint).unwrap();
        assert!(convert(&bytes, None).unwrap().0 == bytes, "{name} from {:?} in {precision:?}", tensor.dtype());
        assert_eq!(runs, matches!(tensor.dtype(), GgmlDType::F32 | GgmlDType::F16 | GgmlDType::Q8_0), "{name}");
        expect_opens(file, runs);
    }
}

/// The site opens a file that runs as it stands, and no other.
fn expect_opens(file: &[u8], runs: bool) {
    match gguf::read(&mut Cursor::new(file), Share::WHOLE) {
        Ok(checkpoint) => {
            assert!(runs);
            let bytes = to_bytes(&checkpoint);
            Model::build(checkpoint).unwrap();
            assert!(to_bytes(&opened(&bytes)) == bytes);
        }
        Err(error) => assert!(!runs && error.to_string().contains("expected F32, F16 or Q8_0"), "{error}"),
    }
}

fn expect_sentence(file: &[u8], name: &str, field: &str) {
    for precision in PRECISIONS {
        let error = convert(file, precision).err().unwrap_or_default();
        assert!(error.contains(&format!("`{field} of {name}` at byte ")), "{name} in {precision:?}: `{error}`");
    }
    assert!(gguf::read(&mut Cursor::new(file), Share::WHOLE).is_err());
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
