//! Contract section 6, `store`: a real engine, shared by replicas, in good health and in bad.
//!
//! Each of these tests starts its own engine, and is left out if none is installed. To see that the
//! rest of the contract is true with an engine, too, the other tests run again with one that they
//! share: see `everywhere.rs`.

mod asks;
mod away;
mod cuts;
pub mod everywhere;
mod late;
mod nonsense;
mod proxy;
mod redis;
mod replicas;
mod resp;
mod start;
mod unwell;
mod values;
