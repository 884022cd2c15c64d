//! Tokens and the time in which they live.

use std::cell::RefCell;
use std::fmt;
use std::hash::{Hash, Hasher};

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

/// How many bytes are asked for at once: enough for 12 tokens. Asking for each would be one more
/// system call, a tenth of what a token request costs.
const ASKED: usize = 240;

thread_local! {
    /// Bytes that the operating system has given and nobody has had yet: a thread's own, since a
    /// place for all would be one more lock that every request takes.
    static LEFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Random bytes from the operating system.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    const { assert!(N <= ASKED) };
    LEFT.with_borrow_mut(|left| {
        if left.len() < N {
            // Kept only once they are filled: after a failure, zeros must not pass for random.
            let mut fresh = vec![0; ASKED];
            getrandom::fill(&mut fresh).expect("the operating system has randomness");
            *left = fresh;
        }
        let given = left.last_chunk_mut().expect("there are enough");
        // What has been given out stays nowhere else.
        let bytes = std::mem::replace(given, [0; N]);
        left.truncate(left.len() - N);
        bytes
    })
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
