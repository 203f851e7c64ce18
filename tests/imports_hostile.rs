//! Checkpoints are not trusted: whatever they claim, importing ends in a clear sentence, and costs little memory.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/imported.rs"]
mod imported;

use std::io::{Write, sink};

use hostile::{Numbers, mutate, open, with_peak};
use imported::{Files, files, shakespeare};
use peargpt::checkpoint::import::{self, Answers, Inspection};
use peargpt::checkpoint::precision::Precision;

/// What is read at once of descriptions and texts, at most, beside what is counted below.
const BUFFERS: usize = 256 << 10;
/// Rows of 256 KiB in 8 bits, as float32; the GGUF alone has so large tensors.
const ROWS: usize = 1 << 20;

/// Writes the GGUF that these files become, as they are or in this precision, or says a sentence.
fn import(files: &mut Files, precision: Option<Precision>, gguf: &mut impl Write) -> Result<(), String> {
    let answers = Answers { heads: Some(4), ..shakespeare() };
    match import::inspect(files, &answers).map_err(|error| error.to_string())? {
        Inspection::Ready(info) => {
            let file = import::to_gguf(&info, "x", precision).map_err(|error| error.to_string())?;
            file.write(&info, files, gguf).map_err(|error| error.to_string())
        }
        Inspection::Needs(needs) => Err(format!("at needs: {needs:?}")),
    }
}

/// Each file that is mutated: what lies beside it, and where most of its description is.
struct Subject {
    files: Files,
    /// The one of the files that is damaged.
    at: usize,
    /// Bytes by which its description is found, and its length.
    header: std::ops::Range<usize>,
}

impl Subject {
    fn new(fixture: &str, names: &[&str]) -> Self {
        let files = files(fixture, names);
        let length = files[0].reader.get_ref().len();
        // Pickles and headers stand at the beginning.
        Subject { files, at: 0, header: 0..length.min(12_000) }
    }

    fn whole(&self) -> Vec<u8> {
        self.files[self.at].reader.get_ref().clone()
    }

    /// Memory that a conversion may take beside what descriptions cost.
    fn most(&self) -> usize {
        BUFFERS + if self.files[self.at].name == "model.gguf" { ROWS } else { 0 }
    }

    fn with(&mut self, bytes: Vec<u8>) -> &mut Files {
        self.files[self.at].reader = std::io::Cursor::new(bytes);
        &mut self.files
    }
}

fn subjects() -> Vec<(&'static str, Subject)> {
    vec![
        ("zip", Subject::new("lecture", &["bare.pth"])),
        ("legacy", Subject::new("lecture", &["legacy.pth"])),
        ("nanogpt", Subject::new("nanogpt", &["ckpt.pt", "meta.pkl"])),
        ("meta.pkl", Subject::new("nanogpt", &["meta.pkl", "ckpt.pt"])),
        ("bin", Subject::new("bin", &["pytorch_model.bin", "config.json", "tokenizer.json"])),
        ("GGUF", Subject::new("quantised", &["model.gguf"])),
        ("tokenizer.json", Subject::new("bin", &["tokenizer.json", "pytorch_model.bin", "config.json"])),
        (
            "shard",
            Subject::new(
                "sharded",
                &[
                    "model-00001-of-00003.safetensors",
                    "model-00002-of-00003.safetensors",
                    "model-00003-of-00003.safetensors",
                    "model.safetensors.index.json",
                    "config.json",
                    "tokenizer.json",
                ],
            ),
        ),
    ]
}

#[test]
fn files_cut_off_anywhere_are_refused() {
    for (name, mut subject) in subjects() {
        let whole = subject.whole();
        for step in 0..200 {
            let cut = whole[..whole.len() * step / 200].to_vec();
            let error = import(subject.with(cut), [None, Some(Precision::Q8_0)][step % 2], &mut sink()).err();
            assert!(error.is_some_and(|error| error.len() > 20), "{name}, {step}");
        }
    }
}

#[test]
fn ten_thousand_mutations_end_well() {
    for (name, mut subject) in subjects() {
        let (whole, mut numbers, mut refused) = (subject.whole(), Numbers(11), 0);
        let all: usize = subject.files.iter().map(|file| file.reader.get_ref().len()).sum();
        // GGUF's header has had ten thousand in checkpoint_gguf.rs, and this file's weights take their time.
        let runs = if name == "GGUF" { 1_000 } else { 10_000 };
        let header = subject.header.end;
        for run in 0..runs {
            let mut file = whole.clone();
            // The end of a zip file is its directory.
            let end = file.len().saturating_sub(header);
            match run % 2 {
                0 => mutate(&mut numbers, &mut file, header),
                _ => {
                    let mut tail = file.split_off(end);
                    let length = tail.len();
                    mutate(&mut numbers, &mut tail, length);
                    file.extend(tail);
                }
            }
            let precision = [None, Some(Precision::Q8_0)][run / 2 % 2];
            let (files, mut gguf) = (subject.with(file), Vec::with_capacity(8 * all));
            let (result, peak) = with_peak(|| import(files, precision, &mut gguf));
            assert!(peak <= 8 * header + subject.most(), "{name}, {run}: {peak} bytes of {all}, {result:?}");
            match result {
                Ok(()) => open(&gguf),
                Err(_) => refused += 1,
            }
        }
        println!("{name}: {refused} refused");
        assert!((runs / 5..runs).contains(&refused), "{name}: {refused} refused");
    }
}

#[test]
fn a_checkpoint_is_read_a_few_rows_at_a_time() {
    for (name, mut subject) in subjects() {
        let (result, peak) = with_peak(|| import(&mut subject.files, Some(Precision::Q8_0), &mut sink()));
        assert!(result.is_ok() && peak <= 8 * subject.header.end + subject.most(), "{name}: {peak} bytes");
    }
}
