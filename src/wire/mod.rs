//! Plain values, JavaScript's or JSON's, read into types.
//!
//! Serde's derive writes a visitor for each type, which would make an eighth of the page's program out of the events that it
//! reads. Here a type is a list of fields, and what is wrong is noted while reading goes on, so that no field needs a way
//! out of its own.

mod derive;
#[cfg(target_arch = "wasm32")]
mod js;
mod plain;

pub(crate) use derive::Read;

/// A value of the other side.
pub trait Value: Sized {
    /// No value.
    fn nothing() -> Self;
    /// Whether this is none: JavaScript's `null` and `undefined`.
    fn is_nothing(&self) -> bool;
    /// The number that this is.
    fn number(&self) -> Option<f64>;
    /// The text that this is.
    fn text(&self) -> Option<String>;
    /// The boolean that this is.
    fn flag(&self) -> Option<bool>;
    /// The items of the array that this is.
    fn items(&self) -> Option<Vec<Self>>;
    /// The field of this name; nothing where there is none.
    fn field(&self, name: &str) -> Self;
    /// The only field of the object that this is.
    fn only_field(&self) -> Option<(String, Self)>;
}

/// What can be read from a value.
pub trait Read: Sized {
    /// Reads it. What is wrong goes to `problems`, and something stands in for it.
    fn read<V: Value>(value: &V, problems: &mut Problems) -> Self;
}

/// What is written for others, and not read.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[serde(transparent)]
pub struct Unread<T>(pub T);

impl<T: Default> Read for Unread<T> {
    fn read<V: Value>(_: &V, _: &mut Problems) -> Self {
        Unread::default()
    }
}

/// What was wrong with a value.
#[derive(Debug, Default)]
pub struct Problems {
    /// The field that is being read.
    field: &'static str,
    first: Option<String>,
}

impl Problems {
    /// Notes what was expected and not found.
    pub fn note(&mut self, expected: &str) {
        let field = self.field;
        self.first.get_or_insert_with(|| match field {
            "" => format!("expected {expected}"),
            field => format!("`{field}`: expected {expected}"),
        });
    }

    /// Reads a field.
    pub fn field<V: Value, T: Read>(&mut self, value: &V, name: &'static str) -> T {
        self.field = name;
        T::read(&value.field(name), self)
    }

    /// The same, with another value where there is none.
    pub fn field_or<V: Value, T: Read>(&mut self, value: &V, name: &'static str, default: T) -> T {
        self.field::<V, Option<T>>(value, name).unwrap_or(default)
    }
}

/// The variant that a value names, and what stands behind the name.
pub struct Variant<V> {
    name: String,
    /// Its fields.
    pub content: V,
}

impl<V: Value> Variant<V> {
    /// Of a text, or of an object with one field.
    pub fn of(value: &V) -> Self {
        match value.text() {
            Some(name) => Variant { name, content: V::nothing() },
            None => {
                let (name, content) = value.only_field().unwrap_or_else(|| (String::new(), V::nothing()));
                Variant { name, content }
            }
        }
    }

    /// Whether its name is this one, `LookedAt` or `looked_at`.
    pub fn is(&self, name: &str) -> bool {
        letters(&self.name).eq(letters(name))
    }
}

fn letters(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase())
}

/// The parts behind a variant's name, or in a tuple. One alone is not in an array.
pub struct Parts<V> {
    rest: std::vec::IntoIter<V>,
}

impl<V: Value> Parts<V> {
    /// All of them.
    pub fn of(value: V, count: usize) -> Self {
        let parts = if count == 1 { vec![value] } else { value.items().unwrap_or_default() };
        Parts { rest: parts.into_iter() }
    }

    /// Reads the next.
    pub fn next<T: Read>(&mut self, problems: &mut Problems) -> T {
        T::read(&self.rest.next().unwrap_or_else(V::nothing), problems)
    }
}

/// Reads a value; an error says what is wrong with it.
pub fn read<T: Read, V: Value>(value: &V) -> Result<T, String> {
    let mut problems = Problems::default();
    let read = T::read(value, &mut problems);
    problems.first.map_or(Ok(read), Err)
}
