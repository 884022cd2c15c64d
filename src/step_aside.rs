//! Lets other threads run before one waits: a connection for its next request, a request for the
//! engine ([`crate::store`]).
//!
//! With many connections, what it waits for is then often there, and the system need neither put
//! this thread to sleep nor wake it: 64 connections get 1.1 to 1.2 times as many answers. The
//! danger is another program that computes, since it takes the processor for milliseconds. That
//! shows: the step then takes much longer than the turns that others have had meanwhile. After such
//! a step nobody steps aside for 300 times as long, so that such steps cost a third of a percent at
//! most.
//!
//! An engine that runs on the same processors is such a program, too, but one that works for us.
//! Beside it a step may take longer, and a rest is worth less: 64 connections get another 1.1 to 1.2
//! times as many answers by that.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

/// How many nanoseconds a turn may take; most take a sixth of that.
const TURN: u64 = 60_000;

/// One for all threads that wait for the same, since a program that keeps the processors busy does
/// so for all of them.
pub struct StepAside {
    began: Instant,
    /// Nanoseconds that a step may take beside the turns.
    least: u64,
    /// How many times as long nobody steps aside after a longer one.
    rest: u64,
    /// How often one of these threads has begun to wait for something new.
    turns: AtomicU64,
    /// Nanoseconds after `began`.
    not_before: AtomicU64,
}

impl StepAside {
    /// For threads that need the processors alone.
    pub fn alone() -> StepAside {
        StepAside::new(TURN, 300)
    }

    /// For threads that ask an engine, which may have the processors for as long as it takes to
    /// answer a crowd.
    pub fn beside_an_engine() -> StepAside {
        StepAside::new(2_000_000, 50)
    }

    fn new(least: u64, rest: u64) -> StepAside {
        let (turns, not_before) = Default::default();
        StepAside { began: Instant::now(), least, rest, turns, not_before }
    }

    /// To be called when a thread begins to wait for something new.
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
        let rest = self.rest_after(end - start, self.turns.load(Relaxed) - turns);
        if rest > 0 {
            self.not_before.store(end + rest, Relaxed);
        }
    }

    /// How long nobody steps aside after a step that took this long while others had this many
    /// turns.
    fn rest_after(&self, took: u64, turns: u64) -> u64 {
        if took > self.least + TURN * turns { self.rest * took } else { 0 }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLICE: u64 = 4_000_000;

    #[test]
    fn a_step_that_the_others_turns_explain_is_followed_by_the_next() {
        for (took, turns) in [(0, 0), (TURN, 0), (8_000 * 63, 63), (8_000 * 511, 511)] {
            assert_eq!(StepAside::alone().rest_after(took, turns), 0, "{took} {turns}");
        }
    }

    #[test]
    fn a_step_that_another_program_took_is_followed_by_a_rest() {
        for turns in [0, 1, 7, 63] {
            assert_eq!(StepAside::alone().rest_after(SLICE, turns), 300 * SLICE, "{turns}");
        }
    }

    #[test]
    fn an_engine_may_take_longer_and_costs_a_shorter_rest() {
        let step_aside = StepAside::beside_an_engine();
        assert_eq!(step_aside.rest_after(2_000_000, 0), 0);
        assert_eq!(step_aside.rest_after(SLICE, 20), 50 * SLICE);
    }

    #[test]
    fn nobody_steps_aside_while_it_rests() {
        let step_aside = StepAside::alone();
        let rests_for_ever = u64::MAX;
        step_aside.not_before.store(rests_for_ever, Relaxed);
        step_aside.before_a_wait();
        assert_eq!(step_aside.not_before.load(Relaxed), rests_for_ever);
    }
}
