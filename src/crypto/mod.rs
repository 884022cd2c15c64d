//! What keeps secrets: hashes, and a comparison that tells nothing by its time. Pure functions of
//! bytes, each checked against published vectors and a well-kept crate; and the gate before those
//! that are slow.

pub mod gate;
pub mod pbkdf2;
pub mod sha256;
mod sha256_hw;

/// Says whether two byte strings are the same, in a time that depends on the length of `given`
/// alone: an answer's delay tells nothing about `kept`.
pub fn same(given: &[u8], kept: &[u8]) -> bool {
    let mut difference = u8::from(given.len() != kept.len());
    if !kept.is_empty() {
        let mut at = 0;
        for byte in given {
            difference |= byte ^ kept[at];
            // Around again, without the division of a remainder.
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
