//! A connection as the server sees it from outside.

use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;

use super::phase::Wait;

/// Something to do: a request in hand, or answers that are read slowly.
const BUSY: u64 = 4;
/// Set by the server alone: the connection has made room for another.
const ENDED: u64 = 5;
/// The bits of the state; above them stands since when it lasts, in the server's microseconds. So
/// the lowest of many has lasted longest.
const STATE: u64 = 7;

pub struct Slot {
    pub stream: TcpStream,
    /// The thread that serves it.
    pub thread: Mutex<Option<JoinHandle<()>>>,
    /// A [`Wait`], [`BUSY`] or [`ENDED`], and since when.
    state: AtomicU64,
    /// Whether the reading side was ended by [`Slot::stop_reading`].
    deaf: AtomicBool,
}

impl Slot {
    /// A connection that waits for its first byte since `since`.
    pub fn new(stream: TcpStream, since: u64) -> Slot {
        let state = AtomicU64::new(stamp(Wait::First as u64, since));
        Slot { stream, thread: Mutex::new(None), state, deaf: AtomicBool::new(false) }
    }

    pub fn waits(&self, what: Wait, since: u64) {
        self.state.store(stamp(what as u64, since), SeqCst);
    }

    /// False where it has been ended meanwhile.
    pub fn busy(&self, since: u64) -> bool {
        self.state.swap(stamp(BUSY, since), SeqCst) & STATE != ENDED
    }

    pub fn is_waiting_for(&self, what: Wait) -> bool {
        self.state.load(SeqCst) & STATE == what as u64
    }

    /// Its state where it can make room: between requests or within a head. The lowest of many
    /// has waited longest.
    pub fn yielding_state(&self) -> Option<u64> {
        let can_yield = |state: &u64| {
            [Wait::First, Wait::Request, Wait::Head]
                .iter()
                .any(|&wait| state & STATE == wait as u64)
        };
        Some(self.state.load(SeqCst)).filter(can_yield)
    }

    /// Ends the connection if it is still in this state: it may have got a request since. Answers
    /// that are just leaving still leave.
    pub fn end(&self, state: u64) -> bool {
        let ended = self.state.compare_exchange(state, state & !STATE | ENDED, SeqCst, SeqCst);
        if ended.is_ok() {
            let _ = self.stream.shutdown(Shutdown::Read);
        }
        ended.is_ok()
    }

    /// Wakes the connection from its wait. What has arrived can still be read, and on Linux what
    /// arrives later, too; where nothing is there, a read is at the end.
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
