//! Checksums that find damage in the browser's storage: XXH64 of each stretch of a file, several times as fast as
//! SHA-256.
//!
//! They do not protect from an attacker. Bytes from outside are verified by their SHA-256 first.

use xxhash_rust::xxh64::{Xxh64, xxh64};

/// Bytes of a stretch: as long as a slice that the site serves.
pub const STRETCH: usize = crate::app::publish::SLICE;

/// The checksum of one stretch.
pub fn checksum(stretch: &[u8]) -> u64 {
    xxh64(stretch, 0)
}

/// Computes the checksums of a file that arrives in pieces.
#[derive(Default)]
pub struct Checksums {
    whole: Vec<u64>,
    begun: Xxh64,
    /// Bytes in the current stretch.
    filled: usize,
}

impl Checksums {
    /// Adds these bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (here, rest) = bytes.split_at(bytes.len().min(STRETCH - self.filled));
            self.begun.update(here);
            self.filled += here.len();
            if self.filled == STRETCH {
                self.whole.push(std::mem::take(&mut self.begun).digest());
                self.filled = 0;
            }
            bytes = rest;
        }
    }

    /// The checksums of all bytes.
    pub fn finish(mut self) -> Vec<u64> {
        if self.filled > 0 {
            self.whole.push(self.begun.digest());
        }
        self.whole
    }
}

/// Checksums in messages between programs. JavaScript's numbers do not have 64 bits.
pub mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Each as 16 hex digits.
    pub fn serialize<S: Serializer>(checksums: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(checksums.iter().map(|checksum| format!("{checksum:016x}")))
    }

    /// Reads what [`serialize`] wrote.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| u64::from_str_radix(text, 16).map_err(D::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_pieces_have_the_checksums_of_the_stretches() {
        for length in [0, 1, STRETCH - 1, STRETCH, STRETCH + 1, 2 * STRETCH, 2 * STRETCH + 77] {
            let bytes: Vec<u8> = (0..length).map(|index| ((index * 2_654_435_761) >> 13) as u8).collect();
            let expected: Vec<u64> = bytes.chunks(STRETCH).map(checksum).collect();
            for piece in [1 << 10, 999_983, STRETCH, 3 * STRETCH] {
                let mut checksums = Checksums::default();
                bytes.chunks(piece).for_each(|piece| checksums.update(piece));
                assert_eq!(checksums.finish(), expected, "{length} bytes in pieces of {piece}");
            }
        }
    }

    #[test]
    fn checksums_are_xxh64s() {
        // From xxHash's specification, doc/xxhash_spec.md: the empty input, and three letters.
        assert_eq!((checksum(b""), checksum(b"abc")), (0xef46_db37_51d8_e999, 0x44bc_2cf5_ad77_0999));
    }
}
