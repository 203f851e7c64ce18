//! Reads a pickle, of protocols 2 to 5, into values. It runs no code: a name that is not among [`names`] is an error.
//!
//! The opcodes are those of CPython's `pickletools`. Values refer to containers by number, so a container may contain
//! itself, and nothing recurses. The values' memory is limited to a few times the bytes that have been read
//! ([`memory`]).

mod cursor;
mod memory;
mod names;
mod rebuild;
mod values;

use crate::checkpoint::CheckpointError;
use cursor::Cursor;
use names::Name;
pub(in crate::checkpoint) use values::{PickledTensor, PickledValue, PickledValues, Storage};

/// The longest pickle that is accepted; that of GPT-2 XL with its optimizer state has 300 KB.
pub(in crate::checkpoint) const MOST_BYTES: u64 = 16 << 20;

/// Reads the pickle at the beginning of `bytes`, which begin at `base` in the file. Returns the values and the pickle's
/// length.
pub(in crate::checkpoint) fn read(bytes: &[u8], base: u64) -> Result<(PickledValues<'_>, usize), CheckpointError> {
    let mut machine = Machine {
        cursor: Cursor::new(bytes, base),
        values: PickledValues::new(bytes),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
    };
    while machine.step()? {}
    Ok((machine.values, machine.cursor.position()))
}

/// The state of the interpreter.
struct Machine<'a> {
    cursor: Cursor<'a>,
    values: PickledValues<'a>,
    stack: Vec<PickledValue>,
    /// The heights of the stack at which open containers begin.
    marks: Vec<usize>,
    memo: Vec<PickledValue>,
}

impl Machine<'_> {
    /// Runs one opcode; `false` after the last.
    fn step(&mut self) -> Result<bool, CheckpointError> {
        let opcode = self.cursor.opcode()?;
        self.values.memory.advance(self.cursor.position(), self.cursor.at());
        match opcode {
            b'.' => {
                self.values.root = self.pop()?;
                return Ok(false);
            }
            0x80 => self.protocol()?,
            0x95 => drop(self.cursor.number::<8>()?),
            b'(' => self.mark()?,
            b'0' => drop(self.pop()?),
            b'1' => self.since_mark().map(|start| self.stack.truncate(start))?,
            b'2' => self.top().and_then(|value| self.push(value))?,
            b'q' | b'r' | b'h' | b'j' | 0x94 => self.remember_or_recall(opcode)?,
            b'N' | b'I' | b'J' | b'K' | b'M' | b'G' | 0x88..=0x8b => self.scalar(opcode)?,
            b'X' | b'U' | b'T' | b'B' | b'C' | 0x8c..=0x8e | 0x96 => self.text(opcode)?,
            b')' | b't' | 0x85..=0x87 => self.tuple(opcode)?,
            b']' | b'}' | b'l' | b'd' | 0x8f | 0x91 => self.container(opcode)?,
            b'a' | b'e' | b's' | b'u' | 0x90 => self.add(opcode)?,
            b'c' | 0x93 => self.name(opcode)?,
            b'R' | 0x81 | b'b' | b'Q' => self.rebuild(opcode)?,
            other => return Err(self.cursor.wrong("an opcode of protocols 2 to 5 for plain data", hex(other))),
        }
        Ok(true)
    }

    fn protocol(&mut self) -> Result<(), CheckpointError> {
        match self.cursor.number::<1>()? {
            2..=5 => Ok(()),
            other => Err(self.cursor.wrong("protocol 2 to 5", other)),
        }
    }

    /// Copies the value on top of the stack to the memo, or a value of the memo onto the stack.
    fn remember_or_recall(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        let place = match opcode {
            b'q' | b'h' => self.cursor.number::<1>()?,
            b'r' | b'j' => self.cursor.number::<4>()?,
            _ => self.memo.len() as u64,
        } as usize;
        if matches!(opcode, b'h' | b'j') {
            let found = self.memo.get(place).copied();
            return match found {
                Some(value) => self.push(value),
                None => Err(self.cursor.wrong(format!("a memo entry below {}", self.memo.len()), place)),
            };
        }
        let (value, entries) = (self.top()?, self.memo.len());
        // Picklers number memo entries one by one.
        if place > entries {
            return Err(self.cursor.wrong(format!("memo entry {entries} at most"), place));
        }
        if place == entries {
            self.values.memory.reserve(&mut self.memo, 1)?;
            self.memo.push(value);
        }
        self.memo[place] = value;
        Ok(())
    }

    fn scalar(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        let number = match opcode {
            b'N' => return self.push(PickledValue::None),
            0x88 | 0x89 => return self.push(PickledValue::Bool(opcode == 0x88)),
            b'G' => return self.cursor.number::<8>().and_then(|_| self.push(PickledValue::Float)),
            b'I' => return Err(self.cursor.wrong("protocol 2 to 5", "a number of protocol 0")),
            b'J' => Some(i64::from(self.cursor.number::<4>()? as u32 as i32)),
            b'K' => Some(self.cursor.number::<1>()? as i64),
            b'M' => Some(self.cursor.number::<2>()? as i64),
            0x8a => self.cursor.number::<1>().and_then(|length| self.cursor.long(length))?,
            _ => self.cursor.number::<4>().and_then(|length| self.cursor.long(length))?,
        };
        let value = number.map_or(Ok(PickledValue::Plain), |number| self.values.add_int(number))?;
        self.push(value)
    }

    fn text(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        let length = match opcode {
            b'U' | b'C' | 0x8c => self.cursor.number::<1>()?,
            0x8d | 0x8e | 0x96 => self.cursor.number::<8>()?,
            _ => self.cursor.number::<4>()?,
        };
        self.cursor.skip(length)?;
        self.push(PickledValue::Text(self.cursor.place()))
    }

    fn tuple(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        let start = match opcode {
            b')' => self.stack.len(),
            b't' => self.since_mark()?,
            _ => self.last(usize::from(opcode) - 0x84)?,
        };
        let tuple = self.values.add_tuple(&self.stack[start..])?;
        self.stack.truncate(start);
        self.push(tuple)
    }

    fn container(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        let start = match opcode {
            b'l' | b'd' | 0x91 => self.since_mark()?,
            _ => self.stack.len(),
        };
        self.check_pairs(opcode == b'd', start)?;
        let number = self.values.contain(&self.stack[start..])?;
        self.stack.truncate(start);
        self.push(if matches!(opcode, b'}' | b'd') { PickledValue::Dict(number) } else { PickledValue::List(number) })
    }

    /// Adds items to a list or a set, or pairs to a dict.
    fn add(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        let start = match opcode {
            b'a' => self.last(1)?,
            b's' => self.last(2)?,
            _ => self.since_mark()?,
        };
        let pairs = matches!(opcode, b's' | b'u');
        self.check_pairs(pairs, start)?;
        match self.below(start)? {
            PickledValue::Dict(number) if pairs => self.values.extend(number, &self.stack[start..])?,
            PickledValue::List(number) if !pairs => self.values.extend(number, &self.stack[start..])?,
            other => return Err(self.cursor.wrong(if pairs { "a dict to add to" } else { "a list to add to" }, other)),
        }
        self.stack.truncate(start);
        Ok(())
    }

    fn check_pairs(&self, pairs: bool, start: usize) -> Result<(), CheckpointError> {
        let count = self.stack.len() - start;
        let is_right = !pairs || count.is_multiple_of(2);
        if is_right { Ok(()) } else { Err(self.cursor.wrong("keys with values", format!("{count} items"))) }
    }

    fn name(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        let (module, name) = if opcode == b'c' {
            (self.cursor.line()?, self.cursor.line()?)
        } else {
            let start = self.last(2)?;
            let named = (self.values.bytes_of(self.stack[start]), self.values.bytes_of(self.stack[start + 1]));
            self.stack.truncate(start);
            named
        };
        let (module, name) = (shown(module), shown(name));
        match Name::find(&module, &name) {
            Some(name) => self.push(PickledValue::Name(name)),
            None => {
                Err(self.cursor.wrong("tensors, numbers, texts and containers alone", format!("`{module}.{name}`")))
            }
        }
    }

    fn push(&mut self, value: PickledValue) -> Result<(), CheckpointError> {
        self.values.memory.reserve(&mut self.stack, 1)?;
        self.stack.push(value);
        Ok(())
    }

    fn mark(&mut self) -> Result<(), CheckpointError> {
        self.values.memory.reserve(&mut self.marks, 1)?;
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// The height at which the last `count` values begin. Values below the last mark belong to a container, and do not
    /// count.
    fn last(&self, count: usize) -> Result<usize, CheckpointError> {
        let floor = self.floor();
        match self.stack.len().checked_sub(count).filter(|&start| start >= floor) {
            Some(start) => Ok(start),
            None => Err(self.cursor.wrong(format!("{count} values before it"), self.stack.len().saturating_sub(floor))),
        }
    }

    fn pop(&mut self) -> Result<PickledValue, CheckpointError> {
        let value = self.top()?;
        self.stack.pop();
        Ok(value)
    }

    fn top(&self) -> Result<PickledValue, CheckpointError> {
        self.below(self.stack.len())
    }

    /// The value below that height.
    fn below(&self, end: usize) -> Result<PickledValue, CheckpointError> {
        let value = self.stack.get(self.floor()..end).and_then(|above| above.last());
        value.copied().ok_or_else(|| self.cursor.wrong("a value before it", "none"))
    }

    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    /// The height at which the values above the last mark begin. Removes the mark.
    fn since_mark(&mut self) -> Result<usize, CheckpointError> {
        self.marks.pop().ok_or_else(|| self.cursor.wrong("a mark before it", "none"))
    }
}

fn hex(opcode: u8) -> String {
    format!("0x{opcode:02x}")
}

/// The part of a name that messages show.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).escape_debug().to_string()
}

#[cfg(test)]
mod tests;
