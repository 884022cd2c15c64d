//! The keys of the bench for other people's tests: `testing`, `issuer = request`, `auto_approve`
//! and `faults`. Without `testing = yes` each of the others is a fault.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::Read;
use super::keys::{Keys, Value, nearest_number};
use super::names::Names;
use super::nearest::{did_you_mean, nearest};
use super::server::Server;
use crate::http::Status;
use crate::oauth::ErrorCode;

/// The value of `issuer` with which each request names it.
pub const REQUEST: &str = "request";

/// What `testing = yes` allows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Testing {
    /// The issuer is the host that a request is sent to.
    pub issuer_is_requested: bool,
    /// By client id.
    pub benches: HashMap<Arc<str>, Bench>,
}

/// What a client's section says for tests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bench {
    /// The user who allows everything that this client asks for.
    pub auto_approve: Option<Arc<str>>,
    /// How its token requests are answered, one after another.
    pub faults: Vec<Fault>,
}

/// One word of `faults`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// As written in the file, for the log.
    pub word: String,
    pub kind: FaultKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// No fault: the right answer.
    Ok,
    /// This error, with its own status.
    Error(ErrorCode),
    /// An error with this status.
    Status(Status),
    /// The right answer, so many seconds late.
    Delay(u64),
    /// No answer; the connection ends.
    Close,
    /// Half of the right answer, and the connection ends.
    Truncated,
    /// An HTML page instead of the right answer.
    Garbage,
    /// A token that lives one second.
    Short,
    /// The right answer without its refresh token.
    NoRefreshToken,
}

/// Seconds: less than clients usually wait.
const DELAY: RangeInclusive<u64> = 0..=25;
const STATUS: RangeInclusive<u64> = 400..=599;

/// Errors of the token endpoint (RFC 6749, section 5.2), and the one for a busy server.
const ERRORS: [ErrorCode; 7] = [
    ErrorCode::InvalidRequest,
    ErrorCode::InvalidClient,
    ErrorCode::InvalidGrant,
    ErrorCode::UnauthorizedClient,
    ErrorCode::UnsupportedGrantType,
    ErrorCode::InvalidScope,
    ErrorCode::TemporarilyUnavailable,
];

const OTHERS: [(&str, FaultKind); 6] = [
    ("ok", FaultKind::Ok),
    ("close", FaultKind::Close),
    ("truncated", FaultKind::Truncated),
    ("garbage", FaultKind::Garbage),
    ("short", FaultKind::Short),
    ("no_refresh_token", FaultKind::NoRefreshToken),
];

/// Puts what the file says of `testing` into `server`, once all keys of its section are known.
pub(super) fn settle(keys: &mut Keys, said: Option<Value>, server: &mut Server) {
    let is_on = match &said {
        Some(value) => value.text != "no",
        // If mistyped or unreadable it counts as what was meant.
        None => keys.has("testing"),
    };
    if let Some(value) = said.filter(|value| !["yes", "no"].contains(&value.text.as_str())) {
        keys.fault(value.line, "testing must be yes or no");
    }
    let issuer_is_requested = server.issuer.as_deref() == Some(REQUEST);
    if issuer_is_requested {
        server.issuer = None;
    }
    if is_on {
        let what = "testing = yes is for tests alone: auto_approve gives codes and tokens without \
                    a password, faults breaks answers on purpose, and issuer = request believes \
                    every Host";
        keys.warn(keys.line_of("testing"), what);
        server.testing = Some(Testing { issuer_is_requested, ..Testing::default() });
    } else if issuer_is_requested {
        keys.fault(keys.line_of("issuer"), NEEDS_TESTING.replace("KEY", "issuer = request"));
    }
}

const NEEDS_TESTING: &str = "KEY needs testing = yes in [server]";

/// Takes what a client's section says for tests.
pub(super) fn client(keys: &mut Keys, read: &mut Read) {
    let approver = keys.take("auto_approve");
    let words = keys.words("faults");
    let Some(testing) = &mut read.server.testing else {
        for key in ["auto_approve", "faults"] {
            if let Some(line) = keys.place(key) {
                keys.fault(line, NEEDS_TESTING.replace("KEY", key));
            }
        }
        return;
    };
    let bench = Bench {
        auto_approve: approver.and_then(|value| user(keys, value, &read.names)),
        faults: words.map_or(Vec::new(), |(line, words)| faults(keys, line, &words)),
    };
    if bench != Bench::default() {
        testing.benches.insert(keys.name().into(), bench);
    }
}

fn user(keys: &mut Keys, value: Value, names: &Names) -> Option<Arc<str>> {
    if !names.may_have("user", &value.text) {
        let meant = did_you_mean(&value.text, names.of("user"));
        keys.fault(value.line, format!("auto_approve is not a [user] of this file{meant}"));
    }
    Some(value.text.into())
}

fn faults(keys: &mut Keys, line: usize, words: &[String]) -> Vec<Fault> {
    if words.is_empty() {
        keys.fault(line, "faults is empty; write one or leave it out");
    }
    let mut faults = Vec::new();
    for word in words {
        match kind(word) {
            Ok(kind) => faults.push(Fault { word: word.clone(), kind }),
            Err(what) => keys.fault(line, what),
        }
    }
    faults
}

/// The fault of a word, or what would be right.
fn kind(word: &str) -> Result<FaultKind, String> {
    if let Some((name, number)) = word.split_once(':') {
        return match name {
            "status" => {
                let status = within(number, &STATUS)?.try_into().ok().and_then(Status::numbered);
                status.map(FaultKind::Status).ok_or_else(|| unknown(word))
            }
            "delay" => within(number, &DELAY).map(FaultKind::Delay),
            _ => Err(unknown(word)),
        };
    }
    let error = ERRORS.into_iter().find(|error| error.as_str() == word).map(FaultKind::Error);
    let other = || OTHERS.into_iter().find(|(name, _)| *name == word).map(|(_, kind)| kind);
    error.or_else(other).ok_or_else(|| unknown(word))
}

fn within(digits: &str, range: &RangeInclusive<u64>) -> Result<u64, String> {
    let number = digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
    number.filter(|number| range.contains(number)).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        let meant = nearest_number(digits, range);
        let meant = meant.map_or(String::new(), |number| format!("; did you mean {number}?"));
        format!("a fault's number must be a whole number from {least} to {most}{meant}")
    })
}

fn unknown(word: &str) -> String {
    let words = ERRORS.iter().map(|error| error.as_str());
    let words: Vec<&str> = OTHERS.iter().map(|(name, _)| *name).chain(words).collect();
    match nearest(word, words.iter().copied()) {
        Some(meant) => format!("unknown fault {word:?}; did you mean {meant}?"),
        None => format!("unknown fault; the faults are {}, status:N, delay:S", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_list_and_no_other() {
        for (word, expected) in [
            ("ok", FaultKind::Ok),
            ("invalid_grant", FaultKind::Error(ErrorCode::InvalidGrant)),
            ("temporarily_unavailable", FaultKind::Error(ErrorCode::TemporarilyUnavailable)),
            ("status:503", FaultKind::Status(Status::ServiceUnavailable)),
            ("delay:25", FaultKind::Delay(25)),
            ("close", FaultKind::Close),
            ("truncated", FaultKind::Truncated),
            ("garbage", FaultKind::Garbage),
            ("short", FaultKind::Short),
            ("no_refresh_token", FaultKind::NoRefreshToken),
        ] {
            assert_eq!(kind(word), Ok(expected), "{word}");
        }
        let told = |word| kind(word).unwrap_err();
        assert_eq!(told("closed"), "unknown fault \"closed\"; did you mean close?");
        assert!(told("access_denied").starts_with("unknown fault; the faults are ok, close, "));
        assert!(told("pause:5").starts_with("unknown fault"));
        let range = "a fault's number must be a whole number from";
        assert_eq!(told("status:600"), format!("{range} 400 to 599; did you mean 599?"));
        assert_eq!(told("status:+404"), format!("{range} 400 to 599"));
        assert_eq!(told("delay:26"), format!("{range} 0 to 25; did you mean 25?"));
        assert_eq!(told("delay:"), format!("{range} 0 to 25"));
    }
}
