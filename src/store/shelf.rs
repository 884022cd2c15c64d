//! Where tokens of one kind stand: found by value, ended by age, swept out by expiry. Each of
//! these costs the same with ten tokens and with a million.
//!
//! Every token has a row. Two chains run through the rows: one for each client in the order of
//! issue, so that its oldest token is at hand, and one for each [`SPAN`] of time in which tokens
//! expire, so that a sweep touches nothing that is alive.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::fold::Fold;
use super::smooth_map::SmoothMap;
use crate::oauth::{Timestamp, Token};

/// Milliseconds of expiry that are swept together: the longest that an expired token stays.
const SPAN: u64 = 16_000;
/// Rows that are allocated together. Growth never moves a row.
const BLOCK: usize = 1024;
const NONE: u32 = u32::MAX;

pub struct Shelf<T> {
    index: SmoothMap<Token, u32>,
    /// Full blocks and a last one that may not be, so that row `i` is at `i / BLOCK, i % BLOCK`.
    blocks: Vec<Vec<Row<T>>>,
    clients: Vec<Line>,
    client_numbers: HashMap<Arc<str>, u32, Fold>,
    due: BTreeMap<u64, Chain>,
}

struct Row<T> {
    token: Token,
    client: u32,
    /// Neighbours in the chains [`AGE`] and [`DUE`].
    links: [Link; 2],
    expires: Timestamp,
    value: T,
}

const AGE: usize = 0;
const DUE: usize = 1;

#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
}

#[derive(Clone, Copy)]
struct Chain {
    first: u32,
    last: u32,
}

struct Line {
    client: Arc<str>,
    chain: Chain,
    length: usize,
}

/// A token on the shelf.
pub struct Entry<'a, T> {
    pub client: &'a Arc<str>,
    pub expires: Timestamp,
    pub value: &'a T,
}

const EMPTY: Chain = Chain { first: NONE, last: NONE };

impl<T> Shelf<T> {
    pub fn new() -> Shelf<T> {
        Shelf {
            index: SmoothMap::new(),
            blocks: Vec::new(),
            clients: Vec::new(),
            client_numbers: HashMap::with_hasher(Fold::random()),
            due: BTreeMap::new(),
        }
    }

    pub fn len(&self) -> usize {
        match self.blocks.last() {
            Some(last) => (self.blocks.len() - 1) * BLOCK + last.len(),
            None => 0,
        }
    }

    /// Adds a token. Where its client has `most` already, which is one at least, the oldest of them
    /// goes and is given back; the new one stands in its row, so that no other has to move.
    pub fn insert(
        &mut self,
        token: Token,
        client: &Arc<str>,
        expires: Timestamp,
        value: T,
        most: usize,
    ) -> Option<(Token, T)> {
        let client = self.client_number(client);
        let link = Link { before: NONE, after: NONE };
        let row = Row { token, client, links: [link; 2], expires, value };
        let line = &self.clients[client as usize];
        let (at, oldest) = match line.length < most {
            true => (self.push(row), None),
            false => {
                let at = line.chain.first;
                self.detach(at);
                let oldest = std::mem::replace(self.row_mut(at), row);
                (at, Some((oldest.token, oldest.value)))
            }
        };
        self.index.insert(token, at);
        self.append(AGE, at);
        self.append(DUE, at);
        self.clients[client as usize].length += 1;
        oldest
    }

    /// A token that has not expired.
    pub fn get(&self, token: &Token, now: Timestamp) -> Option<Entry<'_, T>> {
        let row = self.row(*self.index.get(token)?);
        (now < row.expires).then(|| Entry {
            client: &self.clients[row.client as usize].client,
            expires: row.expires,
            value: &row.value,
        })
    }

    /// The value of a token, expired or not.
    pub fn get_mut(&mut self, token: &Token) -> Option<&mut T> {
        let at = *self.index.get(token)?;
        Some(&mut self.row_mut(at).value)
    }

    /// Takes a token out, expired or not.
    pub fn remove(&mut self, token: &Token) -> Option<T> {
        let at = *self.index.get(token)?;
        Some(self.remove_at(at).1)
    }

    /// Takes out one token that has been expired for up to [`SPAN`] or longer, if there is one.
    pub fn pop_expired(&mut self, now: Timestamp) -> Option<(Token, T)> {
        let (&span, chain) = self.due.first_key_value()?;
        let at = chain.first;
        ((span + 1) * SPAN <= now.0).then(|| self.remove_at(at))
    }

    /// Takes out the row at `at` if it is there and `unwanted`, which is told its client and value.
    pub fn remove_row_if(
        &mut self,
        at: usize,
        unwanted: impl FnOnce(&str, &T) -> bool,
    ) -> Option<(Token, T)> {
        if at >= self.len() {
            return None;
        }
        let row = self.row(at as u32);
        let client = &self.clients[row.client as usize].client;
        unwanted(client, &row.value).then(|| self.remove_at(at as u32))
    }

    fn row(&self, at: u32) -> &Row<T> {
        &self.blocks[at as usize / BLOCK][at as usize % BLOCK]
    }

    fn row_mut(&mut self, at: u32) -> &mut Row<T> {
        &mut self.blocks[at as usize / BLOCK][at as usize % BLOCK]
    }

    fn client_number(&mut self, client: &Arc<str>) -> u32 {
        if let Some(&number) = self.client_numbers.get(client) {
            return number;
        }
        let number = self.clients.len() as u32;
        self.client_numbers.insert(Arc::clone(client), number);
        self.clients.push(Line { client: Arc::clone(client), chain: EMPTY, length: 0 });
        number
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
    fn remove_at(&mut self, at: u32) -> (Token, T) {
        self.detach(at);
        let block = self.blocks.last_mut().expect("there is a row");
        let last = block.pop().expect("a block is never empty");
        if block.is_empty() {
            self.blocks.pop();
        }
        if self.len() as u32 == at {
            return (last.token, last.value);
        }
        let removed = std::mem::replace(self.row_mut(at), last);
        self.moved_to(at);
        (removed.token, removed.value)
    }

    /// Takes the row at `at` out of the chains and the index; it still stands there.
    fn detach(&mut self, at: u32) {
        self.unlink(AGE, at);
        self.unlink(DUE, at);
        let (token, client) = (self.row(at).token, self.row(at).client);
        self.clients[client as usize].length -= 1;
        self.index.remove(&token);
    }

    /// Tells its neighbours and the index that a row now stands at `at`.
    fn moved_to(&mut self, at: u32) {
        let (token, links) = (self.row(at).token, self.row(at).links);
        if let Some(place) = self.index.get_mut(&token) {
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
        let (client, expires) = (self.row(at).client, self.row(at).expires);
        match which {
            AGE => &mut self.clients[client as usize].chain,
            _ => self.due.entry(expires.0 / SPAN).or_insert(EMPTY),
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
            let span = self.row(at).expires.0 / SPAN;
            self.due.remove(&span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    #[test]
    fn a_token_is_there_until_it_expires() {
        let mut shelf = Shelf::new();
        let (token, client) = (Token::random(), "c".into());
        assert!(shelf.insert(token, &client, NOW.plus_seconds(60), 'v', 9).is_none());
        let entry = shelf.get(&token, NOW.plus_seconds(59)).unwrap();
        assert_eq!(
            (&**entry.client, entry.expires, *entry.value),
            ("c", NOW.plus_seconds(60), 'v')
        );
        assert!(shelf.get(&token, NOW.plus_seconds(60)).is_none());
        assert!(shelf.pop_expired(NOW.plus_seconds(59)).is_none());
        assert_eq!(shelf.pop_expired(NOW.plus_seconds(60 + 16)), Some((token, 'v')));
        assert_eq!(shelf.len(), 0);
    }

    #[test]
    fn each_client_loses_its_own_oldest() {
        let mut shelf = Shelf::new();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let tokens: Vec<_> = (0..4).map(|_| Token::random()).collect();
        for (i, token) in tokens.iter().enumerate() {
            let client = if i == 1 { &b } else { &a };
            let gone = shelf.insert(*token, client, NOW.plus_seconds(1), i, 2);
            assert_eq!(gone, (i == 3).then_some((tokens[0], 0)));
        }
        assert_eq!(shelf.len(), 3);
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
            const MOST: usize = 40;
            let names: Vec<Arc<str>> = ["a", "b", "c"].map(Arc::from).to_vec();
            let mut shelf = Shelf::new();
            let mut list: Vec<(Token, u8, Timestamp)> = Vec::new();
            for step in steps {
                match step {
                    Step::Insert { client, seconds } => {
                        let (token, expires) = (Token::random(), NOW.plus_seconds(seconds.into()));
                        let gone = shelf.insert(token, &names[usize::from(client)], expires, client, MOST);
                        list.push((token, client, expires));
                        let own: Vec<_> = list.iter().filter(|row| row.1 == client).collect();
                        let oldest = (own.len() > MOST).then(|| own[0].0);
                        prop_assert_eq!(gone.map(|(token, _)| token), oldest);
                        list.retain(|row| Some(row.0) != oldest);
                    }
                    Step::Remove(which) if !list.is_empty() => {
                        let (token, client, _) = list.remove(usize::from(which) % list.len());
                        prop_assert_eq!(shelf.remove(&token), Some(client));
                    }
                    Step::Remove(_) => {}
                    Step::Expire(seconds) => {
                        let now = NOW.plus_seconds(seconds.into());
                        while let Some((token, _)) = shelf.pop_expired(now) {
                            let at = list.iter().position(|row| row.0 == token).unwrap();
                            prop_assert!(list.remove(at).2 <= now);
                        }
                        let late = |row: &&(Token, u8, Timestamp)| row.2.plus_seconds(16) <= now;
                        prop_assert_eq!(list.iter().filter(late).count(), 0);
                    }
                }
                prop_assert_eq!(shelf.len(), list.len());
                for (token, client, _) in &list {
                    prop_assert_eq!(shelf.get(token, Timestamp(0)).map(|entry| *entry.value), Some(*client));
                }
            }
        }
    }
}
