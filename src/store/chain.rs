//! The chains that run through the rows of a shelf.

pub const NONE: u32 = u32::MAX;
/// The chain of a client's rows in the order of issue.
pub const AGE: usize = 0;
/// The chain of the rows that expire together.
pub const DUE: usize = 1;

/// A row's neighbours in one chain.
#[derive(Clone, Copy)]
pub struct Link {
    pub before: u32,
    pub after: u32,
}

/// A chain's ends.
#[derive(Clone, Copy)]
pub struct Chain {
    pub first: u32,
    pub last: u32,
}

/// The rows of one client.
#[derive(Clone, Copy)]
pub struct Line {
    pub chain: Chain,
    pub length: usize,
}

pub const EMPTY: Chain = Chain { first: NONE, last: NONE };
