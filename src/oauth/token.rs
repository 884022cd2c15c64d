//! Tokens, and the time that they expire by.

use std::cell::RefCell;
use std::fmt;

use crate::encode::hex;
use crate::store::Key;

/// An access token or a device code: 160 random bits as 40 lowercase hexadecimal digits, which
/// nobody can guess (RFC 6749, section 10.10).
#[derive(Clone, Copy)]
pub struct Token([u8; 20]);

impl Token {
    /// A new one, from random bytes.
    pub fn random() -> Token {
        Token(random_bytes())
    }

    /// The key that it is found by.
    pub fn key(&self) -> Key {
        Key::of(&self.reveal())
    }

    /// The key for a token that was presented; `None` if it cannot be one of ours.
    pub fn key_of(presented: &str) -> Option<Key> {
        hex::decode::<20>(presented.as_bytes()).map(|_| Key::of(presented))
    }

    /// The digits, to be sent to the client and for nothing else.
    pub fn reveal(&self) -> hex::Digits<20> {
        hex::encode(&self.0)
    }
}

/// The name of a family, with which an authorization code and all refresh tokens after it begin: 96
/// random bits as 24 digits.
#[derive(Clone, Copy)]
pub struct FamilyName([u8; 12]);

impl FamilyName {
    /// A new one, from random bytes.
    pub fn random() -> FamilyName {
        FamilyName(random_bytes())
    }

    /// The key that the family is found by.
    pub fn key(&self) -> Key {
        Key::of(&hex::encode(&self.0))
    }
}

/// An authorization code or a refresh token: 24 digits that name its family and stay the same
/// through every rotation, then 40 that are new each time.
///
/// So a token that names a living family, but is not the one that is valid now, has been used
/// before. Used tokens are recognized without being stored (RFC 9700, section 4.14.2).
#[derive(Clone, Copy)]
pub struct FamilyToken {
    pub family: FamilyName,
    secret: [u8; 20],
}

impl FamilyToken {
    /// A new one of this family.
    pub fn of(family: FamilyName) -> FamilyToken {
        FamilyToken { family, secret: random_bytes() }
    }

    /// Reads 64 lowercase hexadecimal digits: nothing else can be one of ours.
    pub fn parse(presented: &str) -> Option<FamilyToken> {
        let (family, secret) = presented.as_bytes().split_at_checked(24)?;
        Some(FamilyToken { family: FamilyName(hex::decode(family)?), secret: hex::decode(secret)? })
    }

    /// The key that tells it from the others of its family.
    pub fn key(&self) -> Key {
        Key::of(&hex::encode(&self.secret))
    }

    /// The digits, to be sent to the client and for nothing else.
    pub fn reveal(&self) -> hex::Digits<32> {
        let mut bytes = [0; 32];
        bytes[..12].copy_from_slice(&self.family.0);
        bytes[12..].copy_from_slice(&self.secret);
        hex::encode(&bytes)
    }
}

/// Whether the operating system gives random bytes. Checked at the start: a server that cannot make
/// tokens should not start.
pub fn has_randomness() -> bool {
    getrandom::fill(&mut [0; 20]).is_ok()
}

/// How many bytes are fetched at once, enough for 12 tokens. A system call for each would add a
/// tenth to the cost of a token request.
const ASKED: usize = 240;

thread_local! {
    /// Random bytes that have not been used yet. Each thread has its own, since sharing them would
    /// take one more lock for every request.
    static LEFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Random bytes from the operating system.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    const { assert!(N <= ASKED) };
    LEFT.with_borrow_mut(|left| {
        if left.len() < N {
            // Kept only after they have been filled: if that fails, zeros must not pass for random
            // bytes.
            let mut fresh = vec![0; ASKED];
            getrandom::fill(&mut fresh).expect("the operating system has randomness");
            *left = fresh;
        }
        let given = left.last_chunk_mut().expect("there are enough");
        // Overwritten here, so that a token's bytes stay nowhere else.
        let bytes = std::mem::replace(given, [0; N]);
        left.truncate(left.len() - N);
        bytes
    })
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Token")
    }
}

impl fmt::Debug for FamilyToken {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("FamilyToken")
    }
}

/// A point in time, in milliseconds since the beginning of 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    pub fn plus_seconds(self, seconds: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// In whole seconds since the beginning of 1970, as answers show it.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_forty_lowercase_digits() {
        let token = Token::random();
        let text = token.reveal();
        assert_eq!(text.len(), 40);
        assert_eq!(Token::key_of(&text), Some(token.key()));
        for wrong in [&text[1..], &"A".repeat(40), &"g".repeat(40), &format!("{}0", &*text)] {
            assert_eq!(Token::key_of(wrong), None);
        }
        assert_ne!(token.key(), Token::random().key());
        assert_eq!(format!("{token:?}"), "Token");
    }

    #[test]
    fn every_bit_of_a_token_is_random() {
        fn assert_random<const N: usize>(random: impl Fn() -> [u8; N]) {
            let mut ones = vec![0; N * 8];
            for _ in 0..4096 {
                let bytes = random();
                for (at, ones) in ones.iter_mut().enumerate() {
                    *ones += u32::from(bytes[at / 8] >> (at % 8) & 1);
                }
            }
            // Half of them, give or take ten standard deviations.
            assert!(ones.iter().all(|ones| (1728..=2368).contains(ones)), "{ones:?}");
        }
        assert_random(|| hex::decode::<20>(Token::random().reveal().as_bytes()).unwrap());
        let fresh = || FamilyToken::of(FamilyName::random());
        assert_random(|| hex::decode::<32>(fresh().reveal().as_bytes()).unwrap());
    }

    #[test]
    fn a_familys_tokens_begin_alike() {
        let family = FamilyName::random();
        let [first, second] = [FamilyToken::of(family), FamilyToken::of(family)];
        let (text, other) = (first.reveal(), second.reveal());
        assert_eq!((text.len(), &text[..24]), (64, &other[..24]));
        assert_ne!(text[24..], other[24..]);
        let read = FamilyToken::parse(&text).unwrap();
        assert_eq!((read.family.key(), read.key()), (family.key(), first.key()));
        assert_ne!(first.key(), second.key());
        for wrong in ["", &text[1..], &"A".repeat(64), &format!("{}0", &*text), &"é".repeat(32)] {
            assert!(FamilyToken::parse(wrong).is_none());
        }
        assert_eq!(format!("{first:?}"), "FamilyToken");
    }
}
