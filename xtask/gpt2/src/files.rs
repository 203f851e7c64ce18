//! What GPT-2 consists of on the hub, and a folder of it → the model.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use peargpt::checkpoint::import::{self, Answers, CheckpointInfo, Inspection, Named};
use peargpt::checkpoint::precision::Precision;
use peargpt::checkpoint::{Checkpoint, gguf};
use peargpt::model::Config;
use peargpt::model::config::{Activation, Head};
use sha2::{Digest, Sha256};

/// Where people read about the weights.
pub const PAGE: &str = "https://huggingface.co/openai-community/gpt2";
/// The commit of that repository whose files these are.
const REVISION: &str = "607a30d783dfa663caf39e06633721c8d4cfcd7e";

/// A file and what is known of it.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: &'static str,
}

/// The files of [`REVISION`], the small ones first.
pub const FILES: [Known; 3] = [
    Known {
        name: "vocab.json",
        bytes: 1_042_301,
        sha256: "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
    },
    Known {
        name: "merges.txt",
        bytes: 456_318,
        sha256: "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
    },
    Known {
        name: "model.safetensors",
        bytes: 548_105_171,
        sha256: "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707",
    },
];

/// What `config.json` says of GPT-2, as far as it matters here.
pub const CONFIG: &str = r#"{
  "model_type": "gpt2",
  "n_layer": 12,
  "n_head": 12,
  "n_embd": 768,
  "n_positions": 1024,
  "vocab_size": 50257,
  "activation_function": "gelu_new",
  "layer_norm_epsilon": 1e-05,
  "bos_token_id": 50256,
  "eos_token_id": 50256
}
"#;

/// The same as [`CONFIG`].
pub fn config() -> Config {
    Config {
        layers: 12,
        heads: 12,
        n_embd: 768,
        n_inner: 4 * 768,
        context: 1024,
        vocabulary_size: 50257,
        layer_norm_epsilon: 1e-5,
        activation: Activation::GeluNew,
        head: Head::Tied,
        qkv_bias: true,
    }
}

/// The address that the files' names follow.
pub fn address() -> String {
    format!("{PAGE}/resolve/{REVISION}")
}

impl Known {
    /// What is wrong with a file, if anything is.
    pub fn fault(&self, path: &Path) -> io::Result<Option<String>> {
        let found = fs::metadata(path)?.len();
        if found != self.bytes {
            return Ok(Some(format!("{} has {found} bytes, expected {}", self.name, self.bytes)));
        }
        let found = sha256(path)?;
        let fault = format!("{} has the SHA-256 {found}, expected {}", self.name, self.sha256);
        Ok((found != self.sha256).then_some(fault))
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        hash.update(bytes);
        let count = bytes.len();
        reader.consume(count);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether the files of a folder are OpenAI's; others are an error unless `unverified`.
pub fn check_all(folder: &Path, unverified: bool) -> Result<bool> {
    let mut is_openais = true;
    for file in &FILES {
        let path = folder.join(file.name);
        let Some(fault) = file.fault(&path).with_context(|| path.display().to_string())? else { continue };
        if !unverified {
            bail!("{fault}: not OpenAI's file. If that is what you want, say --unverified");
        }
        eprintln!("{fault}; taken all the same");
        is_openais = false;
    }
    Ok(is_openais)
}

/// A file on disk or in memory.
trait Bytes: Read + Seek {}

impl<T: Read + Seek> Bytes for T {}

/// A model of GPT-2's shape, and the files that it is read from.
pub struct Model {
    /// What it is.
    pub info: CheckpointInfo,
    files: Vec<Named<Box<dyn Bytes>>>,
}

impl Model {
    /// The model in a folder's files.
    pub fn read(folder: &Path) -> Result<Self> {
        let open = |name: &str| {
            let path = folder.join(name);
            let file = File::open(&path).with_context(|| path.display().to_string())?;
            Ok(named(name, BufReader::new(file)))
        };
        let mut files = FILES.iter().map(|file| open(file.name)).collect::<Result<Vec<_>>>()?;
        files.push(named("config.json", Cursor::new(CONFIG)));
        Model::of(files).with_context(|| folder.display().to_string())
    }

    /// A model that is in memory.
    pub fn held(checkpoint: &Checkpoint) -> Result<Self> {
        let mut bytes = Vec::new();
        gguf::write(checkpoint, "GPT-2", &mut bytes)?;
        Model::of(vec![named("gpt2.gguf", Cursor::new(bytes))])
    }

    fn of(mut files: Vec<Named<Box<dyn Bytes>>>) -> Result<Self> {
        match import::inspect(&mut files, &Answers::default())? {
            Inspection::Ready(info) => Ok(Model { info: *info, files }),
            Inspection::Needs(needs) => bail!("something is missing: {needs:?}"),
        }
    }

    /// Its GGUF, in 8 bits, of this name.
    pub fn gguf(&mut self, name: &str) -> Result<Vec<u8>> {
        let mut file = import::to_gguf(&self.info, name, Some(Precision::Q8_0))?;
        let (bar, mut bytes) = (ProgressBar::new(file.length()), Vec::new());
        while file.step(&self.info, &mut self.files, &mut bytes)? {
            bar.set_position(bytes.len() as u64);
        }
        bar.finish_and_clear();
        Ok(bytes)
    }
}

fn named(name: &str, reader: impl Bytes + 'static) -> Named<Box<dyn Bytes>> {
    Named { name: name.to_string(), reader: Box::new(reader) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_said_twice_and_is_the_same() {
        let said: serde_json::Value = serde_json::from_str(CONFIG).unwrap();
        let config = config();
        let sizes = [
            ("n_layer", config.layers),
            ("n_head", config.heads),
            ("n_embd", config.n_embd),
            ("n_positions", config.context),
            ("vocab_size", config.vocabulary_size),
        ];
        for (name, size) in sizes {
            assert_eq!(said[name], size, "{name}");
        }
        assert_eq!(said["layer_norm_epsilon"], config.layer_norm_epsilon);
        assert_eq!(config.parameters(), 124_439_808);
    }

    #[test]
    fn files_of_another_length_or_content_are_told() {
        let folder = crate::publish::tests::folder("files");
        let path = folder.join("abc");
        // FIPS 180-4's example.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let known = Known { name: "abc", bytes: 3, sha256: abc };
        fs::write(&path, "abc").unwrap();
        assert_eq!(known.fault(&path).unwrap(), None);
        fs::write(&path, "abd").unwrap();
        assert!(known.fault(&path).unwrap().unwrap().contains("SHA-256"));
        fs::write(&path, "ab").unwrap();
        assert_eq!(known.fault(&path).unwrap().unwrap(), "abc has 2 bytes, expected 3");
    }

    #[test]
    fn files_that_are_not_openais_need_a_word() {
        let folder = crate::publish::tests::folder("unverified");
        let error = check_all(&folder, true).unwrap_err().to_string();
        assert!(error.ends_with("vocab.json"), "{error}");
        for file in &FILES {
            fs::write(folder.join(file.name), "{}").unwrap();
        }
        let error = check_all(&folder, false).unwrap_err().to_string();
        assert!(
            error.contains("vocab.json has 2 bytes, expected 1042301") && error.contains("--unverified"),
            "{error}"
        );
        assert!(!check_all(&folder, true).unwrap());
    }
}
