//! A safetensors file that comes in pieces becomes the bytes that `convert` makes of it.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/made.rs"]
mod made;
#[path = "common/pushed.rs"]
mod pushed;

use std::io::Cursor;

use common::Folder;
use hostile::{Numbers, with_peak};
use made::{EVERYTHING, Made, SMALL};
use pushed::{begin, push, resume, stream, stream_evenly};
use sha2::{Digest, Sha256};

const SHAPES: [Made; 9] = [
    SMALL,
    Made { prefix: "transformer.", extras: true, ..SMALL },
    Made { width: 128, hidden: 512, vocabulary: 33, layers: 1, ..SMALL },
    Made { hidden: 100, seed: 2, ..SMALL },
    Made { hidden: 3, vocabulary: 9, layers: 1, ..SMALL },
    Made { hidden: 1, context: 1, vocabulary: 1, layers: 1, ..SMALL },
    Made { dtypes: ["F16"; 3], hidden: 96, seed: 3, ..SMALL },
    Made { dtypes: ["BF16"; 3], extras: true, hidden: 130, seed: 4, ..SMALL },
    EVERYTHING,
];

#[test]
fn every_shape_becomes_what_convert_makes_of_it() {
    for (seed, made) in SHAPES.iter().enumerate() {
        let (folder, expected) = (made.folder(), made.expected());
        let mut numbers = Numbers(seed as u64);
        assert!(stream_evenly(&folder, usize::MAX).unwrap() == expected, "{made:?} at once");
        assert!(stream_evenly(&folder, 64 << 10).unwrap() == expected, "{made:?} in 64 KiB");
        assert!(stream_evenly(&folder, 31).unwrap() == expected, "{made:?} in 31 bytes");
        assert!(stream(&folder, || numbers.below(9000)).unwrap() == expected, "{made:?} in random pieces");
    }
}

#[test]
fn pieces_may_have_any_length() {
    let (folder, expected) = (EVERYTHING.folder(), EVERYTHING.expected());
    for length in [1, 2, 3, 5, 7, 127, 8191, 65_537] {
        assert!(stream_evenly(&folder, length).unwrap() == expected, "{length}");
    }
}

#[test]
fn every_byte_of_the_gguf_is_written() {
    for made in SHAPES {
        let (folder, expected) = (made.folder(), made.expected());
        let mut file = Cursor::new(vec![0xff; expected.len()]);
        let mut streaming = begin(&folder);
        push(&mut streaming, &folder, folder.weights.len(), &mut file);
        streaming.finish(&mut file).unwrap();
        assert!(file.get_ref() == &expected, "{made:?}");
    }
}

/// Positions at which something begins or ends, and random ones between.
fn positions(folder: &Folder, count: usize) -> Vec<usize> {
    let (end, mut numbers) = (folder.weights.len(), Numbers(count as u64));
    let header = 8 + u64::from_le_bytes(*folder.weights.first_chunk().unwrap()) as usize;
    let around = [0, 1, 7, 8, 9, header - 1, header, header + 1, end - 1, end];
    around.into_iter().chain((0..count).map(|_| numbers.below(end))).collect()
}

#[test]
fn a_conversion_goes_on_from_wherever_it_was_saved() {
    for made in [EVERYTHING, Made { layers: 1, ..SMALL }] {
        let (folder, expected) = (made.folder(), made.expected());
        for at in positions(&folder, 200) {
            let (mut streaming, mut file) = (begin(&folder), Cursor::new(Vec::new()));
            push(&mut streaming, &folder, at, &mut file);
            let saved = streaming.save(&mut file).unwrap();
            drop(streaming);
            let mut streaming = resume(&folder, &saved, &mut file).unwrap();
            assert_eq!(streaming.position(), at as u64);
            push(&mut streaming, &folder, folder.weights.len(), &mut file);
            let hash = streaming.finish(&mut file).unwrap();
            assert_eq!(hash[..], Sha256::digest(&folder.weights)[..], "saved at {at}");
            assert!(file.get_ref() == &expected, "{made:?} saved at {at}");
        }
    }
}

#[test]
fn a_file_that_is_newer_than_what_was_saved_does_no_harm() {
    let (folder, expected) = (EVERYTHING.folder(), EVERYTHING.expected());
    let mut numbers = Numbers(7);
    for at in positions(&folder, 100) {
        let (mut streaming, mut file) = (begin(&folder), Cursor::new(Vec::new()));
        push(&mut streaming, &folder, at, &mut file);
        let saved = streaming.save(&mut file).unwrap();
        // The same object goes on, and saves again, before everything but the file is lost.
        let later = at + numbers.below(folder.weights.len() - at + 1);
        push(&mut streaming, &folder, later, &mut file);
        streaming.save(&mut file).unwrap();
        let mut streaming = resume(&folder, &saved, &mut file).unwrap();
        push(&mut streaming, &folder, folder.weights.len(), &mut file);
        streaming.finish(&mut file).unwrap();
        assert!(file.get_ref() == &expected, "saved at {at}, written up to {later}");
    }
}

#[test]
fn a_conversion_may_be_cut_again_and_again() {
    let (folder, expected) = (EVERYTHING.folder(), EVERYTHING.expected());
    let (mut file, mut numbers) = (Cursor::new(Vec::new()), Numbers(3));
    let mut saved = begin(&folder).save(&mut file).unwrap();
    loop {
        let mut streaming = resume(&folder, &saved, &mut file).unwrap();
        let at = (streaming.position() as usize + numbers.below(20_000)).min(folder.weights.len());
        push(&mut streaming, &folder, at, &mut file);
        saved = streaming.save(&mut file).unwrap();
        if at == folder.weights.len() {
            break streaming.finish(&mut file).map(drop).unwrap();
        }
    }
    assert!(file.get_ref() == &expected);
}

/// One of GPT-2's blocks: its largest matrix has 9.4 MB in float32, 2.5 MB in `Q8_0`, and panels of 393 KB.
const BLOCK: Made = Made { layers: 1, width: 768, hidden: 3072, context: 1024, vocabulary: 1000, ..SMALL };

#[test]
fn a_conversion_holds_one_quantised_matrix_and_a_panel() {
    let folder = BLOCK.folder();
    let mut file = Cursor::new(Vec::with_capacity(folder.weights.len()));
    let (saved, peak) = with_peak(|| {
        let mut streaming = begin(&folder);
        let mut saved = 0;
        for piece in folder.weights.chunks(64 << 10) {
            streaming.push(piece, &mut file).unwrap();
            saved = saved.max(streaming.save(&mut file).unwrap().len());
        }
        streaming.finish(&mut file).unwrap();
        saved
    });
    assert!(saved <= 512 << 10, "{saved} bytes were saved");
    // What is saved is copied once, beside the matrix, the panel and some pieces.
    assert!(peak <= 4 << 20, "{peak} bytes for {}", folder.weights.len());
    assert!(file.into_inner() == BLOCK.expected());
}
