//! A file of GPT-2's very layout, 548,105,171 bytes that are nowhere but in a pattern, comes in pieces of 64 KiB.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/made.rs"]
mod made;

use std::io::{Cursor, Read, Result, Seek, SeekFrom};

use common::{Folder, inspect};
use hostile::{Numbers, with_peak};
use made::{Made, SMALL};
use peargpt::checkpoint::import::streaming::{Streaming, Texts};
use peargpt::checkpoint::import::{self, Answers, Named};
use peargpt::checkpoint::precision::Precision;
use sha2::{Digest, Sha256};

/// With the masks, as it is published.
const GPT2: Made =
    Made { layers: 12, width: 768, hidden: 3072, context: 1024, vocabulary: 50257, extras: true, ..SMALL };

/// Bytes of `openai-community/gpt2`'s `model.safetensors`, and of its header with its length.
const LENGTH: u64 = 548_105_171;
const HEADER: usize = 14_291;

/// The file, at an offset.
#[derive(Clone)]
struct Pattern {
    header: Vec<u8>,
    /// What the data repeats: a prime number of weights, so that rows differ.
    data: Vec<u8>,
    position: u64,
}

impl Pattern {
    fn new() -> Self {
        let mut numbers = Numbers(9);
        let weight = |_| (numbers.below(1 << 20) as f32 / (1 << 22) as f32 - 0.125).to_le_bytes();
        Pattern { header: header(), data: (0..262_139).flat_map(weight).collect(), position: 0 }
    }
}

/// A header of the published one's length; the order of its tensors, which is not known here, is another.
fn header() -> Vec<u8> {
    let mut tensors = GPT2.tensors();
    tensors.retain(|tensor| !(tensor.name.ends_with("masked_bias") || tensor.name == "lm_head.weight"));
    tensors.sort_by_key(|tensor| tensor.shape.iter().product::<usize>());
    let mut end = 0;
    let described = tensors.iter().map(|tensor| {
        let begin = end;
        end += 4 * tensor.shape.iter().product::<usize>();
        format!(r#""{}":{{"dtype":"F32","shape":{:?},"data_offsets":[{begin},{end}]}}"#, tensor.name, tensor.shape)
    });
    let json = format!("{{{}}}", described.collect::<Vec<_>>().join(","));
    assert_eq!((HEADER + end) as u64, LENGTH);
    let mut header = ((HEADER - 8) as u64).to_le_bytes().to_vec();
    header.extend(json.replace(' ', "").bytes());
    assert!(header.len() <= HEADER, "{}", header.len());
    header.resize(HEADER, b' ');
    header
}

impl Read for Pattern {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let left = (LENGTH - self.position).min(bytes.len() as u64) as usize;
        let from = match self.header.get(self.position as usize..) {
            Some(header) if !header.is_empty() => header,
            _ => &self.data[(self.position as usize - HEADER) % self.data.len()..],
        };
        let count = left.min(from.len());
        bytes[..count].copy_from_slice(&from[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Pattern {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.position = match to {
            SeekFrom::Start(offset) => offset,
            SeekFrom::End(distance) => LENGTH.saturating_add_signed(distance),
            SeekFrom::Current(distance) => self.position.saturating_add_signed(distance),
        };
        Ok(self.position)
    }
}

/// `vocab.json` and `merges.txt` of GPT-2's length, about 1 MB and 456 KB.
fn texts() -> Folder {
    let texts = GPT2.texts();
    let merges: String = (0..50_000).map(|rank| format!("{rank:05} abc\n")).collect();
    Folder { vocabulary: texts.vocabulary.replace(r#""t"#, r#""tttttt"#), merges, ..texts }
}

/// The GGUF; what it takes in memory is held against what is promised.
fn stream(texts: &Folder, mut pattern: Pattern) -> Vec<u8> {
    let (mut file, mut piece) = (Cursor::new(Vec::with_capacity(160 << 20)), vec![0; 64 << 10]);
    let (mut hash, beside) = (Sha256::new(), Texts { vocabulary: &texts.vocabulary, merges: &texts.merges });
    let mut next = |streaming: &mut Streaming| {
        let count = pattern.read(&mut piece).unwrap();
        hash.update(&piece[..count]);
        streaming.push(&piece[..count], &mut file).unwrap();
        count
    };
    let (mut streaming, peak) = with_peak(|| {
        let mut streaming = Streaming::new(beside, "fixture", LENGTH).unwrap();
        next(&mut streaming);
        streaming
    });
    assert!(peak <= 16 << 20, "{peak} bytes while the header is made");
    let ((), peak) = with_peak(|| while next(&mut streaming) > 0 {});
    assert!(peak <= 4 << 20, "{peak} bytes while tensors come");
    assert_eq!(streaming.finish(&mut file).unwrap()[..], hash.finalize()[..]);
    file.into_inner()
}

/// The pattern, or a file in memory.
trait Bytes: Read + Seek {}

impl<T: Read + Seek> Bytes for T {}

/// What `convert` makes of it.
fn convert(texts: Folder, pattern: Pattern) -> Vec<u8> {
    let mut files: Vec<Named<Box<dyn Bytes>>> = vec![
        Named { name: "model.safetensors".to_string(), reader: Box::new(pattern) },
        Named { name: "config.json".to_string(), reader: Box::new(Cursor::new(texts.config)) },
        Named { name: "vocab.json".to_string(), reader: Box::new(Cursor::new(texts.vocabulary)) },
        Named { name: "merges.txt".to_string(), reader: Box::new(Cursor::new(texts.merges)) },
    ];
    let mut bytes = Vec::with_capacity(160 << 20);
    let info = inspect(&mut files, &Answers::default()).unwrap();
    let file = import::to_gguf(&info, "fixture", Some(Precision::Q8_0)).unwrap();
    let (written, peak) = with_peak(|| file.write(&info, &mut files, &mut bytes));
    written.unwrap();
    // The largest matrix, [768, 3072] in float32, is turned; the embedding of 154 MB is read by rows.
    assert!(peak <= 4 * 768 * 3072 + (4 << 20), "{peak} bytes while tensors are written");
    bytes
}

#[test]
fn gpt2_becomes_what_convert_makes_of_it_in_a_few_megabytes() {
    let (texts, pattern) = (texts(), Pattern::new());
    let file = stream(&texts, pattern.clone());
    assert!(file == convert(texts, pattern));
}
