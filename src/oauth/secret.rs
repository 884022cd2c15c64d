//! Secrets and passwords, as they are presented and as they are stored.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::crypto::{pbkdf2, same, sha256};
use crate::encode::hex;

/// A secret in plain text. It has no `Display`, and its `Debug` says nothing.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, for whom we prove ourselves to.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A secret without one line end after it, which an editor or a terminal has added.
pub fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// What is stored of a secret, to compare with what is presented.
#[derive(Clone)]
pub enum StoredSecret {
    Plain(Secret),
    /// For random secrets of 128 bits or more, which nobody can guess, however fast the hash.
    Sha256([u8; 32]),
    /// For what people choose: each guess costs this many hashes.
    Pbkdf2 {
        iterations: u32,
        salt: Vec<u8>,
        key: [u8; 32],
    },
    /// While a secret is being changed: the new one, and the previous one.
    Changing(Box<[StoredSecret; 2]>),
}

/// Which secret was presented.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Right {
    Current,
    Previous,
}

/// PBKDF2's iterations for a new hash: the least that is recommended with SHA-256.
pub const ITERATIONS: u32 = 600_000;
/// With more iterations one guess would keep a processor busy for minutes.
const MOST_ITERATIONS: u32 = 100_000_000;

impl StoredSecret {
    /// Reads `sha256$HEX` or `pbkdf2-sha256$ITERATIONS$SALT$HASH`, where salt and hash are in
    /// base64.
    pub fn parse(text: &str) -> Option<StoredSecret> {
        let mut parts = text.split('$');
        let stored = match (parts.next()?, parts.next()?) {
            ("sha256", digits) => {
                StoredSecret::Sha256(hex::decode(digits.to_ascii_lowercase().as_bytes())?)
            }
            ("pbkdf2-sha256", iterations) => StoredSecret::Pbkdf2 {
                iterations: iterations
                    .parse()
                    .ok()
                    .filter(|n| (1..=MOST_ITERATIONS).contains(n))?,
                salt: decode_base64(parts.next()?)?,
                key: decode_base64(parts.next()?)?.try_into().ok()?,
            },
            _ => return None,
        };
        parts.next().is_none().then_some(stored)
    }

    /// The line for the configuration, of a password that a person chose.
    pub fn hash_password(password: &str, salt: &[u8], iterations: u32) -> String {
        let key = pbkdf2::derive(password.as_bytes(), salt, iterations);
        format!("pbkdf2-sha256${iterations}${}${}", BASE64.encode(salt), BASE64.encode(key))
    }

    /// The line for the configuration, of a random secret.
    pub fn hash_random(secret: &str) -> String {
        format!("sha256${}", &*hex::encode(&sha256::digest(secret.as_bytes())))
    }

    /// Whether `presented` is the secret, in a time that does not depend on how much of it is
    /// right.
    pub fn matches(&self, presented: &str) -> bool {
        self.matching(presented).is_some()
    }

    /// The same, and which secret it is if there are two.
    pub fn matching(&self, presented: &str) -> Option<Right> {
        let bytes = presented.as_bytes();
        let is_right = match self {
            StoredSecret::Plain(secret) => same(bytes, secret.0.as_bytes()),
            StoredSecret::Sha256(hash) => same(&sha256::digest(bytes), hash),
            StoredSecret::Pbkdf2 { iterations, salt, key } => {
                same(&pbkdf2::derive(bytes, salt, *iterations), key)
            }
            StoredSecret::Changing(both) => {
                let previous = || both[1].matches(presented).then_some(Right::Previous);
                return both[0].matching(presented).or_else(previous);
            }
        };
        is_right.then_some(Right::Current)
    }

    /// Whether both are the same secret, as far as can be told: two hashes of one secret differ. A
    /// previous secret does not count.
    pub fn is_kept_as(&self, other: &StoredSecret) -> bool {
        match (self, other) {
            (StoredSecret::Changing(both), other) | (other, StoredSecret::Changing(both)) => {
                both[0].is_kept_as(other)
            }
            (StoredSecret::Plain(secret), StoredSecret::Plain(_) | StoredSecret::Sha256(_)) => {
                other.matches(&secret.0)
            }
            (StoredSecret::Sha256(_), StoredSecret::Plain(secret)) => self.matches(&secret.0),
            (StoredSecret::Sha256(hash), StoredSecret::Sha256(other)) => hash == other,
            (StoredSecret::Pbkdf2 { key, .. }, StoredSecret::Pbkdf2 { key: other, .. }) => {
                key == other
            }
            _ => false,
        }
    }

    /// Whether a comparison takes so long that only a few may run at once.
    pub fn is_slow(&self) -> bool {
        match self {
            StoredSecret::Plain(_) | StoredSecret::Sha256(_) => false,
            StoredSecret::Pbkdf2 { .. } => true,
            StoredSecret::Changing(both) => both.iter().any(StoredSecret::is_slow),
        }
    }

    /// What a comparison costs, in hashes.
    pub fn cost(&self) -> u32 {
        match self {
            StoredSecret::Plain(_) => 0,
            StoredSecret::Sha256(_) => 1,
            StoredSecret::Pbkdf2 { iterations, .. } => *iterations,
            StoredSecret::Changing(both) => both[0].cost().saturating_add(both[1].cost()),
        }
    }
}

impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("StoredSecret")
    }
}

/// Base64 with or without padding: both are common in such lines.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let padding = "=".repeat((4 - text.trim_end_matches('=').len() % 4) % 4);
    BASE64.decode(format!("{}{padding}", text.trim_end_matches('='))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_nothing_of_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret");
        assert!(Secret::new("").is_empty() && !Secret::new("hunter2").is_empty());
    }

    #[test]
    fn every_kept_form_knows_its_secret() {
        let kept = [
            StoredSecret::Plain(Secret::new("pä$$")),
            StoredSecret::parse(&StoredSecret::hash_random("pä$$")).unwrap(),
            StoredSecret::parse(&StoredSecret::hash_password("pä$$", b"salt", 3)).unwrap(),
        ];
        for stored in kept {
            assert!(stored.matches("pä$$"));
            assert!(!stored.matches("pä$") && !stored.matches("") && !stored.matches("pä$$ "));
            assert_eq!(format!("{stored:?}"), "StoredSecret");
        }
    }

    #[test]
    fn while_a_secret_changes_both_are_right() {
        let plain = |text| StoredSecret::Plain(Secret::new(text));
        let slow = StoredSecret::parse(&StoredSecret::hash_password("old", b"salt", 3)).unwrap();
        let both = StoredSecret::Changing(Box::new([plain("new"), slow]));
        assert_eq!(both.matching("new"), Some(Right::Current));
        assert_eq!(both.matching("old"), Some(Right::Previous));
        assert_eq!(both.matching("other"), None);
        assert_eq!((both.is_slow(), both.cost()), (true, 3));
        assert_eq!(format!("{both:?}"), "StoredSecret");
    }

    #[test]
    fn only_what_people_choose_is_slow_and_costs_its_iterations() {
        let random = StoredSecret::parse(&StoredSecret::hash_random("secret")).unwrap();
        let chosen = StoredSecret::parse(&StoredSecret::hash_password("a", b"salt", 7)).unwrap();
        for (stored, expected) in [
            (StoredSecret::Plain(Secret::new("secret")), (false, 0)),
            (random, (false, 1)),
            (chosen, (true, 7)),
        ] {
            assert_eq!((stored.is_slow(), stored.cost()), expected);
        }
    }

    #[test]
    fn the_longest_secret_costs_in_proportion_to_its_length() {
        const BODY: usize = 64 * 1024;
        let longest = "x".repeat(BODY);
        let once = BODY as u64 / 64;
        for (stored, blocks) in [
            (StoredSecret::Plain(Secret::new("secret")), 0),
            (StoredSecret::parse(&StoredSecret::hash_random("secret")).unwrap(), once),
            // Two blocks for each iteration, and the password in the first alone.
            (
                StoredSecret::parse(&StoredSecret::hash_password("a", b"salt", 1000)).unwrap(),
                2000 + once,
            ),
        ] {
            let before = sha256::COMPRESSED.get();
            assert!(!stored.matches(&longest));
            let counted = sha256::COMPRESSED.get() - before;
            assert!((blocks..=blocks + 5).contains(&counted), "{counted} for {blocks}");
        }
    }

    #[test]
    fn base64_is_read_with_padding_and_without() {
        let line = StoredSecret::hash_password("a", b"1234567", 1);
        assert!(line.ends_with('=') && line.contains("=$"));
        assert!(StoredSecret::parse(&line.replace('=', "")).unwrap().matches("a"));
    }

    #[test]
    fn malformed_lines_are_none() {
        let key = BASE64.encode([0; 32]);
        for text in [
            "",
            "secret",
            "sha256$",
            "sha256$00",
            "md5$00",
            "pbkdf2-sha256$1$c2FsdA$c2hvcnQ",
            &format!("pbkdf2-sha256$0$c2FsdA${key}"),
            &format!("pbkdf2-sha256$-1$c2FsdA${key}"),
            &format!("pbkdf2-sha256$1$!${key}"),
            &format!("pbkdf2-sha256$1$c2FsdA${key}$"),
            &format!("pbkdf2-sha256$4294967295$c2FsdA${key}"),
        ] {
            assert!(StoredSecret::parse(text).is_none(), "{text}");
        }
    }
    #[test]
    fn a_secret_is_known_in_another_form_where_that_costs_nothing() {
        let plain = |text| StoredSecret::Plain(Secret::new(text));
        let fast = |text| StoredSecret::parse(&StoredSecret::hash_random(text)).unwrap();
        let slow = |text| StoredSecret::hash_password(text, b"salt", 1);
        let slow = |text| StoredSecret::parse(&slow(text)).unwrap();
        for (before, now, same) in [
            (plain("a"), plain("a"), true),
            (plain("a"), plain("b"), false),
            (plain("a"), fast("a"), true),
            (fast("a"), plain("a"), true),
            (fast("a"), fast("b"), false),
            (slow("a"), slow("a"), true),
            (slow("a"), slow("b"), false),
            (slow("a"), plain("a"), false),
            (fast("a"), slow("a"), false),
        ] {
            assert_eq!(before.is_kept_as(&now), same, "{before:?} {now:?}");
        }
    }
}
