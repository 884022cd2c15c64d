//! How a request names and authenticates its client: in the `Authorization` field, or in the form
//! (RFC 6749, section 2.3.1).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::client_auth::wrong;
use super::{Authorization, ErrorCode, OAuthError, Rule};
use crate::encode::form::{self, Form};

const NAMED: Rule = wrong("the request names its client");
const BASIC: Rule = wrong("the Authorization header holds valid Basic credentials");

/// "The client MUST NOT use more than one authentication method in each request."
const SECRET_TWICE: Rule =
    one_method("client_secret was sent in addition to the Authorization header");
const OTHER_ID: Rule = one_method("client_id differs from the client in the Authorization header");
const HEADER_TWICE: Rule = one_method("there is more than one Authorization header");

const fn one_method(broken: &'static str) -> Rule {
    let checked = "one method of authentication is used";
    Rule { code: ErrorCode::InvalidRequest, checked, broken, source: "RFC 6749, section 2.3" }
}

/// Where a request may have its client's credentials.
pub struct Credentials<'a> {
    pub authorization: Authorization<'a>,
    pub form: &'a Form<'a>,
}

/// An id and a secret as they were sent, and form-decoded. Usually that is the same. In Basic the
/// RFC wants them encoded (RFC 6749, section 2.3.1), but `curl -u` does not encode.
pub(super) struct Presented<'a> {
    /// The method of authentication, for an explained step.
    pub method: &'static str,
    pub sent: (&'a str, &'a str),
    pub decoded: (Cow<'a, str>, Cow<'a, str>),
}

impl<'a> Presented<'a> {
    fn as_sent(id: &'a str, secret: &'a str) -> Presented<'a> {
        let method = "client_secret in the body";
        Presented { method, sent: (id, secret), decoded: (id.into(), secret.into()) }
    }

    /// The different secrets of which one must be right, and how many they are.
    pub fn secrets(&self) -> ([&str; 2], usize) {
        let (sent, decoded) = (self.sent.1, &*self.decoded.1);
        let count = match (sent.is_empty(), sent == decoded) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        };
        ([sent, decoded], count)
    }
}

impl<'a> Credentials<'a> {
    /// Reads the credentials; `room` holds what is decoded.
    pub(super) fn read(&self, room: &'a mut Vec<u8>) -> Result<Presented<'a>, OAuthError> {
        let form: &'a Form = self.form;
        let (id, secret) = (form.get("client_id"), form.get("client_secret"));
        let value = match (self.authorization, id) {
            (Authorization::One(value), _) => value,
            (Authorization::Several, _) => return Err(HEADER_TWICE.error()),
            (Authorization::None, Some(id)) => {
                return Ok(Presented::as_sent(id, secret.unwrap_or("")));
            }
            (Authorization::None, None) => {
                return Err(NAMED.error().logged_as("the request names no client"));
            }
        };
        let no_basic = "the Authorization header holds no valid Basic credentials";
        let basic = basic(value, room).ok_or_else(|| BASIC.error().logged_as(no_basic))?;
        if secret.is_some() {
            return Err(SECRET_TWICE.error());
        }
        if id.is_some_and(|id| id != basic.sent.0 && id != basic.decoded.0) {
            return Err(OTHER_ID.error());
        }
        Ok(Presented { method: "HTTP Basic", ..basic })
    }
}

/// Reads HTTP Basic credentials (RFC 7617, section 2).
fn basic<'a>(value: &[u8], room: &'a mut Vec<u8>) -> Option<Presented<'a>> {
    let (scheme, encoded) = value.split_at_checked(b"Basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    STANDARD.decode_vec(encoded.trim_ascii(), room).ok()?;
    let (id, secret) = std::str::from_utf8(room).ok()?.split_once(':')?;
    if id.is_empty() {
        return None;
    }
    Some(match (form::decode(id), form::decode(secret)) {
        (Ok(decoded_id), Ok(decoded_secret)) => {
            let decoded = (decoded_id, decoded_secret);
            Presented { decoded, ..Presented::as_sent(id, secret) }
        }
        // Not form-encoded: this is how `curl -u` sends it.
        _ => Presented::as_sent(id, secret),
    })
}
