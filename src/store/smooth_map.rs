//! A hash map that grows in small steps.
//!
//! A `HashMap` doubles by moving every entry at once. With a million of them that would hold the
//! store's lock, and so every request, for tens of milliseconds. Here the entries are in 256 maps,
//! each of which doubles by itself within microseconds.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use super::fold::Fold;

const MAPS: usize = 256;

pub struct SmoothMap<K, V> {
    maps: Vec<HashMap<K, V, Fold>>,
    fold: Fold,
}

impl<K: Hash + Eq, V> SmoothMap<K, V> {
    pub fn new() -> Self {
        let fold = Fold::random();
        SmoothMap { maps: (0..MAPS).map(|_| HashMap::with_hasher(fold)).collect(), fold }
    }

    /// Which map a key belongs to: by bits of its hash that the maps themselves use last.
    fn place(&self, key: &K) -> usize {
        (self.fold.hash_one(key) >> 40) as usize % MAPS
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.maps[self.place(key)].get(key)
    }

    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = self.place(key);
        self.maps[place].get_mut(key)
    }

    pub fn insert(&mut self, key: K, value: V) {
        let place = self.place(&key);
        self.maps[place].insert(key, value);
    }

    /// Takes an entry out, and frees memory if its map has become far too large.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.place(key);
        let map = &mut self.maps[place];
        let value = map.remove(key)?;
        if map.capacity() > 64 && map.len() * 8 < map.capacity() {
            map.shrink_to(map.len() * 2);
        }
        Some(value)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.maps.iter().map(HashMap::len).sum()
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
        assert!(map.maps.iter().all(|map| map.capacity() <= 64));
    }
}
