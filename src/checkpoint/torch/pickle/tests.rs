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
    assert_eq!(values.items(list), [Value::Int(1), Value::Int(-2), Value::None]);
    let tuple = values.items(values.get(values.root, "b").unwrap());
    assert_eq!((values.text(tuple[0]), tuple[1], tuple[2]), (Some("é"), Value::Bool(true), Value::Float(0.5)));
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
    let deep: Vec<u8> = [b"\x80\x02N".to_vec(), vec![0x85; 200_000], b".".to_vec()].concat();
    assert!(read(&deep, 0).is_ok());
    let deeper: Vec<u8> = [b"\x80\x02N".to_vec(), vec![0x85; 300_000], b".".to_vec()].concat();
    assert!(error(&deeper).contains("expected at most 262144 values, found more"));
}
