#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{Cursor, Write};

use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipWriter};

use super::*;

/// What an exported folder is: files stored as they are, long ones with sizes of 64 bits.
fn exported(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in files {
        zip.start_file(*name, options.large_file(bytes.len() > 100)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn what_the_zip_crate_writes_is_found_by_name() {
    let files: [(&str, &[u8]); 3] =
        [("model.safetensors", &[7; 300]), ("config.json", b"{}"), ("été/vocab.json", b"{\"a\":0}")];
    let zip = exported(&files);
    let mut reader = Cursor::new(&zip);
    let mut source = Source::new(&mut reader).unwrap();
    let archive = Archive::read(&mut source).unwrap();
    assert_eq!(archive.names().collect::<Vec<_>>(), ["config.json", "model.safetensors", "été/vocab.json"]);
    for (name, bytes) in files {
        let span = archive.find(name, &mut source).unwrap().unwrap();
        assert_eq!(&zip[span.start as usize..span.end as usize], bytes, "{name}");
    }
    assert!(archive.find("merges.txt", &mut source).unwrap().is_none());
}
