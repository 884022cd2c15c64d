//! Where rows of one kind stand: found by key, ended by age, swept out by expiry. Each of these
//! costs the same with ten rows and with a million.
//!
//! Two chains run through the rows: one for each client in the order of issue, so that its oldest
//! is at hand, and one for each [`SPAN`] of time in which rows expire, so that a sweep touches
//! nothing that is alive.

use std::collections::BTreeMap;

use super::chain::{AGE, Chain, DUE, EMPTY, Line, Link, NONE};
use super::key::Key;
use super::rows::Number;
use super::smooth_map::SmoothMap;
use crate::oauth::Timestamp;

/// Milliseconds of expiry that are swept together: the longest that an expired row stays.
const SPAN: u64 = 1_000;
/// Rows that are allocated together. Growth never moves a row.
const BLOCK: usize = 1024;

/// What a shelf has to know of a row.
pub trait Kept {
    fn client(&self) -> Number;
    /// The resource owner, where there is one.
    fn user(&self) -> Option<Number>;
    /// The service that it is for, where it is for one.
    fn resource(&self) -> Option<Number>;
    /// From when on no look-up finds it.
    fn gone(&self) -> Timestamp;
    /// By what the rows of a client are told older and newer.
    fn begun(&self) -> Timestamp;
    /// The bytes that a file needs for it, nearly.
    fn weight(&self) -> usize;
}

pub struct Shelf<T> {
    index: SmoothMap<Key, u32>,
    /// Full blocks and a last one that may not be, so that row `i` is at `i / BLOCK, i % BLOCK`.
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

    /// Adds a row whose key is not there yet. Where its client has `limit` already, which is one at
    /// least, the oldest of them goes and is given back; the new one stands in its place, so that
    /// no other has to move.
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

    /// A row that is not gone.
    pub fn get(&self, key: &Key, now: Timestamp) -> Option<&T> {
        let value = &self.row(*self.index.get(key)?).value;
        (now < value.gone()).then_some(value)
    }

    /// The row of a key, gone or not. Who changes it leaves its client and its end as they are.
    pub fn get_mut(&mut self, key: &Key) -> Option<&mut T> {
        let at = *self.index.get(key)?;
        Some(&mut self.row_mut(at).value)
    }

    /// Takes a row out, gone or not.
    pub fn remove(&mut self, key: &Key) -> Option<T> {
        let at = *self.index.get(key)?;
        Some(self.remove_at(at).1)
    }

    /// Takes out one row that has been gone for up to [`SPAN`] or longer, if there is one.
    pub fn pop_gone(&mut self, now: Timestamp) -> Option<(Key, T)> {
        let (&span, chain) = self.due.first_key_value()?;
        let at = chain.first;
        ((span + 1) * SPAN <= now.0).then(|| self.remove_at(at))
    }

    /// Puts the rows of each client in their order anew: those of a file stand in none.
    pub fn put_in_order(&mut self) {
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.sort_by_key(|&at| self.row(at).value.begun());
        self.clients.iter_mut().for_each(|line| line.chain = EMPTY);
        for at in order {
            self.row_mut(at).links[AGE] = Link { before: NONE, after: NONE };
            self.append(AGE, at);
        }
    }

    /// The key and the row at this place, from 0 to the length.
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

    /// Puts a row behind the last one, and says where that is.
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

    /// Takes the row at `at` out of everything; the last row moves into its place.
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

    /// Takes the row at `at` out of the chains and the index; it still stands there.
    fn detach(&mut self, at: u32) {
        self.unlink(AGE, at);
        self.unlink(DUE, at);
        let (key, client) = (self.row(at).key, self.row(at).value.client());
        self.line(client).length -= 1;
        self.weight -= self.row(at).value.weight();
        self.index.remove(&key);
    }

    /// Tells its neighbours and the index that a row now stands at `at`.
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

    /// The chain to which the row at `at` belongs.
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
        /// Whatever is done to it, a shelf tells the same as a plain list.
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
