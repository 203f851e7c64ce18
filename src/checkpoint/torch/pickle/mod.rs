//! A pickle, protocols 2 to 5 → values. It is interpreted, never trusted: a name outside of [`names`] ends it.
//!
//! The opcodes are those of CPython's `pickletools`. Values refer to containers by number, so that what contains itself
//! does no harm and nothing here recurses; each opcode makes at most one value, and there are at most [`MOST_VALUES`].

mod cursor;
mod names;
mod rebuild;
mod values;

use super::super::CheckpointError;
use cursor::Cursor;
pub(in super::super) use names::Element;
use names::Name;
pub(in super::super) use values::{Storage, Tensor, Value, Values};

/// The longest pickle that is believed; that of GPT-2 XL with its optimiser's state has 300 KB.
pub(in super::super) const MOST_BYTES: u64 = 16 << 20;
/// Values and memo entries there may be, which take some 32 MiB at most: 61,000 in GPT-2 XL's with its optimiser's state.
const MOST_VALUES: usize = 1 << 18;

/// Reads the pickle that `bytes` begin with; `base` is where they begin in the file. The values, and the pickle's length.
pub(in super::super) fn read(bytes: &[u8], base: u64) -> Result<(Values<'_>, usize), CheckpointError> {
    let mut machine = Machine {
        cursor: Cursor::new(bytes, base),
        values: Values::new(bytes),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
        count: 0,
    };
    while machine.step()? {}
    Ok((machine.values, machine.cursor.position()))
}

/// The state of the interpreter.
struct Machine<'a> {
    cursor: Cursor<'a>,
    values: Values<'a>,
    stack: Vec<Value>,
    /// Heights of the stack where a container began.
    marks: Vec<usize>,
    memo: Vec<Value>,
    /// Values and memo entries made so far.
    count: usize,
}

impl Machine<'_> {
    /// Takes one opcode; `false` after the last.
    fn step(&mut self) -> Result<bool, CheckpointError> {
        let opcode = self.cursor.opcode()?;
        match opcode {
            b'.' => {
                self.values.root = self.pop()?;
                return Ok(false);
            }
            0x80 => self.protocol()?,
            0x95 => drop(self.cursor.number::<8>()?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
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

    /// Puts the value on top into the memo, or a value of the memo on top.
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
        // Picklers number them one by one.
        if place > entries {
            return Err(self.cursor.wrong(format!("memo entry {entries} at most"), place));
        }
        if place == entries {
            self.count()?;
            self.memo.push(value);
        }
        self.memo[place] = value;
        Ok(())
    }

    fn scalar(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        let value = match opcode {
            b'N' => Value::None,
            0x88 | 0x89 => Value::Bool(opcode == 0x88),
            b'I' => return Err(self.cursor.wrong("protocol 2 to 5", "a number of protocol 0")),
            b'J' => Value::Int(i64::from(self.cursor.number::<4>()? as u32 as i32)),
            b'K' => Value::Int(self.cursor.number::<1>()? as i64),
            b'M' => Value::Int(self.cursor.number::<2>()? as i64),
            b'G' => Value::Float(f64::from_bits(self.cursor.number::<8>()?.swap_bytes())),
            0x8a => self.cursor.number::<1>().and_then(|length| self.cursor.long(length))?,
            _ => self.cursor.number::<4>().and_then(|length| self.cursor.long(length))?,
        };
        self.push(value)
    }

    fn text(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        let length = match opcode {
            b'U' | b'C' | 0x8c => self.cursor.number::<1>()?,
            0x8d | 0x8e | 0x96 => self.cursor.number::<8>()?,
            _ => self.cursor.number::<4>()?,
        };
        let span = self.cursor.skip(length)?;
        self.push(Value::Text(span))
    }

    fn tuple(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        let items = match opcode {
            b')' => Vec::new(),
            b't' => self.since_mark()?,
            _ => self.last(usize::from(opcode) - 0x84)?,
        };
        let tuple = Value::Tuple(self.values.contain(items));
        self.push(tuple)
    }

    fn container(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        let items = match opcode {
            b'l' | b'd' | 0x91 => self.since_mark()?,
            _ => Vec::new(),
        };
        self.check_pairs(matches!(opcode, b'd'), &items)?;
        let number = self.values.contain(items);
        self.push(if matches!(opcode, b'}' | b'd') { Value::Dict(number) } else { Value::List(number) })
    }

    /// Adds items to a list or a set, or pairs to a dict.
    fn add(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        let items = match opcode {
            b'a' => self.last(1)?,
            b's' => self.last(2)?,
            _ => self.since_mark()?,
        };
        let pairs = matches!(opcode, b's' | b'u');
        self.check_pairs(pairs, &items)?;
        match self.top()? {
            Value::Dict(number) if pairs => self.values.extend(number, items),
            Value::List(number) if !pairs => self.values.extend(number, items),
            other => return Err(self.cursor.wrong(if pairs { "a dict to add to" } else { "a list to add to" }, other)),
        }
        Ok(())
    }

    fn check_pairs(&self, pairs: bool, items: &[Value]) -> Result<(), CheckpointError> {
        let is_right = !pairs || items.len().is_multiple_of(2);
        if is_right { Ok(()) } else { Err(self.cursor.wrong("keys with values", format!("{} items", items.len()))) }
    }

    fn name(&mut self, opcode: u8) -> Result<(), CheckpointError> {
        let (module, name) = if opcode == b'c' {
            (self.cursor.line()?, self.cursor.line()?)
        } else {
            let items = self.last(2)?;
            (self.values.bytes_of(items[0]), self.values.bytes_of(items[1]))
        };
        let (module, name) = (shown(module), shown(name));
        match Name::find(&module, &name) {
            Some(name) => self.push(Value::Name(name)),
            None => {
                Err(self.cursor.wrong("tensors, numbers, texts and containers alone", format!("`{module}.{name}`")))
            }
        }
    }

    fn push(&mut self, value: Value) -> Result<(), CheckpointError> {
        self.count()?;
        self.stack.push(value);
        Ok(())
    }

    fn count(&mut self) -> Result<(), CheckpointError> {
        self.count += 1;
        let fits = self.count <= MOST_VALUES;
        if fits { Ok(()) } else { Err(self.cursor.wrong(format!("at most {MOST_VALUES} values"), "more")) }
    }

    /// Whether the values above the last mark, or all, are at least `count`; what is below belongs to a container.
    fn last(&mut self, count: usize) -> Result<Vec<Value>, CheckpointError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count).filter(|&start| start >= floor) {
            Some(start) => Ok(self.stack.split_off(start)),
            None => Err(self.cursor.wrong(format!("{count} values before it"), self.stack.len().saturating_sub(floor))),
        }
    }

    fn pop(&mut self) -> Result<Value, CheckpointError> {
        let value = self.top()?;
        self.stack.pop();
        Ok(value)
    }

    fn top(&self) -> Result<Value, CheckpointError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let top = self.stack.get(floor..).and_then(|above| above.last());
        top.copied().ok_or_else(|| self.cursor.wrong("a value before it", "none"))
    }

    fn since_mark(&mut self) -> Result<Vec<Value>, CheckpointError> {
        match self.marks.pop() {
            Some(start) => Ok(self.stack.split_off(start)),
            None => Err(self.cursor.wrong("a mark before it", "none")),
        }
    }
}

fn hex(opcode: u8) -> String {
    format!("0x{opcode:02x}")
}

/// As much of a name as messages show.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).escape_debug().to_string()
}

#[cfg(test)]
mod tests;
