//! The open connections: the limit on them, and on the threads that serve them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::phase::Wait;
use super::slot::Slot;

// Threads beyond the limit. The program's own, and those that the system is still clearing away,
// are the rest of the 64 that the README promises.
/// Connections that were ended to make room, but have not left yet. A flood is no faster than they
/// are.
const LEAVING: usize = 16;
/// New connections that wait for room, or are told that there is none.
const WAITING: usize = 16;
/// Threads that are done, but may not have ended yet.
const FINISHED: usize = 8;
/// How long a new connection waits for another to come to rest or end.
const ROOM_TIME: Duration = Duration::from_secs(1);

/// Every connection that has a thread.
pub struct Crowd {
    /// How many connections may be open at once.
    limit: usize,
    members: Mutex<Members>,
    /// Signalled when a connection or an accept loop ends.
    ended: Condvar,
    /// Signalled when a connection can make room, or ends.
    room: Condvar,
    /// How many wait for that signal.
    newcomers: AtomicUsize,
}

/// Connections by number.
#[derive(Default)]
struct Members {
    open: HashMap<u64, Arc<Slot>>,
    leaving: HashSet<u64>,
    waiting: HashSet<u64>,
    next: u64,
    /// The oldest first.
    finished: VecDeque<JoinHandle<()>>,
    /// Accept loops that have not ended.
    accepting: usize,
}

/// A connection's place in the crowd, given back when this is dropped, even by a panic.
pub struct Place {
    crowd: Arc<Crowd>,
    id: u64,
    pub slot: Arc<Slot>,
    has_room: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut members = self.crowd.lock_with_few_finished();
        members.remove(self.id);
        let thread = self.slot.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        members.finished.extend(thread);
        drop(members);
        self.crowd.ended.notify_all();
        self.crowd.room.notify_one();
    }
}

impl Crowd {
    pub fn new(limit: usize) -> Arc<Crowd> {
        Arc::new(Crowd {
            limit,
            members: Mutex::default(),
            ended: Condvar::new(),
            room: Condvar::new(),
            newcomers: AtomicUsize::new(0),
        })
    }

    pub fn len(&self) -> usize {
        let members = self.lock();
        members.open.len() + members.leaving.len() + members.waiting.len()
    }

    /// A place for a connection; `None` if it cannot even wait for room.
    pub fn enter(self: &Arc<Self>, slot: &Arc<Slot>) -> Option<Place> {
        let is_crowded = |members: &mut Members| members.leaving.len() >= LEAVING;
        let waited = self.ended.wait_timeout_while(self.lock(), ROOM_TIME, is_crowded);
        let mut members = waited.unwrap_or_else(PoisonError::into_inner).0;
        let id = members.next;
        members.next += 1;
        let has_room = self.has_room(&mut members);
        if has_room {
            members.open.insert(id, Arc::clone(slot));
        } else if members.waiting.len() < WAITING {
            members.waiting.insert(id);
        } else {
            return None;
        }
        Some(Place { crowd: Arc::clone(self), id, slot: Arc::clone(slot), has_room })
    }

    /// The connection with this number is being served by this thread, or has been.
    pub fn started(&self, id: u64, slot: &Slot, thread: JoinHandle<()>) {
        let mut members = self.lock_with_few_finished();
        match members.has(id) {
            true => {
                *slot.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
            }
            false => members.finished.push_back(thread),
        }
    }

    /// If too many threads are on their way out, waits for the oldest of them.
    fn lock_with_few_finished(&self) -> MutexGuard<'_, Members> {
        let mut members = self.lock();
        while members.finished.len() >= FINISHED
            && let Some(oldest) = members.finished.pop_front()
        {
            drop(members);
            // If it panicked, that has been reported already.
            let _ = oldest.join();
            members = self.lock();
        }
        members
    }

    /// Whether there is room for one more, if need be by making it.
    fn has_room(&self, members: &mut Members) -> bool {
        members.open.len() < self.limit || (members.leaving.len() < LEAVING && members.make_room())
    }

    /// Ends the connection that has waited longest, if one can make room.
    pub fn make_room(&self) {
        self.lock().make_room();
    }

    /// Called when a connection can make room.
    pub fn rests(&self) {
        if self.newcomers.load(SeqCst) > 0 {
            // The lock makes sure that a new connection has either seen this or is waiting for the
            // signal.
            drop(self.lock());
            self.room.notify_one();
        }
    }

    /// Stops the connections that wait for this from reading. What has arrived is still answered.
    pub fn stop_those_that_wait_for(&self, what: Wait) {
        for slot in self.lock().open.values().filter(|slot| slot.is_waiting_for(what)) {
            slot.stop_reading();
        }
    }

    pub fn accept_loop_begins(&self) {
        self.lock().accepting += 1;
    }

    pub fn accept_loop_ends(&self) {
        self.lock().accepting -= 1;
        self.ended.notify_all();
    }

    /// Whether every connection and accept loop has ended before `deadline`.
    pub fn await_end(&self, deadline: Instant) -> bool {
        let patience = deadline.saturating_duration_since(Instant::now());
        let is_left = |members: &mut Members| {
            !members.open.is_empty() || !members.waiting.is_empty() || members.accepting > 0
        };
        let waited = self.ended.wait_timeout_while(self.lock(), patience, is_left);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    fn has(&self, id: u64) -> bool {
        self.open.contains_key(&id) || self.leaving.contains(&id) || self.waiting.contains(&id)
    }

    fn remove(&mut self, id: u64) {
        self.open.remove(&id);
        self.leaving.remove(&id);
        self.waiting.remove(&id);
    }

    /// Ends the connection that has waited longest between requests or within a head; false if all
    /// are busy.
    fn make_room(&mut self) -> bool {
        loop {
            let open = self.open.iter();
            let states = open.filter_map(|(&id, slot)| Some((slot.yielding_state()?, id)));
            let Some((state, id)) = states.min() else { return false };
            // It may have received a request in the meantime; then another has to go.
            if self.open[&id].end(state) {
                self.open.remove(&id);
                self.leaving.insert(id);
                return true;
            }
        }
    }
}

impl Place {
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether there is room. If not, waits for a connection to come to rest or end; false if none
    /// does in time.
    pub fn has_room(&self) -> bool {
        self.has_room || self.wait_for_room()
    }

    #[cold]
    fn wait_for_room(&self) -> bool {
        let crowd = &self.crowd;
        let deadline = Instant::now() + ROOM_TIME;
        // Counted before looking, so that whichever connection comes to rest after that will
        // signal.
        crowd.newcomers.fetch_add(1, SeqCst);
        let mut members = crowd.lock();
        let mut has_room = crowd.has_room(&mut members);
        while !has_room && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            let waited = crowd.room.wait_timeout(members, left);
            members = waited.unwrap_or_else(PoisonError::into_inner).0;
            has_room = crowd.has_room(&mut members);
        }
        if has_room {
            members.waiting.remove(&self.id);
            members.open.insert(self.id, Arc::clone(&self.slot));
        }
        crowd.newcomers.fetch_sub(1, SeqCst);
        has_room
    }
}
