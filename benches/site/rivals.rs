//! Other engines with GPT-2's shape and random weights, each in a Chromium of its own, by a folder of pages and a
//! `run.mjs` that serves the folder, opens a page of it and prints what that measured, as JSON.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::samples::Figures;
use crate::targets::{DECODE, FIRST_TOKEN, LOAD, WLLAMA, WLLAMA_THREADS};

/// One engine with one kind of weights and a number of threads.
struct Rival {
    name: &'static str,
    page: &'static str,
    /// What must lie in the folder.
    needs: [&'static str; 2],
}

const WLLAMA_PACKAGE: &str = "node_modules/@wllama/wllama";
const ORT_PACKAGE: &str = "node_modules/onnxruntime-web";

const fn wllama(name: &'static str, page: &'static str, weights: &'static str) -> Rival {
    Rival { name, page, needs: [WLLAMA_PACKAGE, weights] }
}

const fn ort(name: &'static str, page: &'static str, weights: &'static str) -> Rival {
    Rival { name, page, needs: [ORT_PACKAGE, weights] }
}

const RIVALS: [Rival; 8] = [
    wllama(WLLAMA, "/wllama.html?weights=q8_0&threads=1&tokens=64", "gpt2-q8_0.gguf"),
    wllama(WLLAMA_THREADS, "/wllama.html?weights=q8_0&threads=2&tokens=64", "gpt2-q8_0.gguf"),
    wllama("wllama Q4_0, 1 thread", "/wllama.html?weights=q4_0&threads=1&tokens=64", "gpt2-q4_0.gguf"),
    wllama("wllama Q4_0, 2 threads", "/wllama.html?weights=q4_0&threads=2&tokens=64", "gpt2-q4_0.gguf"),
    ort("onnxruntime-web f32, 1 thread", "/ort.html?weights=gpt2&threads=1&tokens=64", "gpt2.onnx"),
    ort("onnxruntime-web f32, 2 threads", "/ort.html?weights=gpt2&threads=2&tokens=64", "gpt2.onnx"),
    ort("onnxruntime-web int8, 1 thread", "/ort.html?weights=gpt2-int8&threads=1&tokens=64", "gpt2-int8.onnx"),
    ort("onnxruntime-web int8, 2 threads", "/ort.html?weights=gpt2-int8&threads=2&tokens=64", "gpt2-int8.onnx"),
];

/// The names of all rivals, measured or not.
pub fn names() -> Vec<&'static str> {
    RIVALS.iter().map(|rival| rival.name).collect()
}

/// A folder of rivals.
pub struct Peers {
    folder: PathBuf,
    rivals: Vec<&'static Rival>,
}

impl Peers {
    /// Looks at what the folder holds, and notes down what it does not.
    pub fn open(folder: &Path, figures: &mut Figures) -> Result<Self> {
        let holds = |name: &str| folder.join(name).exists();
        if !holds("run.mjs") {
            bail!("--peers expects a folder with `run.mjs` and the pages it opens, found none in {}", folder.display());
        }
        let mut rivals = Vec::new();
        for rival in &RIVALS {
            match rival.needs.iter().find(|name| !holds(name)) {
                Some(missing) => {
                    figures.note(format!("{} is not measured: the folder of rivals has no {missing}.", rival.name));
                }
                None => rivals.push(rival),
            }
        }
        Ok(Peers { folder: folder.to_path_buf(), rivals })
    }

    /// Measures each that is installed; of one that fails twice is noted down why, and the others go on.
    pub fn round(&self, figures: &mut Figures) {
        for rival in &self.rivals {
            eprintln!("  {}", rival.name);
            // Now and then wllama takes a mark of its own messages for a length, and goes on well the next time.
            if let Err(error) = self.measure(rival, figures).or_else(|_| self.measure(rival, figures)) {
                figures.note(format!("{} failed, which does not count: {error:#}.", rival.name));
            }
        }
    }

    fn measure(&self, rival: &Rival, figures: &mut Figures) -> Result<()> {
        let mut node = Command::new("node");
        node.args(["run.mjs", ".", rival.page]).current_dir(&self.folder).stderr(Stdio::inherit());
        let output = node.output().context("`node` does not start; the rivals need Node.js on PATH")?;
        if !output.status.success() {
            bail!("`node run.mjs . {}` ended with {}", rival.page, output.status);
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let result: Value =
            serde_json::from_slice(&output.stdout).with_context(|| format!("run.mjs printed `{said}`"))?;
        if let Some(error) = result["error"].as_str() {
            bail!("{}", error.lines().next().unwrap_or_default());
        }
        // One page, one engine: the only value of the object.
        let engine = result.as_object().filter(|object| object.len() == 1).and_then(|object| object.values().next());
        let engine = engine.with_context(|| format!("run.mjs printed `{said}`"))?;
        let number = |name: &str| engine[name].as_f64().with_context(|| format!("run.mjs printed no {name}: `{said}`"));
        figures.add(rival.name, DECODE, number("decode_tokens_per_second")?);
        figures.add(rival.name, FIRST_TOKEN, number("first_token_ms")?);
        figures.add(rival.name, LOAD, number("load_ms")?);
        Ok(())
    }
}
