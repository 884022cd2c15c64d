//! SHA-256 (FIPS 180-4).
//!
//! PKCE's `S256` needs it (RFC 7636, section 4.2), and so do the store's keys. The program has
//! three dependencies by decision, so it is written here, small and plain, and tested against the
//! published vectors and the crate `sha2`. If the processor has instructions for it, `sha256_hw.rs`
//! does the same in a fifth of the time.

use super::sha256_hw;

/// A hash that is being computed.
#[derive(Clone)]
pub struct Sha256 {
    state: [u32; 8],
    block: [u8; 64],
    length: u64,
}

/// The digest of `bytes`.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.finish()
}

impl Sha256 {
    pub fn new() -> Sha256 {
        Sha256 { state: INITIAL, block: [0; 64], length: 0 }
    }

    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let filled = (self.length % 64) as usize;
            let taken = bytes.len().min(64 - filled);
            self.block[filled..filled + taken].copy_from_slice(&bytes[..taken]);
            self.length += taken as u64;
            bytes = &bytes[taken..];
            if filled + taken == 64 {
                self.compress_block();
            }
        }
    }

    /// Pads (FIPS 180-4, section 5.1.1) and returns the digest.
    pub fn finish(mut self) -> [u8; 32] {
        let bits = self.length * 8;
        let filled = (self.length % 64) as usize;
        self.block[filled] = 0x80;
        self.block[filled + 1..].fill(0);
        if filled >= 56 {
            self.compress_block();
            self.block.fill(0);
        }
        self.block[56..].copy_from_slice(&bits.to_be_bytes());
        self.compress_block();
        to_bytes(&self.state)
    }

    /// The state after the complete blocks so far.
    pub fn state(&self) -> [u32; 8] {
        self.state
    }

    fn compress_block(&mut self) {
        compress(&mut self.state, &to_words(&self.block));
    }
}

/// The state before the first block (FIPS 180-4, section 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// Hashes one block into the state, in the fastest way that this processor has.
pub fn compress(state: &mut [u32; 8], block: &[u32; 16]) {
    #[cfg(test)]
    COMPRESSED.set(COMPRESSED.get() + 1);
    if !sha256_hw::compress(state, block) {
        compress_portably(state, block);
    }
}

/// Hashes one block into the state (FIPS 180-4, section 6.2.2). Of the 64 words of the message
/// schedule only the last 16 are needed at a time, so each replaces the one 16 before it.
pub fn compress_portably(state: &mut [u32; 8], block: &[u32; 16]) {
    let mut w = *block;
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for start in [0, 16, 32, 48] {
        for t in 0..16 {
            if start > 0 {
                let [w15, w7, w2] = [1, 9, 14].map(|after| w[(t + after) % 16]);
                let s0 = w15.rotate_right(7) ^ w15.rotate_right(18) ^ (w15 >> 3);
                let s1 = w2.rotate_right(17) ^ w2.rotate_right(19) ^ (w2 >> 10);
                w[t] = w[t].wrapping_add(s0).wrapping_add(w7).wrapping_add(s1);
            }
            let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let choice = (e & f) ^ (!e & g);
            let constant = ROUND[start + t].wrapping_add(w[t]);
            let t1 = h.wrapping_add(s1).wrapping_add(choice).wrapping_add(constant);
            let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let majority = (a & b) ^ (a & c) ^ (b & c);
            let t2 = s0.wrapping_add(majority);
            (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
        }
    }
    for (word, value) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(value);
    }
}

/// The bytes of a block or a digest as words (FIPS 180-4, section 3.1).
pub fn to_words<const BYTES: usize, const WORDS: usize>(bytes: &[u8; BYTES]) -> [u32; WORDS] {
    let (words, _) = bytes.as_chunks();
    std::array::from_fn(|at| u32::from_be_bytes(words[at]))
}

/// A state as a digest.
pub fn to_bytes(state: &[u32; 8]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// The constant of each round (FIPS 180-4, section 4.2.2).
#[rustfmt::skip]
pub const ROUND: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

#[cfg(test)]
thread_local! {
    /// How many blocks this thread has hashed, which tests count as work.
    pub static COMPRESSED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::Digest;

    fn hex_digest(bytes: &[u8]) -> String {
        crate::encode::hex::encode(&digest(bytes)).to_string()
    }

    #[test]
    fn published_vectors() {
        let vectors: [(&[u8], &str); 4] = [
            (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (
                &[b'a'; 1_000_000],
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
            ),
        ];
        for (input, expected) in vectors {
            assert_eq!(hex_digest(input), expected);
        }
    }

    #[test]
    fn the_portable_code_knows_them_too() {
        // "abc" as its one block (FIPS 180-4, appendix B.1 of the edition of 2002).
        let mut block = [0; 16];
        (block[0], block[15]) = (0x6162_6380, 24);
        let mut state = INITIAL;
        compress_portably(&mut state, &block);
        assert_eq!(to_bytes(&state), digest(b"abc"));
    }

    proptest! {
        #[test]
        fn agrees_with_the_crate_sha2(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut: u16) {
            let (first, second) = bytes.split_at(usize::from(cut) % (bytes.len() + 1));
            let mut hash = Sha256::new();
            hash.update(first);
            hash.update(second);
            let theirs: [u8; 32] = sha2::Sha256::digest(&bytes).into();
            prop_assert_eq!(hash.finish(), theirs);
        }
    }
}
