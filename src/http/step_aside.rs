//! Lets other threads run before a connection waits for its next request.
//!
//! With many connections that request has then arrived, and the system need neither put this thread
//! to sleep nor wake it: 64 connections get 1.1 to 1.2 times as many answers. The danger is another
//! program that computes, since it takes the processor for milliseconds. That shows: the step then
//! takes much longer than the turns that other connections have had meanwhile. After such a step
//! nobody steps aside for 300 times as long, so that such steps cost a third of a percent at most.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

/// How many nanoseconds a connection's turn may take; most take a sixth of that.
const TURN: u64 = 60_000;
const REST: u64 = 300;

/// One for all connections, since a program that keeps the processors busy does so for all of them.
pub struct StepAside {
    began: Instant,
    /// How often a connection has begun to wait for another request.
    turns: AtomicU64,
    /// Nanoseconds after `began`.
    not_before: AtomicU64,
}

impl StepAside {
    pub fn new() -> StepAside {
        StepAside { began: Instant::now(), turns: AtomicU64::new(0), not_before: AtomicU64::new(0) }
    }

    /// To be called when a connection begins to wait for another request.
    pub fn turn(&self) {
        self.turns.fetch_add(1, Relaxed);
    }

    /// To be called before each wait.
    pub fn before_a_wait(&self) {
        let start = self.now();
        if start < self.not_before.load(Relaxed) {
            return;
        }
        let turns = self.turns.load(Relaxed);
        thread::yield_now();
        let end = self.now();
        let rest = rest_after(end - start, self.turns.load(Relaxed) - turns);
        if rest > 0 {
            self.not_before.store(end + rest, Relaxed);
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

/// How long nobody steps aside after a step that took this long while others had this many turns.
fn rest_after(took: u64, turns: u64) -> u64 {
    if took > TURN * (turns + 1) { REST * took } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_the_others_turns_explain_is_followed_by_the_next() {
        for (took, turns) in [(0, 0), (TURN, 0), (8_000 * 63, 63), (8_000 * 511, 511)] {
            assert_eq!(rest_after(took, turns), 0, "{took} {turns}");
        }
    }

    #[test]
    fn a_step_that_another_program_took_is_followed_by_a_rest() {
        const SLICE: u64 = 4_000_000;
        for turns in [0, 1, 7, 63] {
            assert_eq!(rest_after(SLICE, turns), 300 * SLICE, "{turns}");
        }
    }

    #[test]
    fn nobody_steps_aside_while_it_rests() {
        let step_aside = StepAside::new();
        let rests_for_ever = u64::MAX;
        step_aside.not_before.store(rests_for_ever, Relaxed);
        step_aside.before_a_wait();
        assert_eq!(step_aside.not_before.load(Relaxed), rests_for_ever);
    }
}
