use super::*;

fn error(bytes: &[u8]) -> String {
    read(bytes, 100).unwrap_err().to_string()
}

#[test]
fn plain_containers_come_back() {
    // pickle.dumps({'a': [1, -2, None], 'b': ('é', True, 0.5)}, 4)
    let bytes = b"\x80\x04\x95\x2b\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94]\x94(K\x01J\xfe\xff\xff\xffNe\x8c\x01b\x94\
        \x8c\x02\xc3\xa9\x94\x88G?\xe0\0\0\0\0\0\0\x87\x94u.rest";
    let (values, length) = read(bytes, 0).unwrap();
    assert_eq!(length, bytes.len() - 4);
    let list = values.get(values.root, "a").unwrap();
    assert_eq!(values.items(list), [PickledValue::Int(1), PickledValue::Int(-2), PickledValue::None]);
    let tuple = values.items(values.get(values.root, "b").unwrap());
    assert_eq!((values.text(tuple[0]), tuple[1], tuple[2]), (Some("é"), PickledValue::Bool(true), PickledValue::Float));
    assert_eq!(values.get(values.root, "c"), None);
}

#[test]
fn other_functions_are_named_and_refused() {
    let says = "`pickle` at byte 102: expected tensors, numbers, texts and containers alone, found `os.system`";
    assert_eq!(error(b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R."), says);
    assert!(error(b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.").ends_with("found `posix.system`"));
    assert!(error(b"\x80\x02c__builtin__\neval\n.").contains("`__builtin__.eval`"));
    assert!(error(b"\x80\x02ctorch\nload\n.").contains("`torch.load`"));
    assert!(error(b"\x80\x02K\x01)R.").contains("expected a function and its arguments, found a number and a tuple"));
}

#[test]
fn what_is_no_pickle_or_ends_is_refused() {
    assert!(error(b"").contains("takes 1 bytes, and the file has 0 left"));
    assert!(error(b"\x80\x02X\xff\xff\xff\xffab").contains("takes 4294967295 bytes, and the file has 2 left"));
    assert!(error(b"\x80\x05\x8d\xff\xff\xff\xff\xff\xff\xff\xffab").contains("takes 18446744073709551615 bytes"));
    assert!(error(b"\x80\x06").contains("expected protocol 2 to 5, found 6"));
    assert!(error(b"\x80\x02i").contains("found 0x69"));
    assert!(error(b"\x80\x02.").contains("a value before it"));
    assert!(error(b"\x80\x02K\x01(.").contains("a value before it"));
    assert!(error(b"\x80\x02t.").contains("a mark before it"));
    assert!(error(b"\x80\x02h\x05.").contains("expected a memo entry below 0, found 5"));
    assert!(error(b"\x80\x02Nr\xff\xff\xff\x7f.").contains("expected memo entry 0 at most"));
    assert!(error(b"\x80\x02}K\x01K\x02K\x03u.").contains("a mark before it"));
    assert!(error(b"\x80\x02}(K\x01u.").contains("expected keys with values, found 1 items"));
}

#[test]
fn a_list_within_itself_and_deep_nesting_do_no_harm() {
    let (values, _) = read(b"\x80\x02]q\0h\0a.", 0).unwrap();
    assert_eq!(values.items(values.root), [values.root]);
    let deep = |count| [b"\x80\x02N".to_vec(), vec![0x85; count], b".".to_vec()].concat();
    assert!(read(&deep(100), 0).is_ok());
    let error = error(&deep(300_000));
    assert!(error.contains("expected values that take") && error.ends_with("found more"), "{error}");
}

#[test]
fn whole_numbers_of_any_width_come_back() {
    let bytes =
        b"\x80\x02(K\xffM\xff\xffJ\xff\xff\xff\xff\x8a\x05\0\0\0\0\x01\x8a\x01\x80\x8a\x09\0\0\0\0\0\0\0\0\x01t.";
    let (values, _) = read(bytes, 0).unwrap();
    let numbers: Vec<Option<i64>> = values.items(values.root).iter().map(|&value| values.int(value)).collect();
    assert_eq!(numbers, [Some(255), Some(65535), Some(-1), Some(1 << 32), Some(-128), None]);
}

#[test]
fn texts_of_any_opcode_come_back() {
    let bytes = b"\x80\x05(U\x01aT\x01\0\0\0bX\x01\0\0\0c\x8c\x01d\x8d\x01\0\0\0\0\0\0\0eC\0t.";
    let (values, _) = read(bytes, 0).unwrap();
    let texts: Vec<Option<&str>> = values.items(values.root).iter().map(|&value| values.text(value)).collect();
    assert_eq!(texts, [Some("a"), Some("b"), Some("c"), Some("d"), Some("e"), Some("")]);
}

/// As `pickle.dump(dict(enumerate(characters)), file, 4)` writes it: nothing of torch's is denser.
#[test]
fn an_alphabet_of_thousands_fits() {
    let mut bytes = b"\x80\x04}\x94".to_vec();
    for batch in (0..12_000u16).collect::<Vec<_>>().chunks(1000) {
        bytes.push(b'(');
        for id in batch {
            let character = char::from_u32(0x4e00 + u32::from(*id)).unwrap().to_string();
            bytes.extend([b"M".as_slice(), &id.to_le_bytes(), b"\x8c\x03", character.as_bytes(), b"\x94"].concat());
        }
        bytes.push(b'u');
    }
    bytes.push(b'.');
    let (values, _) = read(&bytes, 0).unwrap();
    assert_eq!(values.pairs(values.root).count(), 12_000);
}
