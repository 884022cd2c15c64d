//! Contract section 6, `store`: a real engine, shared by replicas, in good health and in bad.
//!
//! Each of these tests starts an engine of its own, and is left out where none is installed. That
//! all else that the contract says holds with an engine, too, is seen by running the other tests
//! anew over one that they share: see `everywhere.rs`.

mod asks;
mod away;
mod cuts;
pub mod everywhere;
mod nonsense;
mod proxy;
mod redis;
mod replicas;
mod resp;
mod start;
mod unwell;
mod values;
