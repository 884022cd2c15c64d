//! The system's clock in the protocol's form. Rules take an instant as an argument; this is where
//! those who hand it to them read it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::oauth::Timestamp;

pub fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

/// The protocol's form of an instant.
pub fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_millis() as u64)
}
