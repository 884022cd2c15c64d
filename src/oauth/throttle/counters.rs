//! Counters by key, in a fixed amount of memory however many keys strangers make up.

use crate::oauth::Uptime;

/// How long a counter counts, in milliseconds.
pub const WINDOW: u64 = 60_000;
/// Counters form groups of this size, in which a new one replaces the least interesting.
const GROUP: usize = 8;

/// A fixed number of counters. Each counts for a minute from its first event.
pub struct Counters(Vec<[Counter; GROUP]>);

#[derive(Clone, Copy)]
struct Counter {
    key: u64,
    count: u32,
    /// When its minute is over.
    until: Uptime,
}

/// What a counter says: how many, and how many milliseconds of its minute are left.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    pub count: u32,
    pub left: u64,
}

impl Counters {
    /// For `counters` keys at once, at 24 bytes each.
    pub fn new(counters: usize) -> Counters {
        let unused = Counter { key: 0, count: 0, until: Uptime(0) };
        Counters(vec![[unused; GROUP]; counters / GROUP])
    }

    /// What has been counted for this key.
    pub fn get(&self, key: u64, now: Uptime) -> Count {
        let found = self.0[self.group(key)].iter().find(|counter| counter.is(key, now));
        found.map_or(Count::default(), |found| Count {
            count: found.count,
            left: found.until.0 - now.0,
        })
    }

    /// Counts one more for this key, and returns the new count.
    pub fn add(&mut self, key: u64, now: Uptime) -> u32 {
        let counter = self.counter(key, now);
        counter.count += 1;
        counter.count
    }

    /// Begins this key's minute again, and keeps its count.
    pub fn renew(&mut self, key: u64, now: Uptime) {
        self.counter(key, now).until = Uptime(now.0 + WINDOW);
    }

    /// The counter of this key. A new one replaces the counter in its group that has counted least,
    /// so that made-up keys push out one another, and none that has counted much.
    fn counter(&mut self, key: u64, now: Uptime) -> &mut Counter {
        let group = self.group(key);
        let group = &mut self.0[group];
        let at = group.iter().position(|counter| counter.is(key, now)).unwrap_or_else(|| {
            let interest = |&at: &usize| match now < group[at].until {
                true => (group[at].count, group[at].until),
                false => (0, Uptime(0)),
            };
            let least = (0..GROUP).min_by_key(interest).expect("a group has counters");
            group[least] = Counter { key, count: 0, until: Uptime(now.0 + WINDOW) };
            least
        });
        &mut group[at]
    }

    fn group(&self, key: u64) -> usize {
        (key >> 32) as usize % self.0.len()
    }
}

impl Counter {
    fn is(&self, key: u64, now: Uptime) -> bool {
        self.key == key && now < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Uptime = Uptime(5_000);
    /// A key for each number, in a group of its own as long as there are groups.
    const fn key(number: u64) -> u64 {
        number << 32 | 1
    }

    #[test]
    fn a_minute_begins_with_its_first() {
        let mut counters = Counters::new(64);
        assert_eq!(counters.get(key(1), NOW), Count::default());
        assert_eq!(counters.add(key(1), NOW), 1);
        let last = Uptime(NOW.0 + WINDOW - 1);
        assert_eq!(counters.add(key(1), last), 2);
        assert_eq!(counters.get(key(1), last), Count { count: 2, left: 1 });
        assert_eq!(counters.get(key(2), last), Count::default());
        assert_eq!(counters.get(key(1), Uptime(last.0 + 1)), Count::default());
        counters.renew(key(1), last);
        assert_eq!(counters.get(key(1), last), Count { count: 2, left: WINDOW });
    }

    #[test]
    fn what_counts_for_much_stays_and_the_room_too() {
        let mut counters = Counters::new(64);
        for _ in 0..2 {
            counters.add(key(1), NOW);
        }
        for made_up in 2..100_000 {
            assert_eq!(counters.add(key(made_up), NOW), 1);
        }
        assert_eq!(counters.get(key(1), NOW).count, 2);
        assert_eq!(counters.0.len() * GROUP, 64);
    }

    #[test]
    fn what_has_expired_makes_room_first() {
        let mut counters = Counters::new(GROUP);
        for _ in 0..9 {
            counters.add(key(1), NOW);
        }
        let later = Uptime(NOW.0 + WINDOW);
        for other in 2..10 {
            counters.add(key(other), later);
        }
        assert!((2..10).all(|other| counters.get(key(other), later).count == 1));
    }
}
