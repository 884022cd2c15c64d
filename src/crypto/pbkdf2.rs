//! PBKDF2 with HMAC-SHA-256 (RFC 8018, section 5.2), for secrets that people choose: each guess
//! costs as many hashes as the stored line says.

use super::sha256::{Sha256, compress, digest, to_bytes, to_words};

/// The first 32 bytes of the derived key, one block of PBKDF2: a check needs no more.
pub fn derive(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let hmac = Hmac::new(password);
    let mut u = to_words(&hmac.sign(&[salt, &1u32.to_be_bytes()].concat()));
    let mut key = u;
    for _ in 1..iterations {
        u = hmac.sign_digest(&u);
        for (word, other) in key.iter_mut().zip(u) {
            *word ^= other;
        }
    }
    to_bytes(&key)
}

/// HMAC (RFC 2104). The key's two blocks are hashed once, since each signature starts from them.
struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    fn new(key: &[u8]) -> Hmac {
        let mut block = [0; 64];
        if key.len() > block.len() {
            block[..32].copy_from_slice(&digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let keyed = |pad: u8| {
            let mut hash = Sha256::new();
            hash.update(&block.map(|byte| byte ^ pad));
            hash
        };
        Hmac { inner: keyed(0x36), outer: keyed(0x5c) }
    }

    fn sign(&self, message: &[u8]) -> [u8; 32] {
        let mut inner = self.inner.clone();
        inner.update(message);
        let mut outer = self.outer.clone();
        outer.update(&inner.finish());
        outer.finish()
    }

    /// The same for a digest, given and returned as words: one block for each of the two hashes, in
    /// which only the digest changes.
    fn sign_digest(&self, digest: &[u32; 8]) -> [u32; 8] {
        let mut block = [0; 16];
        // The padding (FIPS 180-4, section 5.1.1): a bit, and the length with the key's block.
        block[8] = 1 << 31;
        block[15] = (64 + 32) * 8;
        let mut hash = |start: [u32; 8], message: &[u32; 8]| {
            block[..8].copy_from_slice(message);
            let mut state = start;
            compress(&mut state, &block);
            state
        };
        let inner = hash(self.inner.state(), digest);
        hash(self.outer.state(), &inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_vectors() {
        // The inputs of RFC 6070, with the well-known outputs for SHA-256.
        let vectors = [
            (1, "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b"),
            (2, "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"),
            (4096, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a"),
        ];
        for (iterations, expected) in vectors {
            let derived = derive(b"password", b"salt", iterations);
            assert_eq!(&*crate::encode::hex::encode(&derived), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_the_crate_pbkdf2(
            password in proptest::collection::vec(any::<u8>(), 0..150),
            salt in proptest::collection::vec(any::<u8>(), 0..80),
            iterations in 1u32..20,
        ) {
            let theirs: [u8; 32] = ::pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, 32>(&password, &salt, iterations);
            prop_assert_eq!(derive(&password, &salt, iterations), theirs);
        }
    }
}
