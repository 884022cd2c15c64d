//! What operators see: a line for each request, and metrics. Only the endpoints feed them.

pub mod log;
pub mod metrics;
mod process;
