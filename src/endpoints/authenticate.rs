//! `/oauth/authenticate`: tells a proxy whether a request's token is good (forward-auth).
//!
//! Any method will do, since the proxy uses the one of its client. The answer is always 200, 401 or
//! 403: proxies understand nothing else.

use super::{Call, reply};
use crate::encode::form::{self, push_escaped};
use crate::http::Response;
use crate::oauth::audience::Place;
use crate::oauth::bearer::{self, Requirements};
use crate::oauth::resource::{Resources, Unknown};
use crate::oauth::{Outcome, Scope, presented};

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    let resources = &call.settings.registry.resources;
    let requirements = requirements(call.request.head.query.unwrap_or(""), resources);
    let checked = presented::token(&call.known, call.authorization(), None)
        .and_then(|token| bearer::find(&call.known, token, call.origin.now))
        // Before the checks, so that the log's line of a refusal names the client, too.
        .inspect(|info| info.tell(outcome))
        .and_then(|info| bearer::check(&call.known, &info, &requirements).map(|()| info));
    match checked {
        Ok(info) => {
            let user = info.user.map_or("", |user| &user.name);
            let fields = [
                ("X-Auth-Client", escaped(&info.client.id, false)),
                ("X-Auth-User", escaped(user, false)),
                ("X-Auth-Scope", escaped(info.scope().as_str(), true)),
            ];
            reply::authenticated(&fields)
        }
        Err(challenge) => reply::proxy_challenge(call, challenge, &requirements, outcome),
    }
}

/// What `?scope=a+b&client=x&user=y&resource=z` demands. Each may repeat, and then one value is
/// enough; but a token is for one resource, so two different ones fit no token.
fn requirements<'a>(query: &'a str, resources: &'a Resources) -> Requirements<'a> {
    let mut requirements = Requirements::default();
    let mut named = Vec::new();
    for pair in form::pairs(query) {
        match pair {
            Ok((name, value)) if name == "scope" => match Scope::parse(&value) {
                Ok(scope) => requirements.scopes.push(scope),
                Err(_) => requirements.impossible = true,
            },
            Ok((name, value)) if name == "client" => requirements.clients.push(value),
            Ok((name, value)) if name == "user" => requirements.users.push(value),
            Ok((name, value)) if name == "resource" => named.push(value),
            Ok(_) => {}
            Err(_) => requirements.impossible = true,
        }
    }
    requirements.place = match resources.named_by(named.iter().map(|url| &**url)) {
        Ok(None) => Place::Anywhere,
        Ok(Some(resource)) => Place::At(resource),
        Err(Unknown) => Place::Nowhere,
    };
    requirements
}

/// `value` as a header value that every proxy passes on unchanged.
fn escaped(value: &str, keep_blanks: bool) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'%' => push_escaped(&mut escaped, byte),
            b' ' if keep_blanks => escaped.push(' '),
            0x21..=0x7e => escaped.push(char::from(byte)),
            _ => push_escaped(&mut escaped, byte),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_values_are_escaped() {
        assert_eq!(escaped("a%b c\r\né\u{7f}~", false), "a%25b%20c%0D%0A%C3%A9%7F~");
        assert_eq!(escaped("read write", true), "read write");
    }

    #[test]
    fn what_the_query_asks_for() {
        let none = Resources::new(Vec::new());
        let asked = requirements("scope=a+b&scope=c&client=x&user=y&user=z&other=1", &none);
        assert_eq!(asked.scopes.len(), 2);
        assert_eq!((asked.clients.len(), asked.users.len(), asked.impossible), (1, 2, false));
        for query in ["scope=%22", "scope=%zz", "client=%ff"] {
            assert!(requirements(query, &none).impossible, "{query}");
        }
    }
}
