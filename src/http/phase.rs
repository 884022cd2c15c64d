//! What a connection waits for, and what it and the server tell each other.

use std::time::Instant;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wait {
    /// The first byte of its first request.
    First,
    /// The first byte of another request.
    Request,
    /// The rest of a head.
    Head,
    /// The rest of a body.
    Body,
}

impl Wait {
    pub fn is_between_requests(self) -> bool {
        matches!(self, Wait::First | Wait::Request)
    }
}

/// What a connection tells the server about itself, and learns from it. At first it waits for its
/// first byte.
pub trait Phase {
    /// The connection waits for this, and its time began at `since`.
    fn waits(&self, what: Wait, since: Instant);
    /// The connection has something to do. False if the server has ended it in the meantime.
    fn busy(&self, since: Instant) -> bool;
    /// Lets other connections run before this one waits for another request.
    fn steps_aside(&self);
    /// The connection has waited for a while, and may wait for long.
    fn sleeps(&self);
    /// Whether the server is stopping, so that the next answer is to be the last.
    fn draining(&self) -> bool;
    /// Whether the server has closed the reading side, so that every read seems to be at the end.
    fn deaf(&self) -> bool;
}
