//! The rows of one kind, found by key, evicted by age, swept out by expiry. Each of these costs the
//! same with ten rows and with a million.
//!
//! Two kinds of chains run through the rows: one for each client, in the order of issue, which
//! begins with its oldest, and one for each [`SPAN`] of time in which rows expire, so that a sweep
//! touches no row that is alive.

use std::collections::BTreeMap;

use super::chain::{AGE, Chain, DUE, EMPTY, Line, Link, NONE};
use super::key::Key;
use super::rows::Number;
use super::smooth_map::SmoothMap;
use crate::oauth::Timestamp;

/// Rows that expire within so many milliseconds are swept together, so an expired row stays no
/// longer than that.
const SPAN: u64 = 1_000;
/// How many rows are allocated together. Growing never moves a row.
const BLOCK: usize = 1024;

/// What a shelf has to know about a row.
pub trait Kept {
    fn client(&self) -> Number;
    /// The resource owner, if there is one.
    fn user(&self) -> Option<Number>;
    /// The resource that it is for, if it is for one.
    fn resource(&self) -> Option<Number>;
    /// From then on no look-up finds it.
    fn gone(&self) -> Timestamp;
    /// The time by which the rows of a client are ordered.
    fn begun(&self) -> Timestamp;
    /// About how many bytes it takes in a file.
    fn weight(&self) -> usize;
}

pub struct Shelf<T> {
    index: SmoothMap<Key, u32>,
    /// All but the last are full, so that row `i` is at `i / BLOCK, i % BLOCK`.
    blocks: Vec<Vec<Row<T>>>,
    /// By number.
    clients: Vec<Line>,
    due: BTreeMap<u64, Chain>,
    weight: usize,
}

struct Row<T> {
    key: Key,
    /// Neighbours in the chains [`AGE`] and [`DUE`].
    links: [Link; 2],
    value: T,
}

impl<T: Kept> Shelf<T> {
    pub fn new() -> Shelf<T> {
        Shelf {
            index: SmoothMap::new(),
            blocks: Vec::new(),
            clients: Vec::new(),
            due: BTreeMap::new(),
            weight: 0,
        }
    }

    pub fn len(&self) -> usize {
        match self.blocks.last() {
            Some(last) => (self.blocks.len() - 1) * BLOCK + last.len(),
            None => 0,
        }
    }

    /// The sum of the rows' weights.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// How many rows this client has.
    pub fn len_of(&self, client: Number) -> usize {
        self.clients.get(client.0 as usize).map_or(0, |line| line.length)
    }

    /// The key of this client's oldest row.
    pub fn oldest_of(&self, client: Number) -> Option<Key> {
        let line = self.clients.get(client.0 as usize)?;
        (line.length > 0).then(|| self.row(line.chain.first).key)
    }

    /// Adds a row with a new key. If its client has `limit` rows already, which is one at least,
    /// the oldest of them goes and is returned; the new row takes its position, so that no other
    /// has to move.
    pub fn insert(&mut self, key: Key, value: T, limit: usize) -> Option<(Key, T)> {
        let client = value.client();
        let link = Link { before: NONE, after: NONE };
        let row = Row { key, links: [link; 2], value };
        let (at, oldest) = match self.len_of(client) < limit {
            true => (self.push(row), None),
            false => {
                let at = self.line(client).chain.first;
                self.detach(at);
                let oldest = std::mem::replace(self.row_mut(at), row);
                (at, Some((oldest.key, oldest.value)))
            }
        };
        self.index.insert(key, at);
        self.append(AGE, at);
        self.append(DUE, at);
        self.line(client).length += 1;
        self.weight += self.row(at).value.weight();
        oldest
    }

    /// The row with this key, unless it is gone.
    pub fn get(&self, key: &Key, now: Timestamp) -> Option<&T> {
        let value = &self.row(*self.index.get(key)?).value;
        (now < value.gone()).then_some(value)
    }

    /// The row with this key, gone or not. Its client and its expiry must not be changed.
    pub fn get_mut(&mut self, key: &Key) -> Option<&mut T> {
        let at = *self.index.get(key)?;
        Some(&mut self.row_mut(at).value)
    }

    /// Takes a row out, gone or not.
    pub fn remove(&mut self, key: &Key) -> Option<T> {
        let at = *self.index.get(key)?;
        Some(self.remove_at(at).1)
    }

    /// Takes out a row that is gone, if there is one; it may take up to [`SPAN`] until it is found.
    pub fn pop_gone(&mut self, now: Timestamp) -> Option<(Key, T)> {
        let (&span, chain) = self.due.first_key_value()?;
        let at = chain.first;
        ((span + 1) * SPAN <= now.0).then(|| self.remove_at(at))
    }

    /// Sorts the rows of each client, since those of a file are in no order.
    pub fn put_in_order(&mut self) {
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.sort_by_key(|&at| self.row(at).value.begun());
        self.clients.iter_mut().for_each(|line| line.chain = EMPTY);
        for at in order {
            self.row_mut(at).links[AGE] = Link { before: NONE, after: NONE };
            self.append(AGE, at);
        }
    }

    /// The key and the row at this position, from 0 to the length.
    pub fn at(&self, at: usize) -> Option<(Key, &T)> {
        (at < self.len()).then(|| self.row(at as u32)).map(|row| (row.key, &row.value))
    }

    fn row(&self, at: u32) -> &Row<T> {
        &self.blocks[at as usize / BLOCK][at as usize % BLOCK]
    }

    fn row_mut(&mut self, at: u32) -> &mut Row<T> {
        &mut self.blocks[at as usize / BLOCK][at as usize % BLOCK]
    }

    fn line(&mut self, client: Number) -> &mut Line {
        let at = client.0 as usize;
        if self.clients.len() <= at {
            self.clients.resize(at + 1, Line { chain: EMPTY, length: 0 });
        }
        &mut self.clients[at]
    }

    /// Appends a row, and returns its position.
    fn push(&mut self, row: Row<T>) -> u32 {
        let at = self.len() as u32;
        match self.blocks.last_mut() {
            Some(block) if block.len() < BLOCK => block.push(row),
            _ => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(row);
                self.blocks.push(block);
            }
        }
        at
    }

    /// Takes the row at `at` out of everything; the last row moves into its position.
    fn remove_at(&mut self, at: u32) -> (Key, T) {
        self.detach(at);
        let block = self.blocks.last_mut().expect("there is a row");
        let last = block.pop().expect("a block is never empty");
        if block.is_empty() {
            self.blocks.pop();
        }
        if self.len() as u32 == at {
            return (last.key, last.value);
        }
        let removed = std::mem::replace(self.row_mut(at), last);
        self.moved_to(at);
        (removed.key, removed.value)
    }

    /// Takes the row at `at` out of the chains and the index, but leaves it in its position.
    fn detach(&mut self, at: u32) {
        self.unlink(AGE, at);
        self.unlink(DUE, at);
        let (key, client) = (self.row(at).key, self.row(at).value.client());
        self.line(client).length -= 1;
        self.weight -= self.row(at).value.weight();
        self.index.remove(&key);
    }

    /// Tells its neighbours and the index that a row is now at `at`.
    fn moved_to(&mut self, at: u32) {
        let (key, links) = (self.row(at).key, self.row(at).links);
        if let Some(place) = self.index.get_mut(&key) {
            *place = at;
        }
        for (which, link) in links.into_iter().enumerate() {
            match link.before {
                NONE => self.chain_of(which, at).first = at,
                before => self.row_mut(before).links[which].after = at,
            }
            match link.after {
                NONE => self.chain_of(which, at).last = at,
                after => self.row_mut(after).links[which].before = at,
            }
        }
    }

    /// The chain that the row at `at` belongs to.
    fn chain_of(&mut self, which: usize, at: u32) -> &mut Chain {
        let (client, gone) = (self.row(at).value.client(), self.row(at).value.gone());
        match which {
            AGE => &mut self.line(client).chain,
            _ => self.due.entry(gone.0 / SPAN).or_insert(EMPTY),
        }
    }

    fn append(&mut self, which: usize, at: u32) {
        let chain = self.chain_of(which, at);
        let before = chain.last;
        chain.last = at;
        if before == NONE {
            chain.first = at;
        } else {
            self.row_mut(before).links[which].after = at;
        }
        self.row_mut(at).links[which].before = before;
    }

    fn unlink(&mut self, which: usize, at: u32) {
        let Link { before, after } = self.row(at).links[which];
        match before {
            NONE => self.chain_of(which, at).first = after,
            before => self.row_mut(before).links[which].after = after,
        }
        match after {
            NONE => self.chain_of(which, at).last = before,
            after => self.row_mut(after).links[which].before = before,
        }
        if which == DUE && before == NONE && after == NONE {
            let span = self.row(at).value.gone().0 / SPAN;
            self.due.remove(&span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    #[derive(Clone, Debug, PartialEq)]
    struct Sample(u32, Timestamp);

    impl Kept for Sample {
        fn client(&self) -> Number {
            Number(self.0)
        }
        fn user(&self) -> Option<Number> {
            None
        }
        fn resource(&self) -> Option<Number> {
            None
        }
        fn gone(&self) -> Timestamp {
            self.1
        }
        fn begun(&self) -> Timestamp {
            self.1
        }
        fn weight(&self) -> usize {
            1
        }
    }

    fn key(number: usize) -> Key {
        Key::of(&number.to_string())
    }

    #[test]
    fn a_row_is_there_until_it_is_gone() {
        let mut shelf = Shelf::new();
        let row = Sample(1, NOW.plus_seconds(60));
        assert!(shelf.insert(key(1), row.clone(), 9).is_none());
        assert_eq!(shelf.get(&key(1), NOW.plus_seconds(59)), Some(&row));
        assert!(shelf.get(&key(1), NOW.plus_seconds(60)).is_none());
        assert!(shelf.pop_gone(NOW.plus_seconds(59)).is_none());
        assert_eq!(shelf.pop_gone(NOW.plus_seconds(60 + 1)), Some((key(1), row)));
        assert_eq!((shelf.len(), shelf.len_of(Number(1))), (0, 0));
    }

    #[test]
    fn each_client_loses_its_own_oldest() {
        let mut shelf = Shelf::new();
        for i in 0..4 {
            let row = Sample(u32::from(i == 1), NOW.plus_seconds(1));
            let gone = shelf.insert(key(i), row, 2).map(|(key, _)| key);
            assert_eq!(gone, (i == 3).then_some(key(0)));
        }
        assert_eq!((shelf.len(), shelf.len_of(Number(0)), shelf.len_of(Number(1))), (3, 2, 1));
        assert_eq!(shelf.oldest_of(Number(0)), Some(key(2)));
        assert_eq!(shelf.oldest_of(Number(7)), None);
    }

    #[test]
    fn rows_are_put_in_the_order_of_their_age() {
        let mut shelf = Shelf::new();
        for (i, seconds) in [30, 10, 20].into_iter().enumerate() {
            shelf.insert(key(i), Sample(1, NOW.plus_seconds(seconds)), 9);
        }
        shelf.put_in_order();
        for (new, oldest) in [(3, 1), (4, 2), (5, 0)] {
            let gone = shelf.insert(key(new), Sample(1, NOW.plus_seconds(60)), 3);
            assert_eq!(gone.map(|(key, _)| key), Some(key(oldest)));
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert { client: u8, seconds: u16 },
        Remove(u16),
        Expire(u16),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..3u8, 0..600u16).prop_map(|(client, seconds)| Step::Insert { client, seconds }),
            1 => any::<u16>().prop_map(Step::Remove),
            1 => (0..600u16).prop_map(Step::Expire),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever is done to it, a shelf has the same as a plain list.
        #[test]
        fn agrees_with_a_list(steps in proptest::collection::vec(step(), 0..400)) {
            const LIMIT: usize = 40;
            let mut shelf = Shelf::new();
            let mut list: Vec<(Key, Sample)> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Insert { client, seconds } => {
                        let row = Sample(client.into(), NOW.plus_seconds(seconds.into()));
                        let gone = shelf.insert(key(number), row.clone(), LIMIT);
                        list.push((key(number), row.clone()));
                        let own: Vec<_> = list.iter().filter(|(_, own)| own.0 == row.0).collect();
                        let oldest = (own.len() > LIMIT).then(|| own[0].0);
                        prop_assert_eq!(gone.map(|(key, _)| key), oldest);
                        list.retain(|(key, _)| Some(*key) != oldest);
                    }
                    Step::Remove(which) if !list.is_empty() => {
                        let (key, row) = list.remove(usize::from(which) % list.len());
                        prop_assert_eq!(shelf.remove(&key), Some(row));
                    }
                    Step::Remove(_) => {}
                    Step::Expire(seconds) => {
                        let now = NOW.plus_seconds(seconds.into());
                        while let Some((key, _)) = shelf.pop_gone(now) {
                            let at = list.iter().position(|row| row.0 == key).unwrap();
                            prop_assert!(list.remove(at).1.1 <= now);
                        }
                        let late = list.iter().any(|(_, row)| row.1.plus_seconds(16) <= now);
                        prop_assert!(!late);
                    }
                }
                prop_assert_eq!((shelf.len(), shelf.weight()), (list.len(), list.len()));
                for (key, row) in &list {
                    prop_assert_eq!(shelf.get(key, Timestamp(0)), Some(row));
                }
            }
        }
    }
}
