//! Which client asks (RFC 6749, sections 2.3 and 3.2.1).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::throttle::Subject;
use super::{Authorization, Client, ErrorCode, Known, OAuthError, Origin};
use crate::encode::form::{self, Form};

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
}

/// The client that these credentials are of. `invalid_client` where there is none, in the same
/// words and the same time whether the id or the secret is wrong; `invalid_request` where two
/// methods are used at once.
pub fn authenticate<'a>(
    known: &Known<'a>,
    credentials: &Credentials,
    origin: Origin,
) -> Result<&'a Client, OAuthError> {
    let registry = known.registry;
    let mut room = Vec::new();
    let presented = presented(credentials, &mut room)?;
    let (sent_id, sent_secret) = presented.sent;
    let (id, secret) = (&*presented.decoded.0, &*presented.decoded.1);
    let client = registry.client(id).or_else(|| registry.client(sent_id));
    let name = client.map_or(id, |client| &client.id);

    let secrets = [sent_secret, secret];
    let secrets = match (sent_secret.is_empty(), sent_secret == secret) {
        (true, _) => &[][..],
        (false, true) => &secrets[..1],
        (false, false) => &secrets[..],
    };
    let is_public = client.is_some_and(|client| client.secret.is_none());
    if let (true, true, Some(client)) = (is_public, secrets.is_empty(), client) {
        return Ok(client);
    }
    let kept = client.and_then(|client| client.secret.as_ref());
    let secret = kept.unwrap_or(registry.decoy_secret());
    let right = known.throttle.attempt(Subject::Client(name), origin, secret, secrets)?;
    match client {
        Some(client) if right && kept.is_some() => Ok(client),
        _ => Err(wrong().logged_as(match client {
            None => "there is no such client",
            Some(_) if is_public => "the client has no secret, and one was sent",
            Some(_) if secrets.is_empty() => "the client has a secret, and none was sent",
            Some(_) => "the client secret is wrong",
        })),
    }
}

/// For what only clients with a secret may do.
pub fn require_secret(client: &Client) -> Result<(), OAuthError> {
    match client.secret {
        Some(_) => Ok(()),
        None => Err(OAuthError::new(
            ErrorCode::InvalidClient,
            "this needs a client with a secret",
            "RFC 7662, section 2.1",
        )),
    }
}

/// Reads the credentials; `room` holds what they have to be decoded to.
fn presented<'a>(
    credentials: &Credentials<'a>,
    room: &'a mut Vec<u8>,
) -> Result<Presented<'a>, OAuthError> {
    let form: &'a Form = credentials.form;
    let (id, secret) = (form.get("client_id"), form.get("client_secret"));
    match credentials.authorization {
        Authorization::None => match id {
            Some(id) => Ok(Presented::as_sent(id, secret.unwrap_or(""))),
            None => Err(wrong().logged_as("the request names no client")),
        },
        Authorization::One(value) => {
            let presented = basic(value, room).ok_or_else(|| {
                wrong().logged_as("the Authorization field is no Basic credentials")
            })?;
            if secret.is_some() {
                return Err(two_methods("client_secret is there beside the Authorization field"));
            }
            if id.is_some_and(|id| id != presented.sent.0 && id != presented.decoded.0) {
                return Err(two_methods("client_id is not the client of the Authorization field"));
            }
            Ok(presented)
        }
        Authorization::Several => Err(two_methods("there is more than one Authorization field")),
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
            Presented { sent: (id, secret), decoded: (decoded_id, decoded_secret) }
        }
        _ => Presented::as_sent(id, secret),
    })
}

fn wrong() -> OAuthError {
    OAuthError::new(
        ErrorCode::InvalidClient,
        "client authentication failed",
        "RFC 6749, section 5.2",
    )
}

fn two_methods(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, description, "RFC 6749, section 2.3")
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let (store, throttle) = (Store::new(), Throttle::new(1));
        let known = Known { registry: &registry, store: &store, throttle: &throttle };
        let origin = Origin { address: [127, 0, 0, 1].into(), now: Timestamp(0) };
        match authenticate(&known, &credentials, origin) {
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
