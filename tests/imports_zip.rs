//! A zip file of a model's files is read as if it were unpacked; what it claims is not trusted.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/imported.rs"]
mod imported;

use std::io::{Cursor, Write};

use common::{Files, gguf_of, inspect, named};
use hostile::{Numbers, mutate, with_peak};
use imported::{converted, files, needs};
use peargpt::checkpoint::export::huggingface;
use peargpt::checkpoint::import::{self, Answers, Need, zipped_files};
use peargpt::checkpoint::precision::Precision;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A zip file of these files, none compressed.
fn zipped<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in files {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A zip file of a fixture's files, in this folder or none.
fn fixture(fixture: &str, names: &[&str], folder: &str) -> Vec<u8> {
    let placed: Vec<(String, Vec<u8>)> = files(fixture, names)
        .into_iter()
        .map(|file| (format!("{folder}{}", file.name), file.reader.into_inner()))
        .collect();
    zipped(placed.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))
}

/// The files, those of a zip file in its place.
fn unzipped(mut files: Files) -> Result<Files, String> {
    let mut all = Vec::new();
    for mut file in files.drain(..) {
        match zipped_files(&mut file).map_err(|error| error.to_string())? {
            None => all.push(file),
            Some(zipped) => {
                let whole = file.reader.into_inner();
                let part = |file: &import::ZippedFile| &whole[file.span.start as usize..file.span.end as usize];
                all.extend(zipped.iter().map(|file| named(&file.name, part(file))));
            }
        }
    }
    Ok(all)
}

fn names(files: &Files) -> Vec<&str> {
    files.iter().map(|file| file.name.as_str()).collect()
}

const NANOGPT: [&str; 2] = ["ckpt.pt", "meta.pkl"];

/// The error of inspecting a zip file of this name.
fn error(bytes: Vec<u8>) -> String {
    let result = unzipped(vec![named("x.zip", bytes)]);
    result
        .and_then(|mut files| import::inspect(&mut files, &Answers::default()).map_err(|error| error.to_string()))
        .unwrap_err()
}

#[test]
fn what_our_export_writes_comes_back() {
    for (fixture, names) in
        [("nanogpt", &NANOGPT[..]), ("bin", &["pytorch_model.bin", "config.json", "tokenizer.json"])]
    {
        let original = converted(&mut files(fixture, names), Some(Precision::F32));
        let mut gguf = vec![named("model.gguf", original.as_slice())];
        let info = inspect(&mut gguf, &Answers::default()).unwrap();
        let mut folder = Vec::new();
        for output in huggingface(&info, Precision::F32).unwrap() {
            let (name, mut bytes) = (output.name().to_string(), Vec::new());
            output.write(&info, &mut gguf, &mut bytes).unwrap();
            folder.push((name, bytes));
        }
        let zip = zipped(folder.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
        let mut back = unzipped(vec![named("mine.zip", zip)]).unwrap();
        let expected =
            ["mine.zip/config.json", "mine.zip/vocab.json", "mine.zip/merges.txt", "mine.zip/model.safetensors"];
        assert_eq!(self::names(&back), expected);
        let info = inspect(&mut back, &Answers::default()).unwrap();
        assert!(gguf_of(&info, &mut back, Some(Precision::F32)).unwrap() == original, "{fixture}");
    }
}

#[test]
fn a_torch_checkpoint_stays_whole_inside_a_zip_file_too() {
    let whole = files("nanogpt", &NANOGPT);
    assert_eq!(names(&unzipped(files("nanogpt", &NANOGPT)).unwrap()), names(&whole));
    let expected = converted(&mut files("nanogpt", &NANOGPT), None);
    let mut zip = unzipped(vec![named("a.zip", fixture("nanogpt", &NANOGPT, ""))]).unwrap();
    assert_eq!(names(&zip), ["a.zip/ckpt.pt", "a.zip/meta.pkl"]);
    assert!(converted(&mut zip, None) == expected);
}

#[test]
fn a_folder_in_a_zip_file_counts_where_nothing_stands_beside_it() {
    let mut zip = unzipped(vec![named("a.zip", fixture("nanogpt", &NANOGPT, "out/"))]).unwrap();
    assert_eq!(names(&zip), ["a.zip/out/ckpt.pt", "a.zip/out/meta.pkl"]);
    inspect(&mut zip, &Answers::default()).unwrap();
    let ckpt = files("nanogpt", &["ckpt.pt"]).remove(0).reader.into_inner();
    let nested = [("ckpt.pt", ckpt.as_slice()), ("onnx/ckpt.pt", b"no"), ("__MACOSX/._ckpt.pt", b"no")];
    assert_eq!(names(&unzipped(vec![named("a.zip", zipped(nested))]).unwrap()), ["a.zip/ckpt.pt"]);
    // Two zip files are two models.
    let two = [("a.zip", ""), ("b.zip", "")].map(|(name, folder)| named(name, fixture("nanogpt", &NANOGPT, folder)));
    let models = vec!["a.zip/ckpt.pt".to_string(), "b.zip/ckpt.pt".to_string()];
    let mut two = unzipped(two.into()).unwrap();
    assert_eq!(needs(&mut two, &Answers::default()), [Need::Choice { models }]);
    let chosen = Answers { model: Some("b.zip/ckpt.pt".to_string()), ..Answers::default() };
    assert_eq!(inspect(&mut two, &chosen).unwrap().tokenizer.tokens.len(), 32);
}

/// Gives every entry the compression method of Deflate, in its header and in the directory.
fn compressed(mut zip: Vec<u8>) -> Vec<u8> {
    for at in 0..zip.len() - 4 {
        match &zip[at..at + 4] {
            b"PK\x03\x04" => zip[at + 8] = 8,
            b"PK\x01\x02" => zip[at + 10] = 8,
            _ => {}
        }
    }
    zip
}

#[test]
fn what_cannot_be_read_in_a_zip_file_is_named() {
    let says = "config.json is compressed inside x.zip; unpack x.zip and open the folder instead";
    let zip = || compressed(zipped([("config.json", &b"{}"[..]), ("model.safetensors", b"1234")]));
    assert_eq!(error(zip()), says);
    // Beside a model it is left out.
    let mut beside = files("nanogpt", &NANOGPT);
    beside.push(named("data.zip", zip()));
    let mut beside = unzipped(beside).unwrap();
    assert_eq!(inspect(&mut beside, &Answers::default()).unwrap().summary(None).ignored, ["data.zip"]);

    assert!(error(zipped([("a.txt", &b"Once more unto the breach"[..])])).ends_with("found x.zip/a.txt: a text"));
    let many: Vec<String> = (0..257).map(|number| format!("{number}.txt")).collect();
    let many = error(zipped(many.iter().map(|name| (name.as_str(), &b"text"[..]))));
    assert!(many.ends_with("expected the files of a model, at most 256, found 257 files"), "{many}");
    let deep = error(zipped([("a/b/model.safetensors", &b"1234"[..])]));
    assert!(deep.ends_with("found 0 files"), "{deep}");
}

#[test]
fn two_entries_do_not_share_bytes() {
    let mut zip = zipped([("a.bin", &[7; 64][..]), ("b.bin", &[7; 64])]);
    let second = zip.windows(4).enumerate().filter(|(_, bytes)| bytes == b"PK\x03\x04").nth(1).unwrap().0 as u32;
    // The first entry reaches over the second's header: its sizes in the directory say so.
    let entry = zip.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    let longer = (64 + second).to_le_bytes();
    zip[entry + 20..entry + 24].copy_from_slice(&longer);
    zip[entry + 24..entry + 28].copy_from_slice(&longer);
    let error = error(zip);
    assert!(error.contains("zip entry b.bin") && error.contains("bytes behind those of a.bin"), "{error}");
}

#[test]
fn a_zip_file_cut_or_changed_anywhere_ends_in_a_sentence_and_little_memory() {
    let whole = fixture("bin", &["pytorch_model.bin", "config.json", "tokenizer.json"], "");
    for step in 0..200 {
        assert!(error(whole[..whole.len() * step / 200].to_vec()).len() > 20, "{step}");
    }
    let (mut numbers, mut refused) = (Numbers(17), 0);
    for run in 0..4_000 {
        let mut file = whole.clone();
        // Half of the changes are in the directory, which is the end of the file.
        let mut tail = file.split_off(file.len() - 300);
        let length = tail.len();
        if run % 2 == 0 {
            mutate(&mut numbers, &mut tail, length)
        } else {
            mutate(&mut numbers, &mut file, 100)
        }
        file.extend(tail);
        let mut file = named("x.zip", file);
        let (result, peak) = with_peak(|| zipped_files(&mut file));
        // An end record is looked for in the last 64 KiB.
        assert!(peak < 256 << 10, "{run}: {peak} bytes");
        let files = result.map(|found| found.map(|files| files.iter().map(|file| file.span.end).max()));
        match files {
            Ok(Some(end)) => assert!(end.unwrap_or_default() <= file.reader.get_ref().len() as u64),
            Ok(None) => refused += 1,
            Err(error) => {
                assert!(error.to_string().starts_with("x.zip: "), "{error}");
                refused += 1;
            }
        }
    }
    assert!((400..4_000).contains(&refused), "{refused} refused");
}
