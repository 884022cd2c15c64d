//! What protects secrets: hashes, and a comparison whose time tells nothing. Pure functions of
//! bytes, each tested against published vectors and a well-kept crate; and the gate before slow
//! hashes.

pub mod gate;
pub mod pbkdf2;
pub mod sha256;
mod sha256_hw;

/// Whether two byte strings are the same, in a time that depends on the length of `given` alone, so
/// that it tells nothing about `kept`.
pub fn same(given: &[u8], kept: &[u8]) -> bool {
    let mut difference = u8::from(given.len() != kept.len());
    if !kept.is_empty() {
        let mut at = 0;
        for byte in given {
            difference |= byte ^ kept[at];
            // Wraps around without a division.
            at = if at + 1 == kept.len() { 0 } else { at + 1 };
        }
    }
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_compares_whole_values() {
        assert!(same(b"", b""));
        assert!(same(b"secret", b"secret"));
        for other in [&b""[..], b"secre", b"secrets", b"Secret", b"secretsecret"] {
            assert!(!same(other, b"secret"));
            assert!(!same(b"secret", other));
        }
    }
}
