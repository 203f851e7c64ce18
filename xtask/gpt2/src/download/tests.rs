//! Downloads over a network that fails in every way.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use peargpt::app::catalog::sha256;

use super::server::{Act, Asked, SILENCE, Server};
use super::*;
use crate::publish::tests::folder;

/// The file that is served: a few pieces long.
fn content() -> Vec<u8> {
    (0..300_000u32).map(|index| (index.wrapping_mul(index) >> 7) as u8).collect()
}

fn known() -> Known {
    Known { name: "file", bytes: 300_000, sha256: sha256(&content()).leak() }
}

/// Fetches into an empty folder of that name; returns it, what came of it, and the requests.
fn fetch(test: &str, acts: Vec<Act>) -> (PathBuf, Result<(), String>, Vec<Asked>) {
    let folder = folder(test);
    let server = Server::new(content(), acts);
    let outcome = fetch_again(&folder, &server);
    (folder, outcome, server.asked())
}

fn fetch_again(folder: &Path, server: &Server) -> Result<(), String> {
    let retry = TransferPolicy { tries: 3, delay_ms: 1, stall_ms: 200, ..TransferPolicy::default() };
    let host = Host { address: server.address.clone(), retry };
    host.fetch(&known(), folder).map_err(|error| format!("{error:#}"))
}

/// The file alone, with the right content.
fn assert_whole(folder: &Path) {
    assert!(fs::read(folder.join("file")).unwrap() == content());
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "what is left over");
}

fn ranges(asked: &[Asked]) -> Vec<&str> {
    asked.iter().map(|(range, _)| range.as_deref().unwrap_or("all")).collect()
}

#[test]
fn a_file_arrives_once() {
    let (folder, outcome, asked) = fetch("once", vec![]);
    outcome.unwrap();
    assert_whole(&folder);
    assert_eq!(asked, [(None, None)]);
    let server = Server::new(content(), vec![]);
    fetch_again(&folder, &server).unwrap();
    assert_eq!(server.asked().len(), 0, "what is there is not fetched again");
}

#[test]
fn a_cut_transfer_goes_on_where_it_ended() {
    let (folder, outcome, asked) = fetch("cut", vec![Act::Cut(1000), Act::Redirect, Act::Cut(70_000), Act::Cut(0)]);
    outcome.unwrap();
    assert_whole(&folder);
    // The redirect's target is asked for the same.
    assert_eq!(ranges(&asked), ["all", "bytes=1000-", "bytes=1000-", "bytes=71000-", "bytes=71000-"]);
    assert!(asked[1..].iter().all(|(_, tag)| tag.as_deref() == Some("\"a\"")), "{asked:?}");
}

#[test]
fn another_run_goes_on_where_the_first_ended() {
    let (folder, outcome, _) = fetch("run", vec![Act::Cut(1000), Act::Status(503), Act::Status(429), Act::Status(500)]);
    let error = outcome.unwrap_err();
    assert!(error.contains("answers 429") && error.contains("what has arrived is kept"), "{error}");
    let server = Server::new(content(), vec![]);
    fetch_again(&folder, &server).unwrap();
    assert_whole(&folder);
    assert_eq!(server.asked(), [(Some("bytes=1000-".into()), Some("\"a\"".into()))]);
}

#[test]
fn a_host_that_ignores_ranges_sends_all_of_it_again() {
    let (folder, outcome, asked) = fetch("whole", vec![Act::Cut(1000), Act::Whole(usize::MAX)]);
    outcome.unwrap();
    assert_whole(&folder);
    assert_eq!(asked.len(), 2);
    // Never farther than before: it does not go on for ever.
    let (_, outcome, asked) = fetch("whole_cut", vec![Act::Whole(5000); 20]);
    assert!(outcome.unwrap_err().contains("the connection broke"));
    assert_eq!(asked.len(), 3);
}

#[test]
fn a_silence_is_ended() {
    let begun = Instant::now();
    let (folder, outcome, asked) = fetch("stall", vec![Act::Stall(4000)]);
    outcome.unwrap();
    assert!(begun.elapsed() < SILENCE / 2);
    assert_whole(&folder);
    assert_eq!(ranges(&asked), ["all", "bytes=4000-"]);
}

#[test]
fn a_file_that_changes_on_the_way_is_fetched_anew() {
    let (folder, outcome, asked) = fetch("changed", vec![Act::Cut(1000), Act::OtherTag]);
    outcome.unwrap();
    assert_whole(&folder);
    assert_eq!(ranges(&asked), ["all", "bytes=1000-", "all"]);
}

#[test]
fn more_than_the_whole_file_is_no_beginning_of_it() {
    let folder = folder("long");
    fs::write(folder.join("file.partial"), vec![0; 300_001]).unwrap();
    let server = Server::new(content(), vec![]);
    fetch_again(&folder, &server).unwrap();
    assert_whole(&folder);
    assert_eq!(ranges(&server.asked()), ["bytes=300001-", "all"]);
}

#[test]
fn a_wrong_byte_is_found_and_everything_deleted() {
    let (folder, outcome, _) = fetch("flip", vec![Act::Flip(123_456)]);
    let error = outcome.unwrap_err();
    assert!(error.contains("SHA-256") && error.contains("deleted"), "{error}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn a_wrong_file_that_is_there_is_replaced() {
    let folder = folder("wrong");
    fs::write(folder.join("file"), "something else").unwrap();
    fetch_again(&folder, &Server::new(content(), vec![])).unwrap();
    assert_whole(&folder);
}

#[test]
fn a_lie_about_the_length_is_found_at_once() {
    for length in [299_999, 300_001] {
        let (_, outcome, asked) = fetch("length", vec![Act::Announce(length)]);
        assert!(outcome.unwrap_err().contains(&format!("announces {length} bytes of file, not 300000")));
        assert_eq!(asked.len(), 1);
    }
}

#[test]
fn what_will_not_pass_is_said_at_once() {
    let (_, outcome, asked) = fetch("404", vec![Act::Status(404)]);
    let error = outcome.unwrap_err();
    assert!(error.contains("/file: the host answers 404"), "{error}");
    assert_eq!(asked.len(), 1);
    let nowhere =
        Host { address: "http://127.0.0.1:1".into(), retry: TransferPolicy { delay_ms: 1, ..Default::default() } };
    assert!(nowhere.fetch(&known(), &folder("nowhere")).unwrap_err().to_string().contains("try again later"));
}

#[test]
fn waits_double() {
    let host = Host { address: String::new(), retry: TransferPolicy::default() };
    assert_eq!([1, 2, 3].map(|failures| host.delay(failures).as_millis()), [1000, 2000, 4000]);
    assert_eq!(host.delay(40), LONGEST_DELAY);
}
