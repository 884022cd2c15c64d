//! How the common types are written in a record: see `record.rs`.

use std::sync::Arc;

/// A value that can be written and read back.
pub trait Field: Sized {
    /// Appends the value.
    fn write(&self, out: &mut Vec<u8>);
    /// Reads a value from the beginning of the bytes, and moves them past it; `None` if there is
    /// none.
    fn read(from: &mut &[u8]) -> Option<Self>;
}

impl Field for () {
    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

impl<const N: usize> Field for [u8; N] {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend(self);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let (bytes, rest) = from.split_first_chunk()?;
        *from = rest;
        Some(*bytes)
    }
}

impl Field for u8 {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Field::read(from).map(|[byte]: [u8; 1]| byte)
    }
}

impl Field for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        self.to_le_bytes().write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Field::read(from).map(u32::from_le_bytes)
    }
}

impl Field for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        self.to_le_bytes().write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Field::read(from).map(u64::from_le_bytes)
    }
}

impl Field for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        match <[u8; 1]>::read(from)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl<T: Field> Field for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        match bool::read(from)? {
            true => Some(Some(T::read(from)?)),
            false => Some(None),
        }
    }
}

/// Appends a length and the text.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    (text.len() as u32).write(out);
    out.extend(text.as_bytes());
}

/// Reads what [`write_text`] wrote.
pub fn read_text<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let length = u32::read(from)? as usize;
    let (text, rest) = from.split_at_checked(length)?;
    *from = rest;
    std::str::from_utf8(text).ok()
}

impl Field for String {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self, out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        read_text(from).map(String::from)
    }
}

impl Field for Arc<str> {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self, out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        read_text(from).map(Arc::from)
    }
}
