//! Client authentication (RFC 6749, sections 2.3 and 3.2.1).
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

use super::credentials::Credentials;
use super::secret::Right;
use super::throttle::{Attempt, Subject};
use super::{Client, ErrorCode, Known, OAuthError, Origin, Outcome, Rule};

/// The same words whether the id or the secret is wrong, so that nobody learns which clients exist.
const ITSELF: Rule = wrong("the client is known, and its secret is right");

pub(super) const fn wrong(checked: &'static str) -> Rule {
    let broken = "client authentication failed";
    Rule { code: ErrorCode::InvalidClient, checked, broken, source: "RFC 6749, section 5.2" }
}

/// An API asks about other clients' tokens, so it has to prove who it is.
const WITH_A_SECRET: Rule = Rule {
    code: ErrorCode::InvalidClient,
    checked: "the client is one with a secret",
    broken: "this needs a client with a secret",
    source: "RFC 7662, section 2.1",
};

/// The client with these credentials. `invalid_client` if they are wrong, in the same words and the
/// same time whether it is the id or the secret; `invalid_request` if two methods are used at once.
pub fn authenticate<'a>(
    known: &Known<'a>,
    credentials: &Credentials,
    origin: Origin,
    outcome: &mut Outcome<'a>,
) -> Result<&'a Client, OAuthError> {
    let mut room = Vec::new();
    let presented = credentials.read(&mut room)?;
    let id = &*presented.decoded.0;
    let client = known.registry.client(id).or_else(|| known.registry.client(presented.sent.0));
    outcome.client = client;
    let (secrets, count) = presented.secrets();
    let secrets = &secrets[..count];
    match client {
        // A public client: "a client MAY use the client_id request parameter to identify itself"
        // (RFC 6749, section 3.2.1).
        Some(client) if client.secret.is_none() && secrets.is_empty() => {
            let source = "RFC 6749, section 3.2.1";
            known.did(format_args!("client {}, by its id: it has no secret", client.id), source);
            return Ok(client);
        }
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
        Some(client) if right.is_some() => {
            outcome.by_previous_secret = right == Some(Right::Previous);
            let method = presented.method;
            known.did(format_args!("client {}, by {method}", client.id), "RFC 6749, section 2.3.1");
            Ok(client)
        }
        _ => Err(ITSELF.error().logged_as(match client {
            None => "there is no such client",
            Some(client) if client.secret.is_none() => "the client has no secret, and one was sent",
            Some(_) if secrets.is_empty() => "the client has a secret, and none was sent",
            Some(_) => "the client secret is wrong",
        })),
    }
}

/// Refuses public clients, for what only clients with a secret may do.
pub fn require_secret(known: &Known, client: &Client) -> Result<(), OAuthError> {
    known.must(client.secret.is_some(), WITH_A_SECRET)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::form::Form;
    use crate::oauth::Authorization;
    use crate::oauth::grants::samples::{AT_ONCE, origin};
    use crate::oauth::registry::samples;
    use crate::oauth::secret::{Secret, StoredSecret};
    use crate::oauth::{Throttle, Timestamp};
    use crate::store::Store;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

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
        let known = Known {
            registry: &registry,
            store: &store,
            throttle: &throttle,
            in_turn: AT_ONCE,
            steps: None,
        };
        let mut outcome = Outcome::default();
        match authenticate(&known, &credentials, origin(Timestamp(0)), &mut outcome) {
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
