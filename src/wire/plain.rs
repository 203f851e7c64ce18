//! Numbers, texts, and what they are put together in.

use super::{Parts, Problems, Read, Value, Variant};

macro_rules! numbers {
    ($($number:ty),*) => { $(
        impl Read for $number {
            fn read<V: Value>(value: &V, problems: &mut Problems) -> Self {
                number(value, problems) as $number
            }
        }
    )* };
}

numbers!(u8, u32, usize, f32, f64);

fn number<V: Value>(value: &V, problems: &mut Problems) -> f64 {
    value.number().unwrap_or_else(|| {
        problems.note("a number");
        0.0
    })
}

/// A number, or 16 hex digits: JavaScript's numbers do not have 64 bits.
impl Read for u64 {
    fn read<V: Value>(value: &V, problems: &mut Problems) -> Self {
        let digits = value.text().filter(|digits| digits.len() == 16);
        let digits = digits.and_then(|digits| u64::from_str_radix(&digits, 16).ok());
        digits.unwrap_or_else(|| number(value, problems) as u64)
    }
}

impl Read for bool {
    fn read<V: Value>(value: &V, problems: &mut Problems) -> Self {
        value.flag().unwrap_or_else(|| {
            problems.note("true or false");
            false
        })
    }
}

impl Read for String {
    fn read<V: Value>(value: &V, problems: &mut Problems) -> Self {
        value.text().unwrap_or_else(|| {
            problems.note("a text");
            String::new()
        })
    }
}

impl<T: Read> Read for Option<T> {
    fn read<V: Value>(value: &V, problems: &mut Problems) -> Self {
        (!value.is_nothing()).then(|| T::read(value, problems))
    }
}

impl<T: Read> Read for Box<T> {
    fn read<V: Value>(value: &V, problems: &mut Problems) -> Self {
        Box::new(T::read(value, problems))
    }
}

/// None of them where there is nothing: serde leaves empty ones out where it is told to.
impl<T: Read> Read for Vec<T> {
    fn read<V: Value>(value: &V, problems: &mut Problems) -> Self {
        match value.items() {
            Some(items) => items.iter().map(|item| T::read(item, problems)).collect(),
            None => {
                if !value.is_nothing() {
                    problems.note("an array");
                }
                Vec::new()
            }
        }
    }
}

impl<A: Read, B: Read> Read for (A, B) {
    fn read<V: Value>(value: &V, problems: &mut Problems) -> Self {
        let mut parts = Parts { rest: value.items().unwrap_or_default().into_iter() };
        (parts.next(problems), parts.next(problems))
    }
}

impl<T: Read, E: Read> Read for Result<T, E> {
    fn read<V: Value>(value: &V, problems: &mut Problems) -> Self {
        let variant = Variant::of(value);
        match variant.is("Ok") {
            true => Ok(T::read(&variant.content, problems)),
            false => Err(E::read(&variant.content, problems)),
        }
    }
}
