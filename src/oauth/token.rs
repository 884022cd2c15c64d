//! Tokens and the time in which they live.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use crate::encode::hex;

/// An access token, refresh token, authorization code or device code: 160 random bits, so many
/// that none can be guessed (RFC 6749, section 10.10).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token([u8; 20]);

impl Token {
    /// A fresh one from the operating system.
    pub fn random() -> Token {
        Token(random_bytes())
    }

    /// Reads 40 lowercase hexadecimal digits; nothing else can be one of ours.
    pub fn parse(text: &str) -> Option<Token> {
        hex::decode(text.as_bytes()).map(Token)
    }

    /// The digits, for the answer that gives it out and for nothing else.
    pub fn reveal(&self) -> hex::Digits<20> {
        hex::encode(&self.0)
    }
}

/// Whether the operating system gives random bytes. Asked once at the start: a server that cannot
/// make tokens should not begin.
pub fn has_randomness() -> bool {
    getrandom::fill(&mut [0; 20]).is_ok()
}

/// Random bytes that the operating system has given and nobody has had yet. Asking for many at
/// once saves a system call for each token, a tenth of what a token request costs.
struct Pool {
    bytes: [u8; 1024],
    left: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { bytes: [0; 1024], left: 0 });

/// Random bytes from the operating system.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if pool.left < N {
        getrandom::fill(&mut pool.bytes).expect("the operating system has randomness");
        pool.left = pool.bytes.len();
    }
    let mut bytes = [0; N];
    let end = pool.left;
    let given = &mut pool.bytes[end - N..end];
    bytes.copy_from_slice(given);
    // What has been given out stays nowhere else.
    given.fill(0);
    pool.left -= N;
    bytes
}

impl Hash for Token {
    /// Eight of its bytes say enough: they are random.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from_le_bytes(*self.0.first_chunk().expect("there are 20 bytes")));
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Token")
    }
}

/// An instant, in milliseconds since the beginning of 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    pub fn plus_seconds(self, seconds: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Whole seconds since the beginning of 1970, as answers show instants.
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
        assert_eq!(Token::parse(&text), Some(token));
        assert_eq!(Token::parse(&text[1..]), None);
        assert_eq!(Token::parse(&text.replace(|c: char| c.is_ascii_hexdigit(), "A")), None);
        assert_ne!(token, Token::random());
        assert_eq!(format!("{token:?}"), "Token");
    }
}
