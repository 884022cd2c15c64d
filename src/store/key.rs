//! The keys that rows are found by, which are never a token itself.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::crypto::sha256;

/// The first 20 bytes of the SHA-256 of a token's digits. So nothing that is stored can be used as
/// a token, and the time of a look-up tells nothing about how close a guess is. No salt is needed,
/// since what is hashed is random.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 20]);

impl Key {
    /// The key of these digits. Not inlined, so that the hash's stack is not part of a look-up's.
    #[inline(never)]
    pub fn of(digits: &str) -> Key {
        let digest = sha256::digest(digits.as_bytes());
        Key(*digest.first_chunk().expect("a digest has 32 bytes"))
    }

    /// A key that was stored.
    pub fn from_bytes(bytes: [u8; 20]) -> Key {
        Key(bytes)
    }

    /// What is stored of it.
    pub fn bytes(&self) -> [u8; 20] {
        self.0
    }
}

impl Hash for Key {
    /// Eight of its bytes suffice, since they are as good as random.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from_le_bytes(*self.0.first_chunk().expect("there are 20 bytes")));
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Key")
    }
}
