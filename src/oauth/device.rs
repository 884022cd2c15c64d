//! Signing in on another screen (RFC 8628): the codes, and the person's decision about them.

use std::fmt;
use std::sync::Arc;

use super::grants::ALLOWED;
use super::sign_in::{Entered, sign_in};
use super::throttle::Subject;
use super::token::random_bytes;
use super::{
    Client, ErrorCode, GrantType, Known, OAuthError, Origin, Outcome, Rule, Scope, Token, scope,
};
use crate::store::PendingDevice;

/// Twenty consonants: no words can form, and none looks like another (RFC 8628, section 6.1).
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// What a person types: eight letters, some 34 bits, which is enough because wrong ones are
/// counted (RFC 8628, section 5.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserCode([u8; 8]);

/// What a person says about a device's request.
#[derive(Clone)]
pub enum Decision {
    Denied,
    Allowed { user: Arc<str>, scope: Scope },
}

impl UserCode {
    pub fn random() -> UserCode {
        let mut letters = [0; 8];
        let mut filled = 0;
        while filled < letters.len() {
            // Bytes from 240 on would make some letters likelier than others.
            for byte in random_bytes::<16>().into_iter().filter(|&byte| byte < 240) {
                if filled < letters.len() {
                    letters[filled] = ALPHABET[usize::from(byte % 20)];
                    filled += 1;
                }
            }
        }
        UserCode(letters)
    }

    /// Reads what a person typed: case, blanks and hyphens do not matter (RFC 8628, section 6.1).
    pub fn parse(text: &str) -> Option<UserCode> {
        let mut letters = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| c.to_ascii_uppercase());
        let mut code = [0; 8];
        for letter in &mut code {
            *letter = u8::try_from(letters.next()?).ok().filter(|c| ALPHABET.contains(c))?;
        }
        letters.next().is_none().then_some(UserCode(code))
    }

    /// The form in which it is shown, `WDJB-MJHT`.
    pub fn reveal(&self) -> String {
        let letters = self.0.map(char::from);
        let (first, second) = letters.split_at(4);
        first.iter().chain(&['-']).chain(second).collect()
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("UserCode")
    }
}

/// Starts a device's request (RFC 8628, section 3.1): a device code and a user code.
pub fn start(
    known: &Known,
    client: &Client,
    requested: Option<&str>,
    origin: Origin,
) -> Result<(Token, UserCode), OAuthError> {
    ALLOWED.must(client.may(GrantType::DeviceCode))?;
    let scope = scope::for_client(client, requested)?;
    Ok(known.store.start_device(known.registry, client, scope, origin.now))
}

/// A code that no device shows, or none that still waits.
const UNKNOWN: Rule = Rule {
    code: ErrorCode::InvalidGrant,
    broken: "the user code is unknown or has expired",
    source: "RFC 8628, section 3.3",
};

/// The pending request with the code that a person typed. A wrong code counts as a failed attempt:
/// codes are short, so nobody may try many.
pub fn find<'a>(
    known: &Known<'a>,
    typed: &str,
    origin: Origin,
    outcome: &mut Outcome<'a>,
) -> Result<(UserCode, PendingDevice), OAuthError> {
    known.throttle.check(Subject::UserCode, origin)?;
    let found = UserCode::parse(typed).and_then(|code| {
        known.store.pending_device(&code, origin.now).map(|device| (code, device))
    });
    let Some((code, device)) = found else {
        known.throttle.failed(Subject::UserCode, origin);
        return Err(UNKNOWN.error());
    };
    outcome.client = known.registry.client(&device.client);
    Ok((code, device))
}

/// What follows from a person's `allow`.
pub enum Allowed {
    Done,
    /// Nothing of what the device asked for is this user's to give: it has been denied.
    NothingToGive,
}

/// Lets a person allow the request of a device.
pub fn allow<'a>(
    known: &Known<'a>,
    (code, device): (&UserCode, &PendingDevice),
    entered: Entered,
    (origin, outcome): (Origin, &mut Outcome<'a>),
) -> Result<Allowed, OAuthError> {
    let user = sign_in(known, entered, origin, outcome)?;
    let (decision, allowed) = match scope::for_user(device.scope.clone(), user) {
        Ok(scope) => (Decision::allowed(user, scope), Allowed::Done),
        Err(_) => (Decision::Denied, Allowed::NothingToGive),
    };
    // Someone else may have been faster.
    UNKNOWN.must(known.store.decide_device(code, decision, origin.now))?;
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_code_is_easy_to_type() {
        let code = UserCode::random();
        let shown = code.reveal();
        assert_eq!((shown.len(), &shown[4..5]), (9, "-"));
        for typed in [
            shown.to_lowercase(),
            shown.replace('-', ""),
            format!(" {} ", shown.replace('-', " - ")),
        ] {
            assert_eq!(UserCode::parse(&typed), Some(code));
        }
        for wrong in ["", "WDJB", "WDJB-MJHA", "WDJB-MJHTT", "WDJB-MJH\u{17f}", "WDJB_MJHT"] {
            assert_eq!(UserCode::parse(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{code:?}"), "UserCode");
    }
}
