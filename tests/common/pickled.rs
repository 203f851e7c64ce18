//! Torch checkpoints made by hand: what no version of torch would write.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

/// A tensor of a state dict, and its storage.
#[derive(Clone, Debug)]
pub struct Tensor {
    pub name: String,
    pub storage: &'static str,
    pub key: String,
    /// Elements that the pickle says the storage has.
    pub count: i64,
    pub offset: i64,
    pub size: Vec<i64>,
    pub stride: Vec<i64>,
    /// What the storage has.
    pub bytes: Vec<u8>,
}

impl Tensor {
    /// A tensor of small numbers, with a storage of its own.
    pub fn new(name: &str, size: &[i64]) -> Tensor {
        let count: i64 = size.iter().product();
        let stride = (0..size.len()).map(|axis| size[axis + 1..].iter().product()).collect();
        let bytes = (0..count).flat_map(|index| (0.01 * (index % 7) as f32).to_le_bytes()).collect();
        let (name, size) = (name.to_string(), size.to_vec());
        Tensor { key: name.clone(), name, storage: "FloatStorage", count, offset: 0, size, stride, bytes }
    }
}

/// nanoGPT's tensors: one block, width 4, 5 tokens, context 3.
pub fn nanogpt() -> Vec<Tensor> {
    let shapes: [(&str, &[i64]); 12] = [
        ("transformer.wte.weight", &[5, 4]),
        ("transformer.wpe.weight", &[3, 4]),
        ("transformer.h.0.ln_1.weight", &[4]),
        ("transformer.h.0.attn.c_attn.weight", &[12, 4]),
        ("transformer.h.0.attn.c_proj.weight", &[4, 4]),
        ("transformer.h.0.ln_2.weight", &[4]),
        ("transformer.h.0.mlp.c_fc.weight", &[16, 4]),
        ("transformer.h.0.mlp.c_proj.weight", &[4, 16]),
        ("transformer.ln_f.weight", &[4]),
        ("transformer.h.0.ln_1.bias", &[4]),
        ("transformer.h.0.ln_2.bias", &[4]),
        ("transformer.ln_f.bias", &[4]),
    ];
    shapes.iter().map(|(name, size)| Tensor::new(name, size)).collect()
}

fn text(text: &str) -> Vec<u8> {
    [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

fn int(number: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &number.to_le_bytes()].concat()
}

fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(".to_vec(), items.concat(), b"t".to_vec()].concat()
}

/// The pickle of a state dict.
pub fn state_dict(tensors: &[Tensor]) -> Vec<u8> {
    let pairs: Vec<u8> = tensors.iter().flat_map(|tensor| [text(&tensor.name), rebuilt(tensor)].concat()).collect();
    [b"\x80\x02}(".to_vec(), pairs, b"u.".to_vec()].concat()
}

/// That of one which has a tensor under the same name so many times.
pub fn repeated(tensor: &Tensor, times: usize) -> Vec<u8> {
    let first = [text(&tensor.name), b"q\0".to_vec(), rebuilt(tensor), b"q\x01".to_vec()].concat();
    [b"\x80\x02}(".to_vec(), first, b"h\0h\x01".repeat(times - 1), b"u.".to_vec()].concat()
}

/// The call that makes a tensor.
fn rebuilt(tensor: &Tensor) -> Vec<u8> {
    let Tensor { storage, key, count, offset, size, stride, .. } = tensor;
    let global = format!("ctorch\n{storage}\n").into_bytes();
    let described = tuple(&[text("storage"), global, text(key), text("cpu"), int(*count)]);
    let sizes = |sizes: &[i64]| tuple(&sizes.iter().map(|&size| int(size)).collect::<Vec<_>>());
    let storage = [described, b"Q".to_vec()].concat();
    let arguments = tuple(&[storage, int(*offset), sizes(size), sizes(stride), b"\x89}".to_vec()]);
    [b"ctorch._utils\n_rebuild_tensor_v2\n".to_vec(), arguments, b"R".to_vec()].concat()
}

/// The zip file of a state dict.
pub fn checkpoint(tensors: &[Tensor]) -> Vec<u8> {
    zip(&entries(tensors))
}

/// What is in it.
pub fn entries(tensors: &[Tensor]) -> Vec<(String, Vec<u8>)> {
    let mut entries = vec![("a/data.pkl".to_string(), state_dict(tensors))];
    entries.extend(tensors.iter().map(|tensor| (format!("a/data/{}", tensor.key), tensor.bytes.clone())));
    entries
}

/// A zip file of these entries, stored as they are.
pub fn zip(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let (at, length) = (file.len() as u32, (bytes.len() as u32).to_le_bytes());
        let sizes = [length, length].concat();
        let names = [(name.len() as u16).to_le_bytes(), [0; 2]].concat();
        file.extend([b"PK\x03\x04".as_slice(), &[0; 14], &sizes, &names, name.as_bytes(), bytes].concat());
        let entry = [b"PK\x01\x02".as_slice(), &[0; 16], &sizes, &names, &[0; 10], &at.to_le_bytes(), name.as_bytes()];
        directory.extend(entry.concat());
    }
    let (start, length) = (file.len() as u32, directory.len() as u32);
    let count = (entries.len() as u16).to_le_bytes();
    let end = [b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &length.to_le_bytes(), &start.to_le_bytes(), &[0; 2]];
    [file, directory, end.concat()].concat()
}

/// The same with every size and place in 64 bits, as if none fitted into 32: APPNOTE.TXT, 4.3.14 to 4.3.16 and 4.5.3.
pub fn zip_64(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let wide = |numbers: &[usize]| -> Vec<u8> {
        let bytes = numbers.iter().flat_map(|&number| (number as u64).to_le_bytes());
        [&[1, 0, 8 * numbers.len() as u8, 0], bytes.collect::<Vec<_>>().as_slice()].concat()
    };
    let (mut file, mut directory, elsewhere) = (Vec::new(), Vec::new(), [0xff; 4]);
    for (name, bytes) in entries {
        let (at, length, named) = (file.len(), bytes.len(), (name.len() as u16).to_le_bytes());
        let sizes = [elsewhere, elsewhere].concat();
        let extra = wide(&[length, length]);
        file.extend(
            [b"PK\x03\x04".as_slice(), &[0; 14], &sizes, &named, &[20, 0], name.as_bytes(), &extra, bytes].concat(),
        );
        // Another extra field stands before it.
        let extra = [b"UT\x01\0\0".as_slice(), &wide(&[length, length, at])].concat();
        let entry = [b"PK\x01\x02".as_slice(), &[0; 16], &sizes, &named, &[extra.len() as u8, 0], &[0; 10]];
        directory.extend([&entry.concat(), elsewhere.as_slice(), name.as_bytes(), &extra].concat());
    }
    let (start, count) = (file.len() as u64, (entries.len() as u64).to_le_bytes());
    let (at, length) = (start + directory.len() as u64, (directory.len() as u64).to_le_bytes());
    let record = [b"PK\x06\x06".as_slice(), &[44, 0, 0, 0, 0, 0, 0, 0], &[0; 12], &count, &count, &length];
    let locator = [b"PK\x06\x07\0\0\0\0".as_slice(), &at.to_le_bytes(), &[1, 0, 0, 0]];
    let end = [b"PK\x05\x06\0\0\0\0".as_slice(), &[0xff; 12], &[0; 2]];
    [file, directory, record.concat(), start.to_le_bytes().to_vec(), locator.concat(), end.concat()].concat()
}
