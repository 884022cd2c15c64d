//! A connection as the server sees it.

use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;

use super::phase::Wait;

/// The connection is busy with a request, or with answers that are read slowly.
const BUSY: u64 = 4;
/// Set by the server: the connection has had to make room for another.
const ENDED: u64 = 5;
/// The bits of the state. The bits above are since when, in microseconds, so that the lowest of
/// many has waited longest.
const STATE: u64 = 7;

pub struct Slot {
    pub stream: TcpStream,
    /// The thread that serves it.
    pub thread: Mutex<Option<JoinHandle<()>>>,
    /// A [`Wait`], [`BUSY`] or [`ENDED`], and since when.
    state: AtomicU64,
    /// Whether [`Slot::stop_reading`] has closed the reading side.
    deaf: AtomicBool,
}

impl Slot {
    /// A connection that has waited for its first byte since `since`.
    pub fn new(stream: TcpStream, since: u64) -> Slot {
        let state = AtomicU64::new(stamp(Wait::First as u64, since));
        Slot { stream, thread: Mutex::new(None), state, deaf: AtomicBool::new(false) }
    }

    pub fn waits(&self, what: Wait, since: u64) {
        self.state.store(stamp(what as u64, since), SeqCst);
    }

    /// Marks it as busy. False if it has been ended in the meantime.
    pub fn busy(&self, since: u64) -> bool {
        self.state.swap(stamp(BUSY, since), SeqCst) & STATE != ENDED
    }

    pub fn is_waiting_for(&self, what: Wait) -> bool {
        self.state.load(SeqCst) & STATE == what as u64
    }

    /// Its state, if it can make room: between requests or within a head. The lowest of many has
    /// waited longest.
    pub fn yielding_state(&self) -> Option<u64> {
        let can_yield = |state: &u64| {
            [Wait::First, Wait::Request, Wait::Head]
                .iter()
                .any(|&wait| state & STATE == wait as u64)
        };
        Some(self.state.load(SeqCst)).filter(can_yield)
    }

    /// Ends the connection, unless its state has changed: it may have received a request. Answers
    /// that are being sent still leave.
    pub fn end(&self, state: u64) -> bool {
        let ended = self.state.compare_exchange(state, state & !STATE | ENDED, SeqCst, SeqCst);
        if ended.is_ok() {
            let _ = self.stream.shutdown(Shutdown::Read);
        }
        ended.is_ok()
    }

    /// Wakes the connection. What has arrived can still be read, and on Linux what arrives later,
    /// too; otherwise a read is at the end.
    pub fn stop_reading(&self) {
        self.deaf.store(true, SeqCst);
        let _ = self.stream.shutdown(Shutdown::Read);
    }

    pub fn is_deaf(&self) -> bool {
        self.deaf.load(SeqCst)
    }
}

fn stamp(state: u64, since: u64) -> u64 {
    since << 3 | state
}
