//! Torch files made by hand, pickles and zips that lie: each ends in a clear sentence, and costs little memory.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/imported.rs"]
mod imported;
#[path = "common/pickled.rs"]
mod pickled;

use std::io;

use common::{gguf_of, inspect, named};
use hostile::{HUGE, with_peak};
use imported::files;
use peargpt::checkpoint::import::{self, Answers, Inspection};
use peargpt::checkpoint::precision::Precision;
use pickled::Tensor;

/// What is read at once of descriptions and elements, at most.
const BUFFERS: usize = 256 << 10;

/// What is said of a file that is alone.
fn error(bytes: Vec<u8>) -> String {
    let length = bytes.len();
    let mut files = vec![named("ckpt.pt", bytes)];
    let answers = Answers { heads: Some(2), alphabet: Some("abcde".to_string()), ..Answers::default() };
    let (result, peak) = with_peak(|| match import::inspect(&mut files, &answers) {
        Ok(Inspection::Ready(info)) => {
            import::to_gguf(&info, "x", None).unwrap().write(&info, &mut files, &mut io::sink())
        }
        Ok(Inspection::Needs(needs)) => panic!("{needs:?}"),
        Err(error) => Err(error),
    });
    assert!(peak < 8 * length + BUFFERS, "{peak} bytes for {length}, {result:?}");
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

/// What is said of nanoGPT's tensors with one of them changed.
fn changed(name: &str, change: impl FnOnce(&mut Tensor)) -> String {
    let mut tensors = pickled::nanogpt();
    change(tensors.iter_mut().find(|tensor| tensor.name.ends_with(name)).unwrap());
    error(pickled::checkpoint(&tensors))
}

#[test]
fn tensors_that_lie_are_refused_by_name_and_offset() {
    assert_eq!(error(pickled::checkpoint(&pickled::nanogpt())), "");
    let says = |error: String, parts: [&str; 2]| assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    let wte = "of transformer.wte.weight` at byte";
    says(changed("wte.weight", |wte| wte.bytes.truncate(79)), [wte, "expected 80 bytes, found 79"]);
    says(changed("wte.weight", |wte| wte.count = 19), [wte, "fits the storage's 19 elements, found [5, 4]"]);
    says(changed("wte.weight", |wte| wte.count = 1_342_177_280), [wte, "expected 5368709120 bytes, found 80"]);
    says(changed("wte.weight", |wte| wte.count = i64::MAX), [wte, "found [5, 4]"]);
    says(changed("wte.weight", |wte| wte.count = -1), ["`pickle` at byte", "expected a storage's length, found -1"]);
    says(changed("wte.weight", |wte| wte.offset = 1), [wte, "found [5, 4] from element 1 on"]);
    says(changed("wte.weight", |wte| wte.offset = i64::MAX), [wte, "from element 9223372036854775807 on"]);
    says(changed("wte.weight", |wte| wte.offset = -4), ["`pickle` at byte", "a tensor's storage and offset"]);
    says(changed("wte.weight", |wte| wte.size = vec![1 << 62, 4]), [wte, "found [4611686018427387904, 4]"]);
    says(
        changed("wte.weight", |wte| (wte.size, wte.stride) = (vec![1 << 61, 8], vec![8, 1])),
        [wte, "found [2305843009213693952, 8]"],
    );
    says(changed("wte.weight", |wte| wte.size = vec![-5, 4]), ["`pickle` at byte", "expected at most 4 sizes"]);
    says(changed("wte.weight", |wte| wte.size = vec![1; 5]), ["`pickle` at byte", "expected at most 4 sizes"]);
    says(changed("wte.weight", |wte| wte.stride = vec![0, 0]), [wte, "strides of transformer.wte"]);
    says(changed("wte.weight", |wte| wte.stride = vec![1]), ["`pickle` at byte", "expected a stride for each size"]);
    says(changed("wte.weight", |wte| wte.storage = "LongStorage"), ["dtype of transformer.wte", "found int64"]);
    says(changed("wte.weight", |wte| wte.storage = "QInt8Storage"), ["`pickle` at byte", "`torch.QInt8Storage`"]);
    says(
        changed("wpe.weight", |wpe| (wpe.size, wpe.stride) = (vec![4, 3], vec![3, 1])),
        ["shape of transformer.wpe", "expected [4, 4], found [4, 3]"],
    );
    says(
        changed("wpe.weight", |wpe| wpe.name = "score.weight".to_string()),
        ["name of a tensor", "found score.weight"],
    );
    says(changed("wpe.weight", |wpe| wpe.name = "lm_head.bias".to_string()), ["has no tensor", "position_embd"]);
}

#[test]
fn tensors_that_repeat_or_lie_over_each_other_are_refused() {
    let error = changed("wpe.weight", |wpe| wpe.name = "_orig_mod.wte.weight".to_string());
    assert!(error.contains("two tensors `_orig_mod.wte.weight`"), "{error}");
    let error = changed("c_proj.weight", |proj| proj.name = "transformer.h.99999999999.ln_1.bias".to_string());
    assert!(error.contains("`number of a block` at byte 0: expected below 4096, found 99999999999"), "{error}");
    let error = changed("ln_1.weight", |norm| norm.key = "transformer.wte.weight".to_string());
    assert!(error.contains("`zip directory` at byte") && error.contains("expected each entry once"), "{error}");
    // A bomb: every layer has the same storage.
    let mut tensors = pickled::nanogpt();
    tensors[5].key = tensors[2].key.clone();
    let mut entries = vec![("a/data.pkl".to_string(), pickled::state_dict(&tensors))];
    tensors.remove(5);
    entries.extend(tensors.iter().map(|tensor| (format!("a/data/{}", tensor.key), tensor.bytes.clone())));
    let error = self::error(pickled::zip(&entries));
    assert!(error.contains("`place of transformer.h.0.ln_") && error.contains("expected bytes behind"), "{error}");
}

#[test]
fn numbers_that_are_not_finite_are_named() {
    for number in [f32::NAN, f32::INFINITY] {
        let error = changed("mlp.c_fc.weight", |fc| fc.bytes[4..8].copy_from_slice(&number.to_le_bytes()));
        let says = "expected a finite number, found NaN or infinity";
        assert!(error.contains("`transformer.h.0.mlp.c_fc.weight` at byte") && error.ends_with(says), "{error}");
    }
}

#[test]
fn numbers_that_fewer_bits_cannot_hold_are_named() {
    let mut tensors = pickled::nanogpt();
    tensors[6].bytes[4..8].copy_from_slice(&1e30f32.to_le_bytes());
    let mut files = vec![named("ckpt.pt", pickled::checkpoint(&tensors))];
    let answers = Answers { heads: Some(2), alphabet: Some("abcde".to_string()), ..Answers::default() };
    let info = inspect(&mut files, &answers).unwrap();
    let error = gguf_of(&info, &mut files, Some(Precision::F16)).unwrap_err().to_string();
    assert!(error.contains("`blk.0.ffn_up.weight` at byte 0: expected numbers that 16 bits can hold"), "{error}");
}

#[test]
fn pickles_that_would_do_more_are_refused() {
    let pickled = |pickle: &[u8]| error(pickled::zip(&[("a/data.pkl".to_string(), pickle.to_vec())]));
    let says = "expected tensors, numbers, texts and containers alone, found `os.system`";
    assert!(pickled(b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.").ends_with(says));
    assert!(pickled(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.").ends_with(says));
    assert!(pickled(b"\x80\x02c__main__\nGPT\n)\x81.").ends_with("found `__main__.GPT`"));
    assert!(pickled(b"\x80\x05\x8d\0\0\0\x40\x01\0\0\0ab").contains("`pickle` at byte 51 takes 5368709120 bytes"));
    assert!(pickled(b"\x80\x02]q\0h\0a.").contains("the file has no tensor"));
    let deep = [b"\x80\x02".as_slice(), &[b']'; 600_000], b"."].concat();
    assert!(pickled(&deep).contains("expected values that take"));
}

#[test]
fn pickles_that_swell_are_refused_before_they_do() {
    let pickled = |opcodes: &[u8]| {
        let swelling = [b"\x80\x02", opcodes, b"."].concat();
        error(pickled::zip(&[("a/data.pkl".to_string(), swelling)]))
    };
    // Values, tuples, lists, marks, memo entries, numbers of 64 bits, and copies of a list.
    let bombs: [&[u8]; 7] = [b"N", b"\x85", b"]", b"(", b"\x94", b"\x8a\x05\0\0\0\0\x01", b"cbuiltins\ndict\nh\0\x85R"];
    for bomb in bombs {
        let list = [b"]q\0(".as_slice(), &b"NN\x86".repeat(3000), b"e"].concat();
        let error = pickled(&[list, bomb.repeat(1 << 19)].concat());
        assert!(error.contains("expected values that take"), "{}: {error}", bomb.escape_ascii());
    }
    let long = Tensor::new(&"transformer.".repeat(2000), &[4]);
    let repeated = pickled::repeated(&long, 10_000);
    let error =
        error(pickled::zip(&[("a/data.pkl".to_string(), repeated), (format!("a/data/{}", long.key), long.bytes)]));
    assert!(error.contains("two tensors `transformer."), "{error}");
}

#[test]
fn zip_files_that_lie_are_refused() {
    let whole = pickled::checkpoint(&pickled::nanogpt());
    let directory = whole.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let end = whole.len() - 22;
    let patched = |at: usize, bytes: &[u8]| {
        let mut file = whole.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        error(file)
    };
    let huge = [0xf0, 0xff, 0xff, 0xff];
    let cases: [(usize, &[u8], &str); 12] = [
        (end + 4, &[2], "`zip disk number` at byte 5214: expected 0, for an archive in one file, found 2"),
        (
            directory + 8,
            &[9],
            "`zip entry a/data.pkl` at byte 0: expected an entry that is not encrypted, found flags 9",
        ),
        (
            directory + 10,
            &[8],
            "`zip entry a/data.pkl` at byte 0: expected an entry that is stored as it is, found method 8",
        ),
        (directory + 20, &huge, "expected an entry that is stored as it is, found method 0, 4294967280 bytes for"),
        (directory + 20, &[huge, huge].concat(), "`zip entry a/data.pkl` at byte 40 takes 4294967280 bytes"),
        (directory + 42, &huge, "`zip entry a/data.pkl` at byte 4294967280 takes 30 bytes, and the file has 0 left"),
        (directory + 42, &[9], "`zip entry a/data.pkl` at byte 9: expected `PK"),
        (directory + 28, &[255], "`zip directory` at byte"),
        (0, b"PK\x03\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09", "the name that the directory has"),
        (end + 10, &[255, 255], "`zip directory` at byte"),
        (end + 12, &huge, "expected a place before its end record, found 4294967280 bytes"),
        (end, b"XX", "`zip end record` at byte 0"),
    ];
    for (at, bytes, says) in cases {
        let error = patched(at, bytes);
        assert!(error.contains(says), "{at}: expected `{says}`, found `{error}`");
    }
    let second = pickled::zip(&[("a/data.pkl".to_string(), vec![]), ("b/data.pkl".to_string(), vec![])]);
    assert!(error(second).contains("expected one entry data.pkl, as torch writes"));
    let order = [("a/byteorder".to_string(), b"big".to_vec()), ("a/data.pkl".to_string(), vec![])];
    assert!(error(pickled::zip(&order)).contains("`byteorder` at byte 41: expected `little`, found big"));
}

#[test]
fn a_zip_entry_within_another_is_refused() {
    let mut tensors = pickled::nanogpt();
    let (name, norm) = ("a/data/transformer.h.0.ln_1.weight", tensors[2].bytes.clone());
    let length = (norm.len() as u32).to_le_bytes();
    let local = [b"PK\x03\x04".as_slice(), &[0; 14], &length, &length, &[name.len() as u8, 0, 0, 0], name.as_bytes()];
    let inner = [local.concat(), norm].concat();
    tensors[6].bytes[4..4 + inner.len()].copy_from_slice(&inner);
    let mut file = pickled::checkpoint(&tensors);
    let within = file.windows(inner.len()).rposition(|window| window == inner).unwrap();
    let named = file.windows(name.len()).rposition(|window| window == name.as_bytes()).unwrap();
    file[named - 4..named].copy_from_slice(&(within as u32).to_le_bytes());
    let error = error(file);
    let says = "`place of transformer.h.0.ln_1.weight` at byte";
    assert!(error.contains(says) && error.contains("expected bytes behind those of transformer.h.0.mlp"), "{error}");
}

#[test]
fn a_zip_file_of_64_bits_opens_and_is_refused_where_it_lies() {
    let entries = pickled::entries(&pickled::nanogpt());
    let whole = pickled::zip_64(&entries);
    let bytes = |file: Vec<u8>| {
        let answers = Answers { heads: Some(2), alphabet: Some("abcde".to_string()), ..Answers::default() };
        let mut files = vec![named("ckpt.pt", file)];
        let info = inspect(&mut files, &answers).unwrap();
        gguf_of(&info, &mut files, None).unwrap()
    };
    assert!(bytes(whole.clone()) == bytes(pickled::zip(&entries)));
    let patched = |at: usize, bytes: &[u8]| {
        let mut file = whole.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        error(file)
    };
    let find = |signature: &[u8]| whole.windows(4).position(|window| window == signature).unwrap();
    let (directory, record, locator) = (find(b"PK\x01\x02"), find(b"PK\x06\x06"), find(b"PK\x06\x07"));
    // Of the first entry's extra field: behind its name and another field; the sizes, then the place.
    let sizes = directory + 46 + "a/data.pkl".len() + 5 + 4;
    let cases: [(usize, &[u8], &str); 8] = [
        (record + 16, &[1], "`zip disk number` at byte"),
        (sizes, &HUGE, "expected an entry that is stored as it is, found method 0, "),
        (sizes, &[HUGE, HUGE].concat(), "takes 18446744073709551615 bytes"),
        (sizes + 16, &HUGE, "`zip entry a/data.pkl` at byte 18446744073709551615"),
        (record + 32, &HUGE, "for each of 18446744073709551615 entries"),
        (record + 40, &HUGE, "a place before its end record, found 18446744073709551615 bytes"),
        (record, b"XX", "`zip64 end record` at byte"),
        (locator + 8, &HUGE, "`zip64 end record offset` at byte"),
    ];
    for (at, bytes, says) in cases {
        let error = patched(at, bytes);
        assert!(error.contains(says), "{at}: expected `{says}`, found `{error}`");
    }
    // The field ends before the place that the entry says it has.
    assert!(patched(sizes - 2, &[16]).contains("`zip directory` at byte"));
}

#[test]
fn lengths_of_gigabytes_are_refused_in_every_format() {
    let length = 5_368_709_120u64.to_le_bytes();
    let refused = |bytes: Vec<u8>, says: &str| {
        let error = error(bytes);
        assert!(error.contains(says), "{error}");
    };
    refused([length.as_slice(), b"{\"a\":"].concat(), "`header` at byte 8 takes 5368709120 bytes");
    refused([b"GGUF\x03\0\0\0".as_slice(), &length, &length].concat(), "takes 69793218560 bytes");
    let mut legacy = files("lecture", &["legacy.pth"]).remove(0).reader.into_inner();
    // The token embedding's, or the head's.
    let at = legacy.windows(8).rposition(|window| window == (65 * 32u64).to_le_bytes()).unwrap();
    legacy[at..at + 8].copy_from_slice(&length);
    refused(legacy, "`length of a storage` at byte");
}
