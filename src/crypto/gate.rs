//! The gate before slow hashes: a few run at a time, so that a flood of passwords leaves
//! processors to everything else, and whoever waits gets its turn, whatever the others do.
//!
//! The next turn goes to the address whose last turn is longest ago. So an address that floods
//! stands behind everyone else, as do many addresses that go on flooding, and a person who signs
//! in once stands in front of them. What remains: a flood in which no address comes twice cannot
//! be told from a crowd of honest people, and is served in the order of arrival.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Who may wait in all: at some 0.1 s a hash no more would get their turn in time, and each keeps a
/// thread waiting.
const PLACES: usize = 128;
/// Who may wait from one address: an office behind one router signs in together.
const PLACES_OF_ONE: usize = 32;
/// Addresses whose last turn is remembered.
const REMEMBERED: usize = 4096;

/// Lets slow work run a few at a time.
pub struct Gate(Mutex<State>);

struct State {
    /// How many more may run now.
    free: usize,
    queue: Queue,
}

/// Who comes to the gate.
pub struct Visitor<'a> {
    /// By which turns are shared out.
    pub address: IpAddr,
    /// When it has waited for long enough.
    pub patience_ends: Instant,
    /// Whether nobody would hear the result any more.
    pub is_gone: &'a dyn Fn() -> bool,
}

/// The right to run, until it is dropped.
struct Pass<'a>(&'a Gate);

impl Gate {
    pub fn new(at_once: usize) -> Gate {
        Gate(Mutex::new(State { free: at_once, queue: Queue::default() }))
    }

    /// Does `work` when it is the visitor's turn. False where it was not done: there is no place
    /// to wait, patience ended, or the visitor went away.
    pub fn pass(&self, visitor: &Visitor, work: &mut dyn FnMut()) -> bool {
        let Some(pass) = self.enter(visitor) else { return false };
        work();
        drop(pass);
        true
    }

    fn enter(&self, visitor: &Visitor) -> Option<Pass<'_>> {
        // Requests that came in one segment share their patience: the last ones have none left.
        if visitor.patience_ends <= Instant::now() {
            return None;
        }
        let mut state = self.lock();
        if state.free > 0 {
            state.free -= 1;
            state.queue.note_turn(visitor.address);
            return Some(Pass(self));
        }
        let (sender, turn) = channel();
        let number = state.queue.join(visitor.address, sender)?;
        drop(state);
        let left = visitor.patience_ends.saturating_duration_since(Instant::now());
        let mut is_called = turn.recv_timeout(left).is_ok();
        if !is_called {
            // The turn may come just when patience ends; it must not get lost.
            self.lock().queue.leave(number);
            is_called = turn.try_recv().is_ok();
        }
        let pass = is_called.then(|| Pass(self))?;
        (!(visitor.is_gone)()).then_some(pass)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    /// Hands the turn on.
    fn drop(&mut self) {
        let mut state = self.0.lock();
        match state.queue.next() {
            // Whoever is called listens until it has left the queue.
            Some(called) => _ = called.call.send(()),
            None => state.free += 1,
        }
    }
}

/// Who waits, and in which order they are called.
#[derive(Default)]
struct Queue {
    /// In the order of arrival.
    waiting: Vec<Waiting>,
    /// The number of each address's last turn.
    turns: HashMap<IpAddr, u64>,
    /// The number of the last turn or arrival.
    number: u64,
}

struct Waiting {
    number: u64,
    address: IpAddr,
    call: Sender<()>,
}

impl Queue {
    /// Takes a place; its number, or `None` where there is none. Where all are taken, whoever
    /// would be called last is sent away, which may be the newcomer.
    fn join(&mut self, address: IpAddr, call: Sender<()>) -> Option<u64> {
        if self.waiting.iter().filter(|other| other.address == address).count() >= PLACES_OF_ONE {
            return None;
        }
        let number = self.next_number();
        self.waiting.push(Waiting { number, address, call });
        if self.waiting.len() > PLACES {
            let last = self.last();
            let sent_away = self.waiting.remove(last);
            return (sent_away.number != number).then_some(number);
        }
        Some(number)
    }

    fn leave(&mut self, number: u64) {
        self.waiting.retain(|waiting| waiting.number != number);
    }

    /// Whose turn it is: the first of the address whose last turn is longest ago.
    fn next(&mut self) -> Option<Waiting> {
        let at = (0..self.waiting.len()).min_by_key(|&at| (self.last_turn(at), at))?;
        let called = self.waiting.remove(at);
        self.note_turn(called.address);
        Some(called)
    }

    /// Who would be called last: the one with the most of its own address before it and, of those
    /// alike, the one whose address had its turn most recently.
    fn last(&self) -> usize {
        let mut lengths = HashMap::new();
        let mut order = |&at: &usize| {
            let before = lengths.entry(self.waiting[at].address).or_insert(0);
            *before += 1;
            (*before, self.last_turn(at), at)
        };
        (0..self.waiting.len()).max_by_key(|at| order(at)).expect("somebody waits")
    }

    /// Zero for an address that had none.
    fn last_turn(&self, at: usize) -> u64 {
        self.turns.get(&self.waiting[at].address).copied().unwrap_or(0)
    }

    fn note_turn(&mut self, address: IpAddr) {
        let number = self.next_number();
        self.turns.insert(address, number);
        if self.turns.len() > REMEMBERED {
            // The older half goes: rarely, and all at once.
            let mut numbers: Vec<u64> = self.turns.values().copied().collect();
            let (_, &mut median, _) = numbers.select_nth_unstable(REMEMBERED / 2);
            self.turns.retain(|_, turn| *turn > median);
        }
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc::Receiver;
    use std::thread;
    use std::time::Duration;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    /// Joins from this address; how it is called, if it found a place.
    fn join(queue: &mut Queue, from: u32) -> Option<Receiver<()>> {
        let (call, called) = channel();
        queue.join(address(from), call).map(|_| called)
    }

    /// The addresses of the next turns.
    fn turns(queue: &mut Queue, count: usize) -> Vec<u32> {
        let mut next = || queue.next().unwrap().address;
        (0..count).map(|_| next()).map(|ip| (0..).find(|&n| address(n) == ip).unwrap()).collect()
    }

    #[test]
    fn addresses_take_turns_however_many_wait_from_each() {
        let mut queue = Queue::default();
        for from in [1, 1, 1, 2, 3, 2] {
            join(&mut queue, from).unwrap();
        }
        assert_eq!(turns(&mut queue, 6), [1, 2, 3, 1, 2, 1]);
        assert!(queue.next().is_none());
    }

    #[test]
    fn one_address_has_so_many_places() {
        let mut queue = Queue::default();
        let flood = (0..64).filter(|_| join(&mut queue, 1).is_some()).count();
        assert_eq!(flood, PLACES_OF_ONE);
        join(&mut queue, 2).unwrap();
        assert!(turns(&mut queue, 2).contains(&2));
    }

    #[test]
    fn who_comes_rarely_is_called_before_many_who_flood() {
        let mut queue = Queue::default();
        for flood in 1..=64 {
            join(&mut queue, flood).unwrap();
        }
        for _ in 0..64 {
            let again = turns(&mut queue, 1)[0];
            join(&mut queue, again).unwrap();
        }
        for _ in 0..3 {
            join(&mut queue, 99).unwrap();
            assert_eq!(turns(&mut queue, 1), [99]);
            for again in turns(&mut queue, 64) {
                join(&mut queue, again).unwrap();
            }
        }
    }

    #[test]
    fn where_all_places_are_taken_the_one_that_would_be_last_is_sent_away() {
        let mut queue = Queue::default();
        let floods: Vec<_> = (0..PLACES as u32).map(|n| join(&mut queue, n % 8).unwrap()).collect();
        turns(&mut queue, 1);
        join(&mut queue, 0).unwrap();
        // All eight have as many places; the first address has just had a turn, and loses one.
        let newcomer = join(&mut queue, 99).unwrap();
        let disconnected = |called: &&Receiver<()>| {
            matches!(called.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected))
        };
        // One of them was called, the other is the newest of the first address: it came last.
        assert_eq!(floods.iter().filter(disconnected).count(), 1);
        assert_eq!(queue.waiting.len(), PLACES);
        assert_eq!(queue.waiting.iter().filter(|w| w.address == address(0)).count(), 15);
        assert_eq!(turns(&mut queue, 8)[7], 99);
        drop(newcomer);

        // Among strangers alone the newcomer is the last.
        let mut queue = Queue::default();
        for stranger in 0..PLACES as u32 {
            join(&mut queue, stranger).unwrap();
        }
        assert!(join(&mut queue, 999).is_none());
    }

    #[test]
    fn turns_of_many_addresses_are_not_remembered_for_ever() {
        let mut queue = Queue::default();
        for stranger in 0..100_000 {
            queue.note_turn(address(stranger));
            assert!(queue.turns.len() <= REMEMBERED);
        }
        assert!(queue.turns.contains_key(&address(99_999 - REMEMBERED as u32 / 4)));
    }

    /// A visitor from this address who is still there.
    fn visitor(from: u32, patience: Duration) -> Visitor<'static> {
        Visitor {
            address: address(from),
            patience_ends: Instant::now() + patience,
            is_gone: &|| false,
        }
    }

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(10);

    /// Whether work is done now, or after a short wait.
    fn gets_in(gate: &Gate, visitor: &Visitor) -> bool {
        let mut is_done = false;
        let passed = gate.pass(visitor, &mut || is_done = true);
        assert_eq!(passed, is_done);
        passed
    }

    #[test]
    fn as_many_get_in_as_there_is_room_for() {
        let gate = Gate::new(2);
        let passes = [(); 2].map(|()| gate.enter(&visitor(1, LONG)).unwrap());
        assert!(!gets_in(&gate, &visitor(2, SHORT)));
        assert_eq!(gate.lock().queue.waiting.len(), 0);
        drop(passes);
        assert!(gets_in(&gate, &visitor(2, SHORT)));
    }

    #[test]
    fn a_turn_comes_back_from_work_that_panics() {
        let gate = Gate::new(1);
        let panics = || gate.pass(&visitor(1, LONG), &mut || panic!("in the test"));
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        assert!(gets_in(&gate, &visitor(1, SHORT)));
    }

    #[test]
    fn whoever_has_no_patience_left_gets_nothing_done_though_there_is_room() {
        let gate = Gate::new(1);
        assert!(!gets_in(&gate, &visitor(1, Duration::ZERO)));
        assert!(gets_in(&gate, &visitor(1, LONG)));
    }

    #[test]
    fn a_turn_goes_past_those_who_have_gone() {
        let gate = Gate::new(1);
        let first = gate.enter(&visitor(1, LONG)).unwrap();
        let waiting = || gate.lock().queue.waiting.len();
        let wait_until = |others: usize| {
            while waiting() < others {
                thread::yield_now();
            }
        };
        let gets_in = |from, is_gone: bool| {
            gets_in(&gate, &Visitor { is_gone: &|| is_gone, ..visitor(from, LONG) })
        };
        thread::scope(|scope| {
            let gone = scope.spawn(|| gets_in(2, true));
            wait_until(1);
            let patient = scope.spawn(|| gets_in(3, false));
            wait_until(2);
            drop(first);
            assert!(!gone.join().unwrap());
            assert!(patient.join().unwrap());
        });
        assert_eq!(gate.lock().free, 1);
    }
}
