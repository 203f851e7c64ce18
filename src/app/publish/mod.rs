//! Makes a model's entry in the catalog, and the slices of its file that a site serves.

pub mod document;
#[cfg(not(target_arch = "wasm32"))]
pub mod files;
pub mod served;
pub mod website;
pub mod zip;

use crate::app::catalog::{Entry, Part, Shape, sha256};
use crate::model::Config;

/// Facts for the catalog that the file does not contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogNote {
    /// Name in addresses.
    pub id: String,
    /// Name that readers see.
    pub title: String,
    /// Where the weights come from.
    pub source: String,
}

impl CatalogNote {
    /// The entry of a GGUF file that is served in these slices.
    pub fn entry(self, config: &Config, slices: &[(Part, &[u8])]) -> Entry {
        let CatalogNote { id, title, source } = self;
        let parts: Vec<Part> = slices.iter().map(|(part, _)| part.clone()).collect();
        Entry {
            id,
            title,
            parameters: config.parameters() as u64,
            context: config.context as u32,
            shape: Some(Shape::of(config)),
            format: "gguf".to_string(),
            bytes: parts.iter().map(|part| part.bytes).sum(),
            parts,
            converted: None,
            source,
        }
    }
}

/// The longest file that is served in one piece, in bytes; some hosts refuse longer files.
pub const WHOLE: usize = 16 << 20;
/// The longest slice of a longer file, in bytes.
pub const SLICE: usize = 4 << 20;

/// The slices of a file with their descriptions, in order. `url` is the URL of the whole file.
pub fn slices<'a>(bytes: &'a [u8], url: &str) -> Vec<(Part, &'a [u8])> {
    let mut rest = bytes;
    let lengths = served::lengths(url, bytes.len() as u64).into_iter();
    lengths
        .map(|(url, bytes)| {
            let (slice, behind) = rest.split_at(bytes as usize);
            rest = behind;
            (Part { url, bytes, sha256: sha256(slice) }, slice)
        })
        .collect()
}

/// The catalog with this entry, which replaces the entry with its id, or else is last.
pub fn with_entry(mut catalog: Vec<Entry>, entry: Entry) -> Vec<Entry> {
    match catalog.iter_mut().find(|other| other.id == entry.id) {
        Some(other) => *other = entry,
        None => catalog.push(entry),
    }
    catalog
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_up_to_16_mib_stays_whole() {
        let bytes = vec![0; WHOLE];
        let slices = slices(&bytes, "a.gguf");
        assert_eq!((slices.len(), slices[0].0.url.as_str()), (1, "a.gguf"));
        // `head -c 16777216 /dev/zero | sha256sum`
        let zeros = "080acf35a507ac9849cfcba47dc2ad83e01b75663a516279c8b9d243b719643e";
        assert_eq!(slices[0].0.sha256, zeros);
    }

    #[test]
    fn a_longer_file_is_its_slices_in_order() {
        let bytes: Vec<u8> = (0..=WHOLE).map(|index| index as u8).collect();
        let slices = slices(&bytes, "a.gguf");
        assert_eq!(slices.iter().flat_map(|(_, slice)| *slice).copied().collect::<Vec<_>>(), bytes);
        assert_eq!(slices.len(), 5);
        assert_eq!((slices[4].0.url.as_str(), slices[4].0.bytes), ("a.gguf.part004", 1));
    }

    #[test]
    fn an_entry_takes_the_place_of_its_older_one() {
        let entry = |id: &str, bytes| {
            let [title, format, source] = ["", "gguf", ""].map(str::to_string);
            let (id, parts) = (id.to_string(), Vec::new());
            Entry { id, title, parameters: 1, context: 1, format, bytes, parts, shape: None, converted: None, source }
        };
        let catalog = with_entry(vec![entry("a", 1), entry("b", 1)], entry("a", 2));
        let catalog = with_entry(catalog, entry("c", 3));
        assert_eq!(catalog, [entry("a", 2), entry("b", 1), entry("c", 3)]);
    }
}
