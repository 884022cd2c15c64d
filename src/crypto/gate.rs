//! The gate before slow hashes. Only a few are computed at a time, so that a flood of passwords
//! leaves processors for everything else, and everyone who waits gets a turn, whatever the others
//! do.
//!
//! Turns alternate between three standings: addresses whose last password was right, new addresses,
//! and addresses whose last one was wrong; and within a standing from address to address. So
//! guesses do not hold up anyone else, whether they come from one address or from many. What
//! remains is that a flood in which no address comes twice looks like a crowd of honest strangers:
//! only those who have signed in before get past it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How many may wait in all. At some 0.1 s a hash no more would get their turn in time, and each
/// keeps a thread waiting.
const PLACES: usize = 128;
/// How many may wait from one address: an office behind one router signs in together.
const PLACES_OF_ONE: usize = 32;
/// How many addresses' last turns are remembered.
const REMEMBERED: usize = 4096;

/// Lets slow work run a few at a time.
pub struct Gate(Mutex<State>);

struct State {
    /// How many more may run now.
    free: usize,
    queue: Queue,
}

/// A request that wants a turn.
pub struct Visitor<'a> {
    /// The address that its turn counts for.
    pub address: IpAddr,
    /// How long it will wait.
    pub patience_ends: Instant,
    /// Whether nobody waits for the result any more.
    pub is_gone: &'a dyn Fn() -> bool,
}

/// The right to run, until it is dropped.
struct Pass<'a>(&'a Gate);

impl Gate {
    pub fn new(at_once: usize) -> Gate {
        Gate(Mutex::new(State { free: at_once, queue: Queue::default() }))
    }

    /// Does `work` when it is the visitor's turn, and returns its result: whether the password was
    /// right. `None` if it was not done, because there was no place to wait, patience ended, or the
    /// visitor had gone.
    pub fn pass(&self, visitor: &Visitor, work: &mut dyn FnMut() -> bool) -> Option<bool> {
        let pass = self.enter(visitor)?;
        let is_right = work();
        self.lock().queue.note_turn(visitor.address, is_right);
        drop(pass);
        Some(is_right)
    }

    fn enter(&self, visitor: &Visitor) -> Option<Pass<'_>> {
        // Requests that arrived together share their patience, so the last ones may have none left.
        if visitor.patience_ends <= Instant::now() {
            return None;
        }
        let mut state = self.lock();
        if state.free > 0 {
            state.free -= 1;
            return Some(Pass(self));
        }
        let (sender, turn) = channel();
        let number = state.queue.join(visitor.address, sender)?;
        drop(state);
        let left = visitor.patience_ends.saturating_duration_since(Instant::now());
        let mut is_called = turn.recv_timeout(left).is_ok();
        if !is_called {
            // If the turn comes just when patience ends, it must not get lost.
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
    /// Passes the turn on.
    fn drop(&mut self) {
        let mut state = self.0.lock();
        match state.queue.next() {
            // Whoever is called listens until it has left the queue.
            Some(called) => _ = called.call.send(()),
            None => state.free += 1,
        }
    }
}

/// Who waits, and whose turn is next.
#[derive(Default)]
struct Queue {
    /// In the order of arrival.
    waiting: Vec<Waiting>,
    /// The number of each address's last turn, and how it ended.
    turns: HashMap<IpAddr, (u64, Standing)>,
    /// The number of each standing's last turn.
    standings: [u64; 3],
    /// The number of the last turn or arrival.
    number: u64,
}

struct Waiting {
    number: u64,
    address: IpAddr,
    call: Sender<()>,
}

/// What is known about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Standing {
    Right,
    Unknown,
    Wrong,
}

impl Queue {
    /// Takes a place in the queue; returns its number. If all are taken, whoever would be called
    /// last is sent away: `None` if that is the newcomer.
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

    /// Whose turn it is: of the standing whose last turn was longest ago, the address whose last
    /// turn was longest ago.
    fn next(&mut self) -> Option<Waiting> {
        let order = |&at: &usize| {
            let (number, standing) = self.last_turn(self.waiting[at].address);
            (self.standings[standing as usize], number, at)
        };
        let at = (0..self.waiting.len()).min_by_key(order)?;
        let called = self.waiting.remove(at);
        let (_, standing) = self.last_turn(called.address);
        self.remember(called.address, standing);
        self.standings[standing as usize] = self.number;
        Some(called)
    }

    /// Who would be called last: in the standing where most are waiting, the one with the most of
    /// its own address before it.
    fn last(&self) -> usize {
        let mut crowds = [0; 3];
        for waiting in &self.waiting {
            crowds[self.last_turn(waiting.address).1 as usize] += 1;
        }
        let mut lengths = HashMap::new();
        let mut order = |at: usize| {
            let address = self.waiting[at].address;
            let before = lengths.entry(address).or_insert(0);
            *before += 1;
            let (number, standing) = self.last_turn(address);
            (crowds[standing as usize], *before, number, at)
        };
        (0..self.waiting.len()).max_by_key(|&at| order(at)).expect("somebody waits")
    }

    fn last_turn(&self, address: IpAddr) -> (u64, Standing) {
        self.turns.get(&address).copied().unwrap_or((0, Standing::Unknown))
    }

    /// Notes how an address's turn has ended.
    fn note_turn(&mut self, address: IpAddr, is_right: bool) {
        self.remember(address, if is_right { Standing::Right } else { Standing::Wrong });
    }

    fn remember(&mut self, address: IpAddr, standing: Standing) {
        let number = self.next_number();
        self.turns.insert(address, (number, standing));
        if self.turns.len() > REMEMBERED {
            // The older half is forgotten, all at once, so that this happens rarely.
            let mut numbers: Vec<u64> = self.turns.values().map(|turn| turn.0).collect();
            let (_, &mut median, _) = numbers.select_nth_unstable(REMEMBERED / 2);
            self.turns.retain(|_, turn| turn.0 > median);
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
    use std::sync::mpsc::{Receiver, TryRecvError};
    use std::thread;
    use std::time::Duration;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    /// Joins the queue from this address; how it is called, if it found a place.
    fn join(queue: &mut Queue, from: u32) -> Option<Receiver<()>> {
        let (call, called) = channel();
        queue.join(address(from), call).map(|_| called)
    }

    /// The addresses of the next turns, which all end like this, if they end.
    fn turns(queue: &mut Queue, count: usize, is_right: Option<bool>) -> Vec<u32> {
        let mut next = || {
            let ip = queue.next().unwrap().address;
            is_right.inspect(|&is_right| queue.note_turn(ip, is_right));
            match ip {
                IpAddr::V4(ip) => ip.to_bits(),
                IpAddr::V6(_) => unreachable!(),
            }
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn addresses_take_turns_however_many_wait_from_each() {
        let mut queue = Queue::default();
        for from in [1, 1, 1, 2, 3, 2] {
            join(&mut queue, from).unwrap();
        }
        assert_eq!(turns(&mut queue, 6, None), [1, 2, 3, 1, 2, 1]);
        assert!(queue.next().is_none());
    }

    #[test]
    fn one_address_has_so_many_places() {
        let mut queue = Queue::default();
        let flood = (0..64).filter(|_| join(&mut queue, 1).is_some()).count();
        assert_eq!(flood, PLACES_OF_ONE);
        join(&mut queue, 2).unwrap();
        assert!(turns(&mut queue, 2, None).contains(&2));
    }

    #[test]
    fn guesses_do_not_hold_up_strangers_or_those_who_were_right() {
        let mut queue = Queue::default();
        join(&mut queue, 99).unwrap();
        turns(&mut queue, 1, Some(true));
        for guesser in 1..=64 {
            join(&mut queue, guesser).unwrap();
        }
        turns(&mut queue, 64, Some(false));
        for guesser in 1..=64 {
            join(&mut queue, guesser).unwrap();
        }
        join(&mut queue, 98).unwrap();
        join(&mut queue, 99).unwrap();
        join(&mut queue, 99).unwrap();
        let next = turns(&mut queue, 6, None);
        let places = [98, 99].map(|from| next.iter().filter(|&&turn| turn == from).count());
        assert_eq!(places, [1, 2], "{next:?}");
        // The guessers have their turns between them.
        let mut guessers = [next, turns(&mut queue, 61, None)].concat();
        guessers.retain(|&from| from < 98);
        assert_eq!(guessers, Vec::from_iter(1..=64));
    }

    #[test]
    fn where_all_places_are_taken_the_one_that_would_be_last_is_sent_away() {
        let mut queue = Queue::default();
        for guesser in 0..PLACES as u32 {
            join(&mut queue, guesser % 8).unwrap();
        }
        // The first address has just had a turn, so its newest is sent away.
        assert_eq!(turns(&mut queue, 1, None), [0]);
        let sent_away = join(&mut queue, 0).unwrap();
        let newcomer = join(&mut queue, 9).unwrap();
        assert_eq!(sent_away.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(newcomer.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(queue.waiting.len(), PLACES);

        // Among strangers alone the newcomer would be the last.
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
            drop(join(&mut queue, stranger));
            turns(&mut queue, 1, None);
            assert!(queue.turns.len() <= REMEMBERED);
        }
        assert!(queue.turns.contains_key(&address(99_999 - REMEMBERED as u32 / 4)));
    }

    /// A visitor from this address that has not gone.
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
        let result = gate.pass(visitor, &mut || {
            is_done = true;
            true
        });
        assert_eq!(result, is_done.then_some(true));
        is_done
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
