//! Runs the calls that rebuild tensors and containers.

use super::values::{PickledValue, Storage};
use super::{Machine, Name};
use crate::checkpoint::CheckpointError;

impl Machine<'_> {
    /// Runs a call, the creation of an object, the setting of its state, or the look-up of a storage.
    pub(super) fn rebuild(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        match opcode {
            b'Q' => {
                let described = self.pop()?;
                let storage = self.find_storage(described)?;
                self.push(storage)
            }
            b'b' => self.forget_state(),
            _ => {
                let start = self.last(2)?;
                let (function, arguments) = (self.stack[start], self.stack[start + 1]);
                self.stack.truncate(start);
                let result = self.call(function, arguments)?;
                self.push(result)
            }
        }
    }

    /// Drops the state of an object, such as `_metadata` of a state dict, which is not used.
    fn forget_state(&mut self) -> Result<(), CheckpointError> {
        self.pop()?;
        match self.top()? {
            PickledValue::Dict(_) | PickledValue::List(_) | PickledValue::PickledTensor(_) | PickledValue::Plain => {
                Ok(())
            }
            other => Err(self.cursor.wrong("an object that has a state", other)),
        }
    }

    fn call(&mut self, function: PickledValue, arguments: PickledValue) -> Result<PickledValue, CheckpointError> {
        let (PickledValue::Name(name), PickledValue::Tuple(_)) = (function, arguments) else {
            return Err(self.cursor.wrong("a function and its arguments", format!("{function} and {arguments}")));
        };
        match name {
            Name::Dict => self.dict(arguments),
            Name::List => self.values.contain(&[]).map(PickledValue::List),
            Name::PickledTensor => self.tensor(arguments),
            Name::Parameter => match self.values.items(arguments).first() {
                Some(&tensor @ PickledValue::PickledTensor(_)) => Ok(tensor),
                _ => Err(self.cursor.wrong("a parameter's tensor", "none")),
            },
            Name::Storage(_) => Err(self.cursor.wrong("a storage by its name", "a call")),
            Name::Plain => Ok(PickledValue::Plain),
        }
    }

    /// A dict, with the pairs of a list, if one is given.
    fn dict(&mut self, arguments: PickledValue) -> Result<PickledValue, CheckpointError> {
        let number = self.values.contain(&[])?;
        if let Some(&list @ PickledValue::List(_)) = self.values.items(arguments).first() {
            for index in 0..self.values.items(list).len() {
                let pair = self.values.items(list)[index];
                let &[key, value] = self.values.items(pair) else {
                    return Err(self.cursor.wrong("a dict's keys with values", pair));
                };
                self.values.extend(number, &[key, value])?;
            }
        }
        Ok(PickledValue::Dict(number))
    }

    /// A storage: `('storage', type, key, location, count)`, with a `None` behind it in old files.
    fn find_storage(&mut self, described: PickledValue) -> Result<PickledValue, CheckpointError> {
        let (key, element, count) = match *self.values.items(described) {
            [tag, PickledValue::Name(Name::Storage(element)), key @ PickledValue::Text(_), _, count]
            | [
                tag,
                PickledValue::Name(Name::Storage(element)),
                key @ PickledValue::Text(_),
                _,
                count,
                PickledValue::None,
            ] if self.values.text(tag) == Some("storage") => (key, element, count),
            _ => return Err(self.cursor.wrong("a storage with type, key, location and length", described)),
        };
        match self.values.int(count).and_then(|count| u64::try_from(count).ok()) {
            Some(count) => self.values.add_storage(Storage { key, element, count }),
            None => Err(self.cursor.wrong("a storage's length", self.values.shown(count))),
        }
    }

    fn tensor(&mut self, arguments: PickledValue) -> Result<PickledValue, CheckpointError> {
        let at = self.cursor.at();
        match self.values.describe(at, arguments) {
            Ok(_) => self.values.add_tensor(at, arguments),
            Err((expected, found)) => Err(self.cursor.wrong(expected, found)),
        }
    }
}
