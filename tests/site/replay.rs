//! The page writes what the terminal writes.

use std::ops::Range;
use std::process::Command;

use crate::reader::Reader;

const WORDS: u32 = 12;

/// Has a text of each seed written on the page, which must be the terminal's; every other one starts by itself.
pub async fn expect_the_terminals_texts(reader: &Reader, seeds: Range<u32>) {
    for seed in seeds {
        let prompt = if seed % 2 == 0 { "ROMEO:\nWhat light" } else { "" };
        reader.fill("prompt", prompt).await.unwrap();
        reader.fill("seed", &seed.to_string()).await.unwrap();
        let on_the_page = reader.write(WORDS).await.unwrap();
        let asked = ["--words", &WORDS.to_string(), "--seed", &seed.to_string(), prompt];
        assert_eq!(on_the_page.trim_end(), in_the_terminal(&asked).trim_end(), "seed {seed}");
    }
}

/// What `generate` writes to standard output.
pub fn in_the_terminal(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_generate")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn twenty_seeds_give_the_same_texts_on_the_page_and_in_the_terminal() {
    let reader = Reader::ready().await.unwrap();
    expect_the_terminals_texts(&reader, 0..20).await;
}
