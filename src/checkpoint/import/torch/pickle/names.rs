//! The names that a pickle may call or refer to.

use candle_core::quantized::GgmlDType;

/// The type of a storage's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) enum ElementType {
    /// A type that weights may have.
    Known(GgmlDType),
    /// A type that weights may not have, by its index in [`OTHERS`]. Masks and counters have such types.
    Other(u8),
}

/// Types that are not for weights: the name of torch's storage, torch's name of the type, and its bytes.
const OTHERS: [(&str, &str, u64); 7] = [
    ("DoubleStorage", "float64", 8),
    ("LongStorage", "int64", 8),
    ("IntStorage", "int32", 4),
    ("ShortStorage", "int16", 2),
    ("CharStorage", "int8", 1),
    ("ByteStorage", "uint8", 1),
    ("BoolStorage", "bool", 1),
];

impl ElementType {
    /// Bytes of one element.
    pub fn size(self) -> u64 {
        match self {
            ElementType::Known(dtype) => dtype.type_size() as u64,
            ElementType::Other(place) => OTHERS[usize::from(place)].2,
        }
    }

    /// The dtype of weights, or torch's name of a type that is not for weights.
    pub fn dtype(self) -> Result<GgmlDType, &'static str> {
        match self {
            ElementType::Known(dtype) => Ok(dtype),
            ElementType::Other(place) => Err(OTHERS[usize::from(place)].1),
        }
    }
}

/// A name that may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) enum Name {
    /// A dict, under any of its names.
    Dict,
    /// A list or set.
    List,
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`.
    PickledTensor,
    /// `torch._utils._rebuild_parameter`.
    Parameter,
    /// `torch.FloatStorage` and the like.
    Storage(ElementType),
    /// A function or type whose result is not used: `torch.device`, `torch.Size`, bytes in protocol 2.
    Plain,
}

impl Name {
    /// The meaning of a name.
    pub fn find(module: &str, name: &str) -> Option<Name> {
        Some(match (module, name) {
            ("collections", "OrderedDict" | "defaultdict") | ("builtins" | "__builtin__", "dict") => Name::Dict,
            ("builtins" | "__builtin__", "list" | "set" | "frozenset") => Name::List,
            ("builtins" | "__builtin__", "int" | "float" | "bool" | "str" | "bytearray") => Name::Plain,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Name::PickledTensor,
            ("torch._utils", "_rebuild_parameter") => Name::Parameter,
            ("_codecs", "encode") | ("torch", "device" | "Size") => Name::Plain,
            ("torch", _) => return storage(name).map(Name::Storage).or_else(|| dtype(name).then_some(Name::Plain)),
            _ => return None,
        })
    }
}

fn storage(name: &str) -> Option<ElementType> {
    Some(match name {
        "FloatStorage" => ElementType::Known(GgmlDType::F32),
        "HalfStorage" => ElementType::Known(GgmlDType::F16),
        "BFloat16Storage" => ElementType::Known(GgmlDType::BF16),
        _ => ElementType::Other(OTHERS.iter().position(|(storage, ..)| *storage == name)? as u8),
    })
}

/// Whether this names a type of elements, as configurations do.
fn dtype(name: &str) -> bool {
    matches!(
        name,
        "float32" | "float16" | "bfloat16" | "float64" | "int64" | "int32" | "int16" | "int8" | "uint8" | "bool"
    )
}
