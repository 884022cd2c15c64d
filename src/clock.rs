//! Reads the system's clock. The rules themselves take the time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::oauth::Timestamp;

pub fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

/// A time of the system's clock, in the form that the rules use.
pub fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_millis() as u64)
}
