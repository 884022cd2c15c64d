//! The encodings that HTTP and OAuth use, as pure functions from bytes to bytes. They know neither.

pub mod date;
pub mod decimal;
pub mod form;
pub mod hex;
pub mod html;
pub mod json;
pub mod json_reader;
