//! Programs that register themselves (RFC 7591), all as one client of the configuration.
//!
//!     program ── redirect URIs, a name ──> /oauth/register
//!             <── client_id, what it may use ──
//!
//! "An authorization server MAY issue the same client identifier to multiple instances of a
//! registered client" (RFC 7591, section 3.2.1): every program gets the same `client_id`, and
//! nothing that it says is stored. So nobody can fill up a list, and the name on the page stays what
//! the operator wrote.

use std::borrow::Cow;

use super::redirect_uri::matches;
use super::{Client, ErrorCode, Known, OAuthError, Rule};
use crate::encode::json_reader::Value;

const METADATA: Rule = Rule {
    code: ErrorCode::InvalidClientMetadata,
    checked: "the body is a JSON object whose members are of the right kinds",
    broken: "the body is not a JSON object, or one of its members is of the wrong kind",
    source: "RFC 7591, section 3.2.2",
};

const REDIRECT_URI: Rule = Rule {
    code: ErrorCode::InvalidRedirectUri,
    checked: "one of the redirect URIs is in this server's configuration",
    broken: "none of the redirect_uris is in this server's configuration",
    source: "RFC 7591, section 3.2.2",
};

/// The longest name that the answer repeats, in characters.
const LONGEST_NAME: usize = 100;

/// What the answer has besides the client's own properties.
pub struct Registered<'r> {
    pub client: &'r Client,
    redirect_uris: Value<'r>,
    pub name: Option<Cow<'r, str>>,
}

impl<'r> Registered<'r> {
    /// Those of the requested ones that the client has, whatever the port of a loopback address.
    pub fn redirect_uris(&self) -> impl Iterator<Item = Cow<'r, str>> {
        let asked = self.redirect_uris.items().into_iter().flatten();
        asked.filter_map(Value::string).filter(|uri| is_listed(self.client, uri))
    }
}

/// Answers a registration for `client`.
pub fn register<'r>(
    known: &Known,
    client: &'r Client,
    body: &'r [u8],
) -> Result<Registered<'r>, OAuthError> {
    let mut redirect_uris = None;
    let mut name = None;
    let members = Value::read(body).and_then(Value::members).ok_or_else(|| METADATA.error())?;
    for (member, value) in members {
        if !value.is_null() && !is_of_its_kind(&member, value) {
            return Err(METADATA.error());
        }
        // If a member appears twice, the last one counts.
        match &*member {
            "redirect_uris" => redirect_uris = Some(value),
            "client_name" => name = value.string(),
            _ => {}
        }
    }
    known.checked(METADATA);
    let redirect_uris = redirect_uris.ok_or_else(|| REDIRECT_URI.error())?;
    let registered =
        Registered { client, redirect_uris, name: name.filter(|name| is_a_name(name)) };
    known.must(registered.redirect_uris().next().is_some(), REDIRECT_URI)?;
    Ok(registered)
}

/// Whether a member has the kind that RFC 7591, section 2 gives it. Members that the answer does
/// not have are not looked at.
fn is_of_its_kind(member: &str, value: Value) -> bool {
    match member {
        "client_id" | "token_endpoint_auth_method" | "scope" | "client_name" => {
            value.string().is_some()
        }
        "redirect_uris" | "grant_types" | "response_types" => {
            value.items().is_some_and(|mut items| items.all(|item| item.string().is_some()))
        }
        _ => true,
    }
}

fn is_listed(client: &Client, uri: &str) -> bool {
    client.redirect_uris.iter().any(|registered| matches(uri, registered))
}

fn is_a_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grants::samples::World;
    use crate::oauth::registry::samples;

    fn client() -> Client {
        let mut client = samples::client("programs");
        client.redirect_uris = vec!["http://127.0.0.1/cb".into(), "https://a.example/cb".into()];
        client
    }

    /// The redirect URIs and the name in the answer to `body`, or its error.
    fn said(body: &str) -> Result<(Vec<String>, Option<String>), ErrorCode> {
        let (world, client) = (World::new(), client());
        let registered =
            register(&world.known(), &client, body.as_bytes()).map_err(|error| error.code)?;
        let uris = registered.redirect_uris().map(Cow::into_owned).collect();
        Ok((uris, registered.name.map(Cow::into_owned)))
    }

    #[test]
    fn listed_redirect_uris_are_said_back_and_others_dropped() {
        let body = r#"{"redirect_uris":["http://127.0.0.1:7/cb","https://evil.example/","https:\/\/a.example/cb"]}"#;
        let both = ["http://127.0.0.1:7/cb", "https://a.example/cb"].map(String::from).to_vec();
        assert_eq!(said(body), Ok((both, None)));
        for body in [
            "{}",
            r#"{"redirect_uris":null}"#,
            r#"{"redirect_uris":[]}"#,
            r#"{"redirect_uris":["https://evil.example/"]}"#,
            r#"{"redirect_uris":["http://127.0.0.1/cb"],"redirect_uris":["x:/"]}"#,
            r#"{"redirect_uris":["http://127.0.0.1/cb"],"redirect_uris":null}"#,
        ] {
            assert_eq!(said(body), Err(ErrorCode::InvalidRedirectUri), "{body}");
        }
    }

    #[test]
    fn a_member_of_the_wrong_kind_is_refused_and_null_is_none() {
        for body in ["", "[]", "null", "\"x\"", "{", "{\"a\":1}x", "{\"redirect_uris\":[1]}"] {
            assert_eq!(said(body), Err(ErrorCode::InvalidClientMetadata), "{body}");
        }
        let with = |member: &str, value: &str| {
            said(&format!(r#"{{"{member}":{value},"redirect_uris":["https://a.example/cb"]}}"#))
        };
        for member in ["client_id", "token_endpoint_auth_method", "scope", "client_name"] {
            for wrong in ["1", "true", "[\"a\"]", "{}"] {
                assert_eq!(with(member, wrong), Err(ErrorCode::InvalidClientMetadata), "{member}");
            }
            assert!(with(member, "null").is_ok() && with(member, "\"\"").is_ok());
        }
        for member in ["redirect_uris", "grant_types", "response_types"] {
            for wrong in ["1", "\"a\"", "[null]", "[[]]", "{}"] {
                assert_eq!(with(member, wrong), Err(ErrorCode::InvalidClientMetadata), "{member}");
            }
            assert!(with(member, "null").is_ok() && with(member, "[]").is_ok());
        }
        assert!(with("jwks", "7").is_ok());
        // The wrong kind is wrong, though the last counts.
        assert!(with("scope\":1,\"scope", "\"read\"").is_err());
    }

    #[test]
    fn a_name_is_said_back_where_it_is_one() {
        for (name, is_said) in [
            ("Notes", true),
            ("", false),
            (&"é".repeat(100), true),
            (&"é".repeat(101), false),
            ("a\\nb", false),
            ("a\\u0085b", false),
        ] {
            let body =
                format!(r#"{{"client_name":"{name}","redirect_uris":["https://a.example/cb"]}}"#);
            assert_eq!(said(&body).unwrap().1, is_said.then(|| name.to_string()), "{name}");
        }
    }
}
