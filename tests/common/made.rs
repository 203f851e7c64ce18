//! Hugging Face files of any shape with random weights, written by hand: the `safetensors` crate would sort and align.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use half::{bf16, f16};
use peargpt::checkpoint::import::ImportError;
use peargpt::checkpoint::precision::Precision;

use crate::common::Folder;
use crate::hostile::Numbers;

/// What a file is made from.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    pub layers: usize,
    pub width: usize,
    pub hidden: usize,
    pub context: usize,
    pub vocabulary: usize,
    /// `F32`, `F16` and `BF16`, in turn.
    pub dtypes: [&'static str; 3],
    pub prefix: &'static str,
    /// Masks, a head that repeats the embedding, and bytes that are nobody's.
    pub extras: bool,
    /// A layer of each block whose bias is left out.
    pub without: Option<&'static str>,
    /// Of the weights, and of the tensors' order.
    pub seed: u64,
}

pub const SMALL: Made = Made {
    layers: 2,
    width: 64,
    hidden: 256,
    context: 7,
    vocabulary: 101,
    dtypes: ["F32"; 3],
    prefix: "",
    extras: false,
    without: None,
    seed: 1,
};

/// Everything that a file may have.
pub const EVERYTHING: Made =
    Made { dtypes: ["F32", "F16", "BF16"], prefix: "transformer.", extras: true, hidden: 100, ..SMALL };

/// What `convert` makes of a folder.
pub fn convert(folder: &Folder) -> Result<Vec<u8>, ImportError> {
    folder.convert(Precision::Q8_0)
}

/// A tensor to be written.
pub struct Tensor {
    pub name: String,
    pub dtype: &'static str,
    pub shape: Vec<usize>,
}

impl Made {
    pub fn folder(&self) -> Folder {
        Folder { weights: self.weights(), ..self.texts() }
    }

    /// The folder without its weights.
    pub fn texts(&self) -> Folder {
        let Made { layers, width, hidden, context, vocabulary, .. } = *self;
        let end = vocabulary - 1;
        let tokens: String = (0..end).map(|id| format!(r#""t{id}":{id},"#)).collect();
        Folder {
            config: format!(
                r#"{{"n_layer":{layers},"n_head":{},"n_embd":{width},"n_positions":{context},"n_inner":{hidden},
                    "vocab_size":{vocabulary},"bos_token_id":{end}}}"#,
                width / 64
            ),
            vocabulary: format!(r#"{{{tokens}"<|endoftext|>":{end}}}"#),
            merges: "#version: 0.2\nĠ t\nh e\n".to_string(),
            weights: Vec::new(),
        }
    }

    /// What `convert` makes of it.
    pub fn expected(&self) -> Vec<u8> {
        convert(&self.folder()).unwrap()
    }

    pub fn tensors(&self) -> Vec<Tensor> {
        let Made { width, hidden, context, vocabulary, .. } = *self;
        let mut shapes = vec![
            ("wte.weight".to_string(), vec![vocabulary, width]),
            ("wpe.weight".to_string(), vec![context, width]),
            ("ln_f.weight".to_string(), vec![width]),
            ("ln_f.bias".to_string(), vec![width]),
        ];
        for layer in 0..self.layers {
            let mut add = |name: &str, shape: &[usize]| shapes.push((format!("h.{layer}.{name}"), shape.to_vec()));
            for name in ["ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias"] {
                add(name, &[width]);
            }
            let linears = [
                ("attn.c_attn", width, 3 * width),
                ("attn.c_proj", width, width),
                ("mlp.c_fc", width, hidden),
                ("mlp.c_proj", hidden, width),
            ];
            for (name, inputs, outputs) in linears {
                add(&format!("{name}.weight"), &[inputs, outputs]);
                add(&format!("{name}.bias"), &[outputs]);
            }
            if self.extras {
                add("attn.bias", &[1, 1, context, context]);
                add("attn.masked_bias", &[]);
            }
        }
        if self.extras {
            shapes.push(("lm_head.weight".to_string(), vec![vocabulary, width]));
        }
        if let Some(layer) = self.without {
            shapes.retain(|(name, _)| !name.ends_with(&format!(".{layer}.bias")));
        }
        let dtype = |index: usize| self.dtypes[index % self.dtypes.len()];
        let named =
            |(index, (name, shape))| Tensor { name: format!("{}{name}", self.prefix), dtype: dtype(index), shape };
        shapes.into_iter().enumerate().map(named).collect()
    }

    fn weights(&self) -> Vec<u8> {
        let mut numbers = Numbers(self.seed);
        let mut left = self.tensors();
        let (mut described, mut data) = (vec![r#""__metadata__":{"format":"pt"}"#.to_string()], Vec::new());
        while !left.is_empty() {
            let Tensor { name, dtype, shape } = left.swap_remove(numbers.below(left.len()));
            if self.extras {
                data.resize(data.len() + numbers.below(3), 0xff);
            }
            let begin = data.len();
            (0..shape.iter().product()).for_each(|_| put(&mut data, dtype, &mut numbers));
            let end = data.len();
            described
                .push(format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#));
        }
        if self.extras {
            data.extend([0xff; 5]);
        }
        let header = format!("{{{}}}", described.join(","));
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
    }
}

/// A weight as trained ones are, with a zero, a large and a tiny one now and then.
fn put(data: &mut Vec<u8>, dtype: &str, numbers: &mut Numbers) {
    let small = numbers.below(1 << 20) as f32 / (1 << 22) as f32 - 0.125;
    let weight = match numbers.below(97) {
        0 => 0.0,
        1 => small * 400.0,
        2 => small * 1e-7,
        _ => small,
    };
    match dtype {
        "F32" => data.extend(weight.to_le_bytes()),
        "F16" => data.extend(f16::from_f32(weight).to_le_bytes()),
        _ => data.extend(bf16::from_f32(weight).to_le_bytes()),
    }
}
