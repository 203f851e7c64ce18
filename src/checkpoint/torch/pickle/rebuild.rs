//! Calls that rebuild tensors and containers.

use super::super::super::CheckpointError;
use super::super::super::tensor::Dims;
use super::values::{Storage, Tensor, Value};
use super::{Machine, Name};

impl Machine<'_> {
    /// A call, a new object, the state of one, or a storage by its description.
    pub(super) fn rebuild(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        match opcode {
            b'Q' => {
                let described = self.pop()?;
                let storage = self.find_storage(described)?;
                self.push(storage)
            }
            b'b' => self.forget_state(),
            _ => {
                let called = self.last(2)?;
                let result = self.call(called[0], called[1])?;
                self.push(result)
            }
        }
    }

    /// `_metadata` of a state dict and its like are of no use.
    fn forget_state(&mut self) -> Result<(), CheckpointError> {
        self.pop()?;
        match self.top()? {
            Value::Dict(_) | Value::List(_) | Value::Tensor(_) | Value::Plain => Ok(()),
            other => Err(self.cursor.wrong("an object that has a state", other)),
        }
    }

    fn call(&mut self, function: Value, arguments: Value) -> Result<Value, CheckpointError> {
        let (Value::Name(name), Value::Tuple(_)) = (function, arguments) else {
            return Err(self.cursor.wrong("a function and its arguments", format!("{function} and {arguments}")));
        };
        match name {
            Name::Dict => self.dict(arguments),
            Name::List => Ok(Value::List(self.values.contain(Vec::new()))),
            Name::Tensor => self.tensor(arguments),
            Name::Parameter => match self.values.items(arguments).first() {
                Some(&tensor @ Value::Tensor(_)) => Ok(tensor),
                _ => Err(self.cursor.wrong("a parameter's tensor", "none")),
            },
            Name::Storage(_) => Err(self.cursor.wrong("a storage by its name", "a call")),
            Name::Plain => Ok(Value::Plain),
        }
    }

    /// A dict, of the pairs in a list of them where there is one.
    fn dict(&mut self, arguments: Value) -> Result<Value, CheckpointError> {
        let mut items = Vec::new();
        if let Some(&list @ Value::List(_)) = self.values.items(arguments).first() {
            let pairs: Vec<Value> = self.values.items(list).to_vec();
            for pair in pairs {
                let &[key, value] = self.values.items(pair) else {
                    return Err(self.cursor.wrong("a dict's keys with values", pair));
                };
                self.count()?;
                items.extend([key, value]);
            }
        }
        Ok(Value::Dict(self.values.contain(items)))
    }

    /// `('storage', type, key, location, count)`, and `None` behind it in old files.
    fn find_storage(&mut self, described: Value) -> Result<Value, CheckpointError> {
        let (key, element, count) = match self.values.items(described) {
            &[tag, Value::Name(Name::Storage(element)), Value::Text(key), _, Value::Int(count)]
            | &[tag, Value::Name(Name::Storage(element)), Value::Text(key), _, Value::Int(count), Value::None]
                if self.values.text(tag) == Some("storage") =>
            {
                (key, element, count)
            }
            _ => return Err(self.cursor.wrong("a storage with type, key, location and length", described)),
        };
        match u64::try_from(count) {
            Ok(count) => Ok(self.values.add_storage(Storage { key, element, count })),
            Err(_) => Err(self.cursor.wrong("a storage's length", count)),
        }
    }

    /// `(storage, offset, size, stride, …)`.
    fn tensor(&mut self, arguments: Value) -> Result<Value, CheckpointError> {
        let &[storage, Value::Int(offset), size, stride, ..] = self.values.items(arguments) else {
            return Err(self.cursor.wrong("a tensor's storage, offset, size and stride", arguments));
        };
        let described = self.values.storage(storage).zip(u64::try_from(offset).ok());
        let Some((&storage, offset)) = described else {
            return Err(self.cursor.wrong("a tensor's storage and offset", format!("{storage} and {offset}")));
        };
        let (dims, strides) = (self.sizes(size)?, self.sizes(stride)?);
        if dims.as_slice().len() != strides.as_slice().len() {
            return Err(self.cursor.wrong("a stride for each size", format!("{:?}", strides.as_slice())));
        }
        Ok(self.values.add_tensor(Tensor { at: self.cursor.at(), storage, offset, dims, strides }))
    }

    fn sizes(&self, tuple: Value) -> Result<Dims, CheckpointError> {
        let mut dims = Dims::default();
        for &size in self.values.items(tuple) {
            let is_right = match size {
                Value::Int(size) => u64::try_from(size).is_ok_and(|size| dims.push(size)),
                _ => false,
            };
            if !is_right {
                return Err(self.cursor.wrong("at most 4 sizes", size));
            }
        }
        Ok(dims)
    }
}
