//! A hash of few instructions, for maps to which no stranger can add a key of choice.
//!
//! The standard library's SipHash withstands keys that were chosen to collide, at some 150
//! instructions each. The keys here are hashes of random tokens, our own numbers, and names from
//! the configuration: strangers can look keys up, but not add them.

use std::hash::{BuildHasher, Hasher, RandomState};

/// 2 to the 64th over the golden ratio: odd, with ones and zeros in every part.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// One multiplication for each eight bytes, and both halves of the product combined. It starts from
/// a secret number, so that nobody knows which keys are near one another.
#[derive(Clone, Copy, Debug)]
pub struct Fold(u64);

impl Fold {
    /// A new one, with its own secret.
    pub fn random() -> Fold {
        Fold(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Fold {
    type Hasher = Fold;

    fn build_hasher(&self) -> Fold {
        *self
    }
}

impl Hasher for Fold {
    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number) * u128::from(FACTOR);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut number = [0; 8];
            number[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(number));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// How many of 128 places a thousand keys fill, by these bits of their hashes.
    fn places<T: std::hash::Hash>(fold: Fold, bits: u32, key: impl Fn(u64) -> T) -> usize {
        (0..1000).map(|n| fold.hash_one(key(n)) >> bits & 127).collect::<HashSet<u64>>().len()
    }

    #[test]
    fn keys_spread_over_low_and_high_bits() {
        for _ in 0..100 {
            let fold = Fold::random();
            for bits in [0, 7, 40, 57] {
                assert!(places(fold, bits, |n| n) > 110, "numbers, bit {bits}");
                assert!(places(fold, bits, |n| n << 32) > 110, "large numbers, bit {bits}");
                assert!(places(fold, bits, |n| format!("name{n}")) > 110, "names, bit {bits}");
            }
        }
    }
}
