//! A hash map that grows in small steps.
//!
//! A `HashMap` doubles by moving every entry at once: with a million of them that holds the
//! store's lock, and so every request, for tens of milliseconds. Here the entries stand in 256
//! maps, each of which doubles alone and is moved in microseconds.

use std::collections::HashMap;
use std::hash::Hash;

/// A key that says in which of 256 maps it stands; good ones fill them evenly.
pub trait Spread: Hash + Eq {
    fn spread(&self) -> u8;
}

impl Spread for u64 {
    /// For numbers that are given out in turn.
    fn spread(&self) -> u8 {
        *self as u8
    }
}

pub struct SmoothMap<K, V>(Vec<HashMap<K, V>>);

impl<K: Spread, V> SmoothMap<K, V> {
    pub fn new() -> Self {
        SmoothMap((0..256).map(|_| HashMap::new()).collect())
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.0[usize::from(key.spread())].get(key)
    }

    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0[usize::from(key.spread())].get_mut(key)
    }

    pub fn insert(&mut self, key: K, value: V) {
        self.0[usize::from(key.spread())].insert(key, value);
    }

    /// Takes an entry out; a map that has become far too large gives its memory back.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let map = &mut self.0[usize::from(key.spread())];
        let value = map.remove(key)?;
        if map.capacity() > 64 && map.len() * 8 < map.capacity() {
            map.shrink_to(map.len() * 2);
        }
        Some(value)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.iter().map(HashMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map_that_grows_and_shrinks() {
        let mut map = SmoothMap::new();
        for key in 0..100_000u64 {
            map.insert(key, key * 2);
        }
        assert_eq!(map.len(), 100_000);
        assert_eq!(map.get(&70_000), Some(&140_000));
        *map.get_mut(&70_000).unwrap() = 1;
        for key in 0..100_000u64 {
            assert_eq!(map.remove(&key), Some(if key == 70_000 { 1 } else { key * 2 }));
        }
        assert_eq!(map.remove(&1), None);
        assert!(map.0.iter().all(|map| map.capacity() <= 64));
    }
}
