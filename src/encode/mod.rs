//! Pure functions from bytes to bytes: the encodings that HTTP and OAuth are written in.
//! They know neither; both may use them.

pub mod date;
pub mod decimal;
pub mod form;
pub mod hex;
pub mod html;
pub mod json;
pub mod json_reader;
