//! A small GPT-2 of random weights, as the hub has models and as a site hosts them. It writes words, more or less.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use peargpt::app::catalog::{Converted, Entry, GGUF, Part, SAFETENSORS, sha256};
use peargpt::checkpoint::import::{self, Answers, Inspection, Named};
use peargpt::checkpoint::precision::Precision;
use peargpt::tokenizer::bytes::spell;
use serde_json::json;

use crate::numbers::Numbers;
use crate::server::Server;

/// A shape; heads are 64 wide, as in all of OpenAI's sizes.
#[derive(Clone, Copy)]
pub struct Shape {
    layers: usize,
    width: usize,
    pub context: usize,
    /// Tokens there are at least.
    vocabulary: usize,
}

/// Half a megabyte in `Q8_0`.
pub const SMALL: Shape = Shape { layers: 2, width: 128, context: 64, vocabulary: 0 };
/// GPT-2's own.
pub const FULL: Shape = Shape { layers: 12, width: 768, context: 1024, vocabulary: 50257 };

/// Pieces that it likes to write.
const WORDS: [&str; 10] = [" the", " pear", " tree", " of", " and", " river", " was", " old", " in", " song"];

/// Where the hub keeps its files, and what they are called.
const FOLDER: &str = "hub/main";
pub const WEIGHTS: &str = "hub/main/model.safetensors";

/// The name that its GGUF file has inside.
const TITLE: &str = "GPT-2";

/// The files.
pub struct Gpt2 {
    shape: Shape,
    vocabulary: String,
    merges: String,
    /// `model.safetensors`.
    pub weights: Vec<u8>,
    /// What `convert` makes of them.
    pub gguf: Vec<u8>,
}

impl Gpt2 {
    /// The model of this shape and seed.
    pub fn random(shape: Shape, seed: u64) -> Gpt2 {
        let (tokens, merges) = vocabulary(shape.vocabulary);
        let weights = weights(shape, &tokens, seed);
        let ids: BTreeMap<&str, usize> = tokens.iter().map(String::as_str).zip(0..).collect();
        let (vocabulary, merges) = (json!(ids).to_string(), format!("#version: 0.2\n{}\n", merges.join("\n")));
        let config = json!({
            "n_layer": shape.layers, "n_head": shape.width / 64, "n_embd": shape.width,
            "n_positions": shape.context, "vocab_size": tokens.len(),
        })
        .to_string();
        let files = [
            ("config.json", config.as_bytes()),
            ("vocab.json", vocabulary.as_bytes()),
            ("merges.txt", merges.as_bytes()),
            ("model.safetensors", weights.as_slice()),
        ];
        let gguf = convert(files);
        Gpt2 { shape, vocabulary, merges, weights, gguf }
    }

    /// Writes its files into a folder, but for the configuration.
    pub fn save(&self, folder: &Path) -> Vec<PathBuf> {
        let files = [
            ("vocab.json", self.vocabulary.as_bytes()),
            ("merges.txt", self.merges.as_bytes()),
            ("model.safetensors", &self.weights),
        ];
        std::fs::create_dir_all(folder).unwrap();
        let save = |(name, bytes): (&str, &[u8])| {
            std::fs::write(folder.join(name), bytes).unwrap();
            folder.join(name)
        };
        files.map(save).to_vec()
    }

    /// Puts it on a site, in slices of so many bytes.
    pub fn host(&self, site: &Server, slice: usize) {
        let slices = self.gguf.chunks(slice).enumerate();
        let parts: Vec<Part> = slices
            .map(|(index, slice)| {
                let url = format!("gpt2/gpt2.gguf.part{index:03}");
                site.put(&format!("weights/{url}"), slice.to_vec());
                Part { url, bytes: slice.len() as u64, sha256: sha256(slice) }
            })
            .collect();
        self.put_catalog(site, GGUF, parts, None, "made for a test");
    }

    /// Puts it on the hub, and says so on the site, whose policy allows it.
    pub fn publish(&self, site: &Server, hub: &Server) {
        self.publish_as(site, hub, None);
        site.rewrite("connect-src 'self'", "connect-src 'self' http://127.0.0.1:*");
    }

    /// The same with a catalog that names the file that becomes of it; the policy stays.
    pub fn publish_as(&self, site: &Server, hub: &Server, converted: Option<Converted>) {
        let parts = [
            ("vocab.json", self.vocabulary.as_bytes()),
            ("merges.txt", self.merges.as_bytes()),
            ("model.safetensors", &self.weights),
        ]
        .map(|(name, bytes)| {
            let file = format!("{FOLDER}/{name}");
            hub.put(&file, bytes.to_vec());
            Part { url: hub.url(&file), bytes: bytes.len() as u64, sha256: sha256(bytes) }
        });
        self.put_catalog(site, SAFETENSORS, parts.to_vec(), converted, &hub.url(""));
    }

    /// The site's own catalog with this model in it.
    fn put_catalog(&self, site: &Server, format: &str, parts: Vec<Part>, converted: Option<Converted>, source: &str) {
        let catalog = std::fs::read_to_string(crate::server::dist().join(site.path("weights/catalog.json"))).unwrap();
        let entries = peargpt::app::catalog::parse(&catalog).unwrap();
        let entry = Entry {
            id: "gpt2".to_string(),
            title: TITLE.to_string(),
            parameters: 0,
            context: self.shape.context as u32,
            shape: None,
            format: format.to_string(),
            bytes: parts.iter().map(|part| part.bytes).sum(),
            parts,
            converted,
            source: source.to_string(),
        };
        let catalog = serde_json::to_vec(&peargpt::app::publish::with_entry(entries, entry)).unwrap();
        site.put("weights/catalog.json", catalog);
    }
}

/// All bytes, what becomes of them on the way to the words, `<|endoftext|>`; and the merges.
fn vocabulary(least: usize) -> (Vec<String>, Vec<String>) {
    let mut tokens: Vec<String> = (0..=255).map(|byte| spell(&[byte])).collect();
    let mut merges = Vec::new();
    for word in WORDS {
        let word = spell(word.as_bytes());
        let ends: Vec<usize> = word.char_indices().map(|(at, letter)| at + letter.len_utf8()).collect();
        for pair in ends.windows(2) {
            let merge = format!("{} {}", &word[..pair[0]], &word[pair[0]..pair[1]]);
            if !merges.contains(&merge) {
                tokens.push(word[..pair[1]].to_string());
                merges.push(merge);
            }
        }
    }
    // Pieces that no text becomes.
    tokens.extend((tokens.len() + 1..least).map(|id| format!("piece{id}")));
    tokens.push("<|endoftext|>".to_string());
    (tokens, merges)
}

/// `model.safetensors`, as the hub has GPT-2: no prefix, `Conv1D`, masks among the weights, the head tied.
fn weights(shape: Shape, tokens: &[String], seed: u64) -> Vec<u8> {
    let Shape { layers, width, context, .. } = shape;
    let mut random = Numbers(seed);
    let mut noise = |count: usize, around: f32, spread: f32| -> Vec<f32> {
        (0..count).map(|_| around + spread * (random.below(2001) as f32 / 1000.0 - 1.0)).collect()
    };
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    // The last row is almost the same whatever was read, so that words stand out and the text never ends by itself.
    let direction = noise(width, 0.0, 1.0);
    let mut embedding = noise(tokens.len() * width, 0.0, 0.15);
    let liked: Vec<String> = WORDS.iter().map(|word| spell(word.as_bytes())).collect();
    for (token, row) in tokens.iter().zip(embedding.chunks_mut(width)) {
        let share = match token {
            token if liked.contains(token) => 0.12,
            token if token == "<|endoftext|>" => -1.0,
            _ => 0.0,
        };
        row.iter_mut().zip(&direction).for_each(|(weight, along)| *weight += share * along);
    }
    tensors.push(("wte.weight".into(), vec![tokens.len(), width], embedding));
    tensors.push(("wpe.weight".into(), vec![context, width], noise(context * width, 0.0, 0.1)));
    for layer in 0..layers {
        let mut linear = |name: &str, inputs: usize, outputs: usize| {
            tensors.push((
                format!("h.{layer}.{name}.weight"),
                vec![inputs, outputs],
                noise(inputs * outputs, 0.0, 0.15),
            ));
            tensors.push((format!("h.{layer}.{name}.bias"), vec![outputs], noise(outputs, 0.0, 0.1)));
        };
        linear("attn.c_attn", width, 3 * width);
        linear("attn.c_proj", width, width);
        linear("mlp.c_fc", width, 4 * width);
        linear("mlp.c_proj", 4 * width, width);
        for norm in ["ln_1", "ln_2"] {
            tensors.push((format!("h.{layer}.{norm}.weight"), vec![width], noise(width, 1.0, 0.1)));
            tensors.push((format!("h.{layer}.{norm}.bias"), vec![width], noise(width, 0.0, 0.1)));
        }
        tensors.push((format!("h.{layer}.attn.bias"), vec![1, 1, context, context], vec![1.0; context * context]));
    }
    tensors.push(("ln_f.weight".into(), vec![width], noise(width, 1.0, 0.1)));
    tensors.push(("ln_f.bias".into(), vec![width], direction.iter().map(|along| 1.2 * along).collect()));
    serialize(&tensors)
}

fn serialize(tensors: &[(String, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape, values) in tensors {
        let begin = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        header.insert(name.clone(), json!({ "dtype": "F32", "shape": shape, "data_offsets": [begin, data.len()] }));
    }
    let header = serde_json::Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat()
}

/// The GGUF that these files become.
fn convert<const N: usize>(files: [(&str, &[u8]); N]) -> Vec<u8> {
    let mut files = files.map(|(name, bytes)| Named { name: name.to_string(), reader: Cursor::new(bytes) });
    let Inspection::Ready(info) = import::inspect(&mut files, &Answers::default()).unwrap() else { panic!() };
    let mut gguf = Vec::new();
    import::to_gguf(&info, TITLE, Some(Precision::Q8_0)).unwrap().write(&info, &mut files, &mut gguf).unwrap();
    gguf
}
