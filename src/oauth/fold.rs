//! A hash of few instructions, for maps into which no stranger puts a key.
//!
//! The standard library's SipHash withstands keys that were chosen to collide, at some 150
//! instructions each. The keys here are tokens, which are random, numbers of our own, and names
//! out of the configuration: others can look for keys, but not put any there.

use std::hash::{BuildHasher, Hasher, RandomState};

/// One multiplication with a secret factor for each eight bytes, both halves of the product
/// together. The factor keeps secret which keys stand near each other.
#[derive(Clone, Copy, Debug)]
pub struct Fold {
    factor: u64,
    value: u64,
}

impl Fold {
    /// With a factor of its own.
    pub fn random() -> Fold {
        Fold { factor: RandomState::new().hash_one(0) | 1, value: 0 }
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
        let product = u128::from(self.value ^ number) * u128::from(self.factor);
        self.value = (product >> 64) as u64 ^ product as u64;
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
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_spread_over_high_and_low_bits() {
        let fold = Fold::random();
        for bits in [0, 40, 57] {
            let numbers: HashSet<u64> =
                (0..1000u64).map(|n| fold.hash_one(n) >> bits & 127).collect();
            assert!(numbers.len() > 100, "{bits}");
            let names: HashSet<u64> =
                (0..1000).map(|n| fold.hash_one(format!("name{n}")) >> bits & 127).collect();
            assert!(names.len() > 100, "{bits}");
        }
    }
}
