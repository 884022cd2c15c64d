//! What operators see: one line a request, and counters. Fed by the endpoints alone.

pub mod log;
pub mod metrics;
mod process;
