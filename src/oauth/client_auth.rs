//! Which client asks (RFC 6749, sections 2.3 and 3.2.1).
//!
//!     POST /oauth/token
//!     Authorization: Basic YXBwbGljYXRpb246c2VjcmV0         application:secret
//!
//! or, in the body of the same request:
//!
//!     client_id=application&client_secret=secret            a confidential client
//!     client_id=publicApplication                           a public one: it has no secret
//!
//!     HTTP/1.1 401 Unauthorized                             whatever of the two is wrong
//!     WWW-Authenticate: Basic realm="oauth2d"
//!     {"error":"invalid_client","error_description":"client authentication failed"}

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::throttle::{Attempt, Subject};
use super::{Authorization, Client, ErrorCode, Known, OAuthError, Origin, Rule};
use crate::encode::form::{self, Form};

/// In the same words whether the id or the secret is wrong: nobody learns which clients there are.
const WRONG: Rule = Rule {
    code: ErrorCode::InvalidClient,
    broken: "client authentication failed",
    source: "RFC 6749, section 5.2",
};

/// "The client MUST NOT use more than one authentication method in each request."
const SECRET_TWICE: Rule = one_method("client_secret is there beside the Authorization header");
const OTHER_ID: Rule = one_method("client_id is not the client of the Authorization header");
const HEADER_TWICE: Rule = one_method("there is more than one Authorization header");

const fn one_method(broken: &'static str) -> Rule {
    Rule { code: ErrorCode::InvalidRequest, broken, source: "RFC 6749, section 2.3" }
}

/// An API asks about tokens of others, so it has to show who it is.
const WITH_A_SECRET: Rule = Rule {
    code: ErrorCode::InvalidClient,
    broken: "this needs a client with a secret",
    source: "RFC 7662, section 2.1",
};

/// What the request says of its client.
pub struct Credentials<'a> {
    pub authorization: Authorization<'a>,
    pub form: &'a Form<'a>,
}

/// An id and a secret as sent, and form-decoded, which is mostly the same: the RFC has them encoded
/// inside Basic (RFC 6749, section 2.3.1), but `curl -u` does not encode.
struct Presented<'a> {
    sent: (&'a str, &'a str),
    decoded: (Cow<'a, str>, Cow<'a, str>),
}

impl<'a> Presented<'a> {
    fn as_sent(id: &'a str, secret: &'a str) -> Presented<'a> {
        Presented { sent: (id, secret), decoded: (id.into(), secret.into()) }
    }

    /// The secrets of which one has to be right, each once.
    fn secrets(&self) -> ([&str; 2], usize) {
        let (sent, decoded) = (self.sent.1, &*self.decoded.1);
        let count = match (sent.is_empty(), sent == decoded) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        };
        ([sent, decoded], count)
    }
}

/// The client that these credentials are of. `invalid_client` where there is none, in the same
/// words and the same time whether the id or the secret is wrong; `invalid_request` where two
/// methods are used at once.
pub fn authenticate<'a>(
    known: &Known<'a>,
    credentials: &Credentials,
    origin: Origin,
) -> Result<&'a Client, OAuthError> {
    let mut room = Vec::new();
    let presented = presented(credentials, &mut room)?;
    let id = &*presented.decoded.0;
    let client = known.registry.client(id).or_else(|| known.registry.client(presented.sent.0));
    let (secrets, count) = presented.secrets();
    let secrets = &secrets[..count];
    match client {
        // "A client MAY use client_id to identify itself" where it has no secret (RFC 6749,
        // section 3.2.1).
        Some(client) if client.secret.is_none() && secrets.is_empty() => return Ok(client),
        _ => {}
    }
    let attempt = Attempt {
        subject: Subject::Client(client.map_or(id, |client| &client.id)),
        presented: secrets,
        kept: client.and_then(|client| client.secret.as_ref()),
        decoy: known.registry.decoy_secret(),
    };
    let right = known.throttle.attempt(&attempt, origin, known.in_turn)?;
    match client {
        Some(client) if right => Ok(client),
        _ => Err(WRONG.error().logged_as(match client {
            None => "there is no such client",
            Some(client) if client.secret.is_none() => "the client has no secret, and one was sent",
            Some(_) if secrets.is_empty() => "the client has a secret, and none was sent",
            Some(_) => "the client secret is wrong",
        })),
    }
}

/// For what only clients with a secret may do.
pub fn require_secret(client: &Client) -> Result<(), OAuthError> {
    WITH_A_SECRET.must(client.secret.is_some())
}

/// Reads the credentials; `room` holds what they have to be decoded to.
fn presented<'a>(
    credentials: &Credentials<'a>,
    room: &'a mut Vec<u8>,
) -> Result<Presented<'a>, OAuthError> {
    let form: &'a Form = credentials.form;
    let (id, secret) = (form.get("client_id"), form.get("client_secret"));
    let value = match (credentials.authorization, id) {
        (Authorization::One(value), _) => value,
        (Authorization::Several, _) => return Err(HEADER_TWICE.error()),
        (Authorization::None, Some(id)) => {
            return Ok(Presented::as_sent(id, secret.unwrap_or("")));
        }
        (Authorization::None, None) => {
            return Err(WRONG.error().logged_as("the request names no client"));
        }
    };
    let no_basic = "the Authorization header holds no valid Basic credentials";
    let basic = basic(value, room).ok_or_else(|| WRONG.error().logged_as(no_basic))?;
    SECRET_TWICE.must(secret.is_none())?;
    OTHER_ID.must(id.is_none_or(|id| id == basic.sent.0 || id == basic.decoded.0))?;
    Ok(basic)
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
            Presented { sent: (id, secret), decoded: (decoded_id, decoded_secret) }
        }
        // No form encoding, so it is as `curl -u` sends it.
        _ => Presented::as_sent(id, secret),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grants::samples::{AT_ONCE, origin};
    use crate::oauth::registry::samples;
    use crate::oauth::secret::{Secret, StoredSecret};
    use crate::oauth::{Throttle, Timestamp};
    use crate::store::Store;

    /// The client's id, or the error's code, for this Authorization field and form.
    fn outcome(authorization: &[&str], body: &str) -> String {
        let mut odd = samples::client("id with/odd+signs");
        odd.secret = Some(StoredSecret::Plain(Secret::new("p%40ss+w:rd é")));
        let mut public = samples::client("public");
        public.secret = None;
        let registry = samples::registry(vec![samples::client("client"), odd, public]);
        let fields = authorization.iter().map(|field| field.as_bytes());
        let form = Form::parse(body, &["client_id", "client_secret"]).unwrap();
        let credentials = Credentials { authorization: Authorization::of(fields), form: &form };
        let (store, throttle) = (Store::new(), Throttle::new());
        let known =
            Known { registry: &registry, store: &store, throttle: &throttle, in_turn: AT_ONCE };
        match authenticate(&known, &credentials, origin(Timestamp(0))) {
            Ok(client) => client.id.to_string(),
            Err(error) => error.code.as_str().into(),
        }
    }

    fn basic_of(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn a_client_says_who_it_is_in_either_way() {
        assert_eq!(outcome(&[&basic_of("client:secret")], ""), "client");
        assert_eq!(outcome(&[&basic_of("client:secret").replace("Basic", "bASIC")], ""), "client");
        assert_eq!(
            outcome(&[&basic_of("client:secret")], "client_id=client&client_secret="),
            "client"
        );
        assert_eq!(outcome(&[], "client_id=client&client_secret=secret"), "client");
    }

    #[test]
    fn basic_is_taken_encoded_and_as_sent() {
        assert_eq!(
            outcome(&[&basic_of("id with/odd+signs:p%40ss+w:rd é")], ""),
            "id with/odd+signs"
        );
        assert_eq!(
            outcome(&[&basic_of("id+with%2Fodd%2Bsigns:p%2540ss%2Bw%3Ard+%C3%A9")], ""),
            "id with/odd+signs"
        );
    }

    #[test]
    fn a_public_client_has_an_id_alone() {
        assert_eq!(outcome(&[], "client_id=public"), "public");
        assert_eq!(outcome(&[&basic_of("public:")], ""), "public");
        assert_eq!(outcome(&[&basic_of("public:secret")], ""), "invalid_client");
    }

    #[test]
    fn everything_else_is_refused() {
        for (fields, body, expected) in [
            (vec![], "", "invalid_client"),
            (vec![], "client_secret=secret", "invalid_client"),
            (vec![], "client_id=client", "invalid_client"),
            (vec![], "client_id=nobody&client_secret=secret", "invalid_client"),
            (vec![basic_of("client:wrong")], "", "invalid_client"),
            (vec![basic_of("client:")], "", "invalid_client"),
            (vec![basic_of(":secret")], "", "invalid_client"),
            (vec![basic_of("client")], "", "invalid_client"),
            (vec!["Basic !".into()], "", "invalid_client"),
            (vec!["Basic".into()], "", "invalid_client"),
            (vec!["Bearer abc".into()], "client_id=client&client_secret=secret", "invalid_client"),
            (vec![basic_of("client:secret")], "client_secret=secret", "invalid_request"),
            (vec![basic_of("client:secret")], "client_id=other", "invalid_request"),
            (vec![basic_of("client:secret"), basic_of("client:secret")], "", "invalid_request"),
        ] {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            assert_eq!(outcome(&fields, body), expected, "{fields:?} {body}");
        }
    }
}
