//! SHA-256 (FIPS 180-4) whose state can be saved in the middle of a file, and resumed later.
//!
//! `sha2`'s hasher can be serialized too, but in a form that may change with its version. Our saved state has to remain
//! readable after an update of the site.

use sha2::block_api::compress256;

/// Bytes that are compressed at once.
const BLOCK: usize = 64;

/// An unfinished hash: eight words, the number of bytes hashed, and the incomplete block, filled up with zeros.
pub type SavedSha256 = [u8; 32 + 8 + BLOCK];

/// The initial state, FIPS 180-4, 5.3.3.
const FIRST: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// A hash of the bytes so far.
#[derive(Clone, Debug)]
pub struct ResumableSha256 {
    state: [u32; 8],
    length: u64,
    /// The incomplete block; zeros behind the first `length % 64` bytes.
    block: [u8; BLOCK],
}

impl Default for ResumableSha256 {
    fn default() -> Self {
        ResumableSha256 { state: FIRST, length: 0, block: [0; BLOCK] }
    }
}

impl ResumableSha256 {
    /// The hash of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of bytes hashed.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Hashes these bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let filled = self.filled();
        self.length += bytes.len() as u64;
        let Some((first, rest)) = bytes.split_at_checked(BLOCK - filled).filter(|_| filled > 0) else {
            return self.update_blocks(bytes, filled);
        };
        self.block[filled..].copy_from_slice(first);
        self.compress();
        self.update_blocks(rest, 0);
    }

    /// The hash of all bytes.
    pub fn finish(mut self) -> [u8; 32] {
        let (filled, bits) = (self.filled(), self.length.wrapping_mul(8));
        self.block[filled] = 0x80;
        if filled + 1 + size_of_val(&bits) > BLOCK {
            self.compress();
        }
        self.block[BLOCK - size_of_val(&bits)..].copy_from_slice(&bits.to_be_bytes());
        self.compress();
        words(&self.state)
    }

    /// The state that [`resume`](Self::resume) continues from.
    pub fn save(&self) -> SavedSha256 {
        let mut saved = [0; size_of::<SavedSha256>()];
        saved[..32].copy_from_slice(&words(&self.state));
        saved[32..40].copy_from_slice(&self.length.to_be_bytes());
        saved[40..].copy_from_slice(&self.block);
        saved
    }

    /// Continues from a saved state.
    pub fn resume(saved: &SavedSha256) -> Self {
        let mut hash = Self::new();
        for (word, bytes) in hash.state.iter_mut().zip(saved.as_chunks().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        let (length, block) = saved[32..].split_at(8);
        hash.length = length.iter().fold(0, |length, &byte| length << 8 | u64::from(byte));
        let filled = hash.filled();
        hash.block[..filled].copy_from_slice(&block[..filled]);
        hash
    }

    /// Bytes in the incomplete block.
    fn filled(&self) -> usize {
        (self.length % BLOCK as u64) as usize
    }

    /// Compresses whole blocks and keeps the rest behind the first `filled` bytes of the block. `filled` is 0 if there
    /// is a whole block.
    fn update_blocks(&mut self, bytes: &[u8], filled: usize) {
        let (blocks, rest) = bytes.as_chunks();
        compress256(&mut self.state, blocks);
        self.block[filled..][..rest.len()].copy_from_slice(rest);
    }

    fn compress(&mut self) {
        compress256(&mut self.state, &[self.block]);
        self.block = [0; BLOCK];
    }
}

/// The words' bytes, in the order of the standard.
fn words(state: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

/// Two hex digits for each byte, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// Lengths around those at which the padding needs a second block, and one of many blocks.
    const LENGTHS: [usize; 12] = [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 10_007];

    fn bytes(length: usize) -> Vec<u8> {
        let mut number = crate::checkpoint::testing::numbers(length as u64);
        (0..length).map(|_| (number() * 128.0) as i8 as u8).collect()
    }

    /// Random lengths that cut `length` bytes into pieces, some of them empty.
    fn cuts(length: usize, most: usize, seed: u64) -> Vec<usize> {
        let mut number = crate::checkpoint::testing::numbers(seed);
        let (mut cuts, mut left) = (Vec::new(), length);
        while left > 0 {
            let cut = ((number() + 1.0) * 0.5 * (most + 1) as f32) as usize;
            cuts.push(cut.min(left));
            left -= cut.min(left);
        }
        cuts
    }

    #[test]
    fn any_pieces_have_the_hash_of_the_whole() {
        for length in LENGTHS {
            let bytes = bytes(length);
            for (seed, most) in [1, 3, 63, 64, 65, 200, 5000].into_iter().enumerate() {
                let (mut hash, mut rest) = (ResumableSha256::new(), bytes.as_slice());
                for cut in cuts(length, most, seed as u64) {
                    let piece = rest.split_off(..cut).unwrap();
                    hash.update(piece);
                }
                assert_eq!(hash.length(), length as u64);
                assert_eq!(hash.finish()[..], Sha256::digest(&bytes)[..], "{length} bytes, pieces up to {most}");
            }
        }
    }

    #[test]
    fn a_hash_goes_on_from_wherever_it_was_saved() {
        for length in LENGTHS {
            let bytes = bytes(length);
            for at in (0..=length).step_by(1 + length / 200) {
                let mut hash = ResumableSha256::new();
                hash.update(&bytes[..at]);
                let mut hash = ResumableSha256::resume(&hash.save());
                hash.update(&bytes[at..]);
                assert_eq!(hash.finish()[..], Sha256::digest(&bytes)[..], "{length} bytes, saved at {at}");
            }
        }
    }

    #[test]
    fn hex_has_two_digits_a_byte() {
        assert_eq!(hex(&[0, 0x0a, 0xff]), "000aff");
    }
}
