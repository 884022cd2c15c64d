//! Where a connection stands: what it and its server tell each other.

use std::time::Instant;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wait {
    /// The first byte of all.
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

/// What a connection tells the server about itself, and hears from it. It begins as one that waits
/// for its first byte.
pub trait Phase {
    /// Waits for this; its time began at `since`.
    fn waits(&self, what: Wait, since: Instant);
    /// Has something to do. False where the server has ended this connection meanwhile.
    fn busy(&self, since: Instant) -> bool;
    /// Lets the other connections run before it waits for another request.
    fn steps_aside(&self);
    /// Whether the next answer is to be the last.
    fn draining(&self) -> bool;
    /// Whether the server has ended the reading side, so that every read seems to be at the end.
    fn deaf(&self) -> bool;
}
