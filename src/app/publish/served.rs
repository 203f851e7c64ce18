//! A model's file as a site serves it: whole, or in slices. It is hashed while it is read once.

use sha2::{Digest, Sha256};

use super::{SLICE, WHOLE};
use crate::app::catalog::{Entry, GGUF, Part, Shape};
use crate::checkpoint::sha256::hex;
use crate::model::Config;

/// Where a model of the reader's own is from, for the catalog.
const SOURCE: &str = "Published from a browser tab with peargpt.";
/// Its file's name.
const FILE: &str = "model.gguf";

/// The model's file is not the one that the catalog has under its id.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model’s file is not the one that this site has as `{0}`; load it once more")]
pub struct Changed(String);

/// A file that is being read from its beginning.
pub struct ServedHasher {
    /// URL and length of each slice, the next one last.
    waiting: Vec<(String, u64)>,
    slice: (Sha256, crc32fast::Hasher, u64),
    whole: Sha256,
    served: Served,
}

/// A file that has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Its consecutive slices.
    pub parts: Vec<Part>,
    /// The CRC-32 of each.
    pub crcs: Vec<u32>,
    /// SHA-256 of the whole, in hex.
    pub sha256: String,
}

impl ServedHasher {
    /// The hasher of a file of this length: in the catalog's slices where that has the file, else as [`WHOLE`] and
    /// [`SLICE`] say.
    pub fn new(entry: Option<&Entry>, bytes: u64) -> Self {
        let known = entry.filter(|entry| entry.format == GGUF && entry.bytes == bytes);
        let mut waiting: Vec<(String, u64)> = match (known, entry) {
            (Some(entry), _) => entry.parts.iter().map(|part| (part.url.clone(), part.bytes)).collect(),
            (None, Some(entry)) => lengths(&format!("{}.gguf", entry.id), bytes),
            (None, None) => lengths(FILE, bytes),
        };
        waiting.reverse();
        let slice = (Sha256::new(), crc32fast::Hasher::new(), 0);
        ServedHasher { waiting, slice, whole: Sha256::new(), served: Served::default() }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.whole.update(bytes);
        while let Some((_, length)) = self.waiting.last() {
            let (sha256, crc, done) = &mut self.slice;
            let (here, rest) = bytes.split_at(bytes.len().min((length - *done) as usize));
            sha256.update(here);
            crc.update(here);
            *done += here.len() as u64;
            if *done < *length {
                return;
            }
            self.end_slice();
            bytes = rest;
        }
    }

    fn end_slice(&mut self) {
        let begun = (Sha256::new(), crc32fast::Hasher::new(), 0);
        let (sha256, crc, bytes) = std::mem::replace(&mut self.slice, begun);
        if let Some((url, _)) = self.waiting.pop() {
            self.served.parts.push(Part { url, bytes, sha256: hex(&sha256.finalize()) });
            self.served.crcs.push(crc.finalize());
        }
    }

    /// At the end of the file.
    pub fn finish(self) -> Served {
        Served { sha256: hex(&self.whole.finalize()), ..self.served }
    }
}

/// URLs and lengths of the slices in which a file is served.
pub fn lengths(url: &str, bytes: u64) -> Vec<(String, u64)> {
    let (whole, slice) = (WHOLE as u64, SLICE as u64);
    if bytes <= whole {
        return vec![(url.to_string(), bytes)];
    }
    let starts = (0..bytes).step_by(SLICE).enumerate();
    starts.map(|(index, start)| (format!("{url}.part{index:03}"), slice.min(bytes - start))).collect()
}

impl Served {
    /// The model's entry: that of the catalog, if it has the model, or one under its file's sha256, called `title`.
    pub fn entry(&self, known: Option<&Entry>, config: &Config, title: &str) -> Result<Entry, Changed> {
        let bytes = self.parts.iter().map(|part| part.bytes).sum();
        match known {
            Some(entry) if entry.format == GGUF => match entry.parts == self.parts {
                // The reader's own is called what the site is called.
                true if entry.id == self.sha256 => Ok(Entry { title: title.to_string(), ..entry.clone() }),
                true => Ok(entry.clone()),
                false => Err(Changed(entry.id.clone())),
            },
            // It came from the hub, and now comes from the site.
            Some(entry) => {
                let (format, parts) = (GGUF.to_string(), self.parts.clone());
                Ok(Entry { format, bytes, parts, converted: None, source: source(entry), ..entry.clone() })
            }
            None => Ok(Entry {
                id: self.sha256.clone(),
                title: title.to_string(),
                parameters: config.parameters() as u64,
                context: config.context as u32,
                shape: Some(Shape::of(config)),
                format: GGUF.to_string(),
                bytes,
                parts: self.parts.clone(),
                converted: None,
                source: SOURCE.to_string(),
            }),
        }
    }
}

/// In words: an address would be one that the page may ask.
fn source(entry: &Entry) -> String {
    format!("From {}.", entry.source.trim_start_matches("https://"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::publish::slices;

    fn served(entry: Option<&Entry>, bytes: &[u8], step: usize) -> Served {
        let mut hasher = ServedHasher::new(entry, bytes.len() as u64);
        bytes.chunks(step).for_each(|chunk| hasher.update(chunk));
        hasher.finish()
    }

    #[test]
    fn a_file_is_hashed_in_its_slices_however_it_is_read() {
        let bytes: Vec<u8> = (0..=WHOLE).map(|index| ((index * 31) >> 3) as u8).collect();
        let expected: Vec<Part> = slices(&bytes, FILE).into_iter().map(|(part, _)| part).collect();
        for step in [1 << 20, 3_000_001] {
            let served = served(None, &bytes, step);
            assert_eq!(served.parts, expected);
            assert_eq!(served.crcs[4], crc32fast::hash(&bytes[WHOLE..]));
            assert_eq!(served.sha256, crate::app::catalog::sha256(&bytes));
        }
    }

    #[test]
    fn a_model_is_known_by_its_hash_or_stays_the_catalogs() {
        let config = crate::checkpoint::testing::small();
        let own = served(None, b"abc", 2).entry(None, &config, "Mine").unwrap();
        assert_eq!((own.id.as_str(), own.parts[0].url.as_str()), (own.parts[0].sha256.as_str(), "model.gguf"));
        assert_eq!((own.title.as_str(), own.bytes), ("Mine", 3));
        let again = served(None, b"abc", 2).entry(Some(&own), &config, "Yours").unwrap();
        assert_eq!(again, Entry { title: "Yours".into(), ..own.clone() });

        let (id, part) =
            ("peargpt".to_string(), |url: &str, bytes| Part { url: url.into(), bytes, sha256: String::new() });
        let known = Entry { id, parts: vec![part("a", 2), part("b", 1)], ..own.clone() };
        let whole = served(Some(&known), b"abc", 3);
        assert_eq!(whole.parts[1].url, "b");
        let known = Entry { parts: whole.parts.clone(), ..known };
        assert_eq!(whole.entry(Some(&known), &config, "Mine").unwrap(), known);
        let error = served(Some(&known), b"abd", 3).entry(Some(&known), &config, "").unwrap_err().to_string();
        assert!(error.contains("`peargpt`"), "{error}");

        let (id, format, source) = ("gpt2".to_string(), "safetensors".to_string(), "https://hub/gpt2".to_string());
        let hub = Entry { id, format, source, ..known };
        let made = served(Some(&hub), b"abc", 3).entry(Some(&hub), &config, "").unwrap();
        assert_eq!((made.format.as_str(), made.parts[0].url.as_str(), made.bytes), ("gguf", "gpt2.gguf", 3));
        assert_eq!(made.source, "From hub/gpt2.");
    }
}
