//! The condition of the engine: what the operator is told, and what is counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::broken::{Broken, Kind};
use crate::store::Notice;

/// Upper bounds of the histogram, in microseconds.
const BUCKETS: [u64; 10] = [50, 100, 250, 500, 1_000, 5_000, 25_000, 100_000, 500_000, 1_000_000];

#[derive(Default)]
pub struct Health {
    /// Nothing has worked since the last failure.
    is_away: AtomicBool,
    /// When it last came back.
    came: Mutex<Option<Instant>>,
    /// Values that are not ours are reported once.
    has_told_of_foreign: AtomicBool,
    errors: AtomicU64,
    /// By bucket; the last one is for everything slower.
    durations: [AtomicU64; BUCKETS.len() + 1],
    nanoseconds: AtomicU64,
    notices: Mutex<Vec<Notice>>,
}

/// How often the engine has answered, and how fast.
#[derive(Clone, Debug, PartialEq)]
pub struct Durations {
    /// Upper bounds in seconds, and how many answers took no longer.
    pub buckets: Vec<(f64, u64)>,
    pub count: u64,
    /// Seconds.
    pub sum: f64,
}

impl Health {
    /// The engine took so long for what it was asked, whether it worked or not.
    pub fn took(&self, duration: Duration) {
        let micros = duration.as_micros() as u64;
        let bucket = BUCKETS.iter().position(|&bound| micros <= bound).unwrap_or(BUCKETS.len());
        self.durations[bucket].fetch_add(1, Relaxed);
        self.nanoseconds.fetch_add(duration.as_nanos() as u64, Relaxed);
    }

    /// What the engine was asked, beginning at this time, failed.
    pub fn failed(&self, broken: &Broken, began: Instant) {
        self.errors.fetch_add(1, Relaxed);
        match broken {
            // That many others are waiting says nothing about the engine.
            Broken::NoTurn => {}
            Broken::Error(Kind::Foreign) => {
                if !self.has_told_of_foreign.swap(true, Relaxed) {
                    self.tell(true, format!("{}; what needs it is answered 503", broken.what()));
                }
            }
            // It has come back since.
            _ if self.came().is_some_and(|came| began < came) => {}
            _ => {
                if !self.is_away.swap(true, Relaxed) {
                    let rest = "what needs it is answered 503 until it is there again";
                    self.tell(true, format!("{}; {rest}", broken.what()));
                }
            }
        }
    }

    /// It can be read and written.
    pub fn is_well(&self) {
        if self.is_away.swap(false, Relaxed) {
            *self.came() = Some(Instant::now());
            self.tell(false, "it is there again".into());
        }
    }

    fn came(&self) -> MutexGuard<'_, Option<Instant>> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `what` is the end of a sentence that begins with the engine's name.
    pub fn tell(&self, is_fault: bool, what: String) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.push(Notice { is_fault, what });
    }

    /// What the operator has to know, each once.
    pub fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    pub fn durations(&self) -> Durations {
        let mut count = 0;
        let mut counted = |counter: &AtomicU64| {
            count += counter.load(Relaxed);
            count
        };
        let (bounded, longer) = self.durations.split_at(BUCKETS.len());
        let bounds = BUCKETS.iter().map(|&bound| bound as f64 / 1e6);
        let buckets = bounds.zip(bounded.iter().map(&mut counted)).collect();
        counted(&longer[0]);
        let sum = self.nanoseconds.load(Relaxed) as f64 / 1e9;
        Durations { buckets, count, sum }
    }
}
