//! What lies on disk of a conversion is held against what was written: a byte that changes there is found, wherever it
//! is and whenever that happens.

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
use hostile::Numbers;
use made::{EVERYTHING, Made, SMALL};
use peargpt::checkpoint::CheckpointError;
use peargpt::checkpoint::import::streaming::Streaming;
use pushed::{begin, begin_of, push, resume};

/// How a file compares that is read in pieces of this length.
fn compare(streaming: &Streaming, file: &[u8], piece: usize) -> Result<(), CheckpointError> {
    let mut comparison = streaming.comparison();
    file.chunks(piece).for_each(|piece| comparison.update(piece));
    comparison.finish()
}

/// A conversion that has come up to here, and its file.
fn converted(folder: &Folder, end: usize) -> (Streaming, Cursor<Vec<u8>>) {
    let (mut streaming, mut file) = (begin(folder), Cursor::new(Vec::new()));
    push(&mut streaming, folder, end, &mut file);
    (streaming, file)
}

#[test]
fn any_byte_that_changes_after_the_last_was_written_is_found() {
    for made in [EVERYTHING, Made { hidden: 3, vocabulary: 9, layers: 1, ..SMALL }] {
        let folder = made.folder();
        let (streaming, file) = converted(&folder, folder.weights.len());
        let (whole, mut numbers) = (file.into_inner(), Numbers(11));
        for piece in [1, 31, 4096, usize::MAX] {
            compare(&streaming, &whole, piece).unwrap();
        }
        let random: Vec<usize> = (0..2000).map(|_| numbers.below(whole.len())).collect();
        for at in random.into_iter().chain([0, whole.len() - 1]) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << numbers.below(8);
            let error = compare(&streaming, &damaged, 9973).unwrap_err().to_string();
            assert!(error.contains("the GGUF so far") && error.contains("that were written"), "{at}: {error}");
        }
        let error = compare(&streaming, &whole[..whole.len() - 1], 9973).unwrap_err().to_string();
        assert!(error.contains("takes 1 bytes, and the file has 0 left"), "{error}");
    }
}

/// Goes on from what was saved with this file, held against what was written; the GGUF.
fn go_on(folder: &Folder, saved: &[u8], file: Vec<u8>) -> Result<Vec<u8>, CheckpointError> {
    let mut file = Cursor::new(file);
    let mut streaming = resume(folder, saved, &mut file)?;
    compare(&streaming, file.get_ref(), 4096)?;
    push(&mut streaming, folder, folder.weights.len(), &mut file);
    compare(&streaming, file.get_ref(), 4096).unwrap();
    streaming.finish(&mut file).unwrap();
    Ok(file.into_inner())
}

#[test]
fn any_byte_that_changes_while_a_conversion_rests_is_found_or_written_anew() {
    let (folder, expected, mut numbers) = (EVERYTHING.folder(), EVERYTHING.expected(), Numbers(12));
    let (mut found, mut unfinished) = (0, 0);
    for _ in 0..1000 {
        let at = numbers.below(folder.weights.len());
        let (mut streaming, mut file) = converted(&folder, at);
        let saved = streaming.save(&mut file).unwrap();
        // The same object may go on before everything but the file is lost.
        let later = at + numbers.below(2) * numbers.below(folder.weights.len() - at);
        push(&mut streaming, &folder, later, &mut file);
        streaming.save(&mut file).unwrap();
        let mut file = file.into_inner();
        assert!(go_on(&folder, &saved, file.clone()).unwrap() == expected, "saved at {at}, written up to {later}");
        if file.is_empty() {
            continue;
        }
        let place = numbers.below(file.len());
        file[place] ^= 1 << numbers.below(8);
        match go_on(&folder, &saved, file) {
            Ok(whole) => assert!(whole == expected, "saved at {at}, changed at {place}"),
            Err(error) => {
                found += 1;
                unfinished += usize::from(error.to_string().contains("what has come of"));
            }
        }
    }
    assert!(found > 300 && unfinished > 0, "{found} were found, {unfinished} of them in an unfinished matrix");
}

#[test]
fn every_byte_of_a_file_that_rests_in_the_midst_of_a_matrix_is_found_or_written_anew() {
    // Its matrix ends with zeros that belong to no tensor.
    let made = Made { hidden: 3, context: 1, vocabulary: 1, layers: 1, ..SMALL };
    let (folder, expected) = (made.folder(), made.expected());
    let (mut streaming, mut file) = converted(&folder, begin_of(&folder, "h.0.mlp.c_fc.weight") + 500);
    let saved = streaming.save(&mut file).unwrap();
    let (file, mut found) = (file.into_inner(), 0);
    for place in 0..file.len() {
        let mut damaged = file.clone();
        damaged[place] ^= 1;
        match go_on(&folder, &saved, damaged) {
            Ok(whole) => assert!(whole == expected, "changed at {place}"),
            Err(_) => found += 1,
        }
    }
    assert!(0 < found && found < file.len(), "{found} of {}", file.len());
}

#[test]
fn what_changed_before_a_conversion_went_on_is_found_at_its_end_too() {
    let (folder, half) = (EVERYTHING.folder(), EVERYTHING.folder().weights.len() / 2);
    let (mut streaming, mut file) = converted(&folder, half);
    let saved = streaming.save(&mut file).unwrap();
    // Of the header, which nobody writes again.
    file.get_mut()[40] ^= 1;
    let mut streaming = resume(&folder, &saved, &mut file).unwrap();
    push(&mut streaming, &folder, folder.weights.len(), &mut file);
    let error = compare(&streaming, file.get_ref(), 4096).unwrap_err().to_string();
    assert!(error.starts_with("`the GGUF so far` at byte 0: expected"), "{error}");
}
