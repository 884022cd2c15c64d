//! `[resource URL]`: a protected service, for which tokens can be.

use std::collections::HashSet;
use std::sync::Arc;

use super::Read;
use super::keys::{Keys, Value};
use super::nearest::nearest;
use crate::oauth::resource::{Resource, fault, identity};

/// The kind of section that this is about.
pub const KIND: &str = "resource";

pub fn read(keys: &mut Keys, read: &mut Read) {
    if let Some(what) = fault(keys.name()) {
        keys.fault(keys.line(), format!("the resource's URL {what}"));
    }
    let resource = Resource {
        scopes: keys.scopes("scopes").unwrap_or_default(),
        name: keys.label("name").map(Arc::from),
        clients: listed(keys, "clients", ("client", read)),
        users: listed(keys, "users", ("user", read)),
        ..Resource::new(keys.name())
    };
    keys.end();
    check_defaults(keys, &resource, read);
    read.resources.push(resource);
}

/// Some names of the file, which are of this kind.
fn listed(
    keys: &mut Keys,
    key: &'static str,
    (kind, read): (&str, &Read),
) -> Option<HashSet<String>> {
    let (line, words) = keys.words(key)?;
    if words.is_empty() {
        keys.fault(line, format!("{key} is empty; write one or leave it out"));
    }
    for word in words.iter().filter(|word| !read.names.may_have(kind, word)) {
        let meant = nearest(word, read.names.of(kind));
        keys.fault(
            line,
            match meant {
                Some(meant) => format!("{key} has {word:?}; did you mean {meant}?"),
                None => format!("{key} has a name that is no [{kind}] of this file"),
            },
        );
    }
    Some(words.into_iter().collect())
}

/// A client cannot have tokens by default for a service that takes none of its tokens.
fn check_defaults(keys: &mut Keys, resource: &Resource, read: &Read) {
    let Some(listed) = &resource.clients else { return };
    for default in read.defaults.iter().filter(|it| it.identity == *resource.identity) {
        if !listed.contains(&default.client) {
            let what = "default_resource is a resource whose clients lack this one; add it there";
            keys.fault(default.line, what);
        }
    }
}

/// A client's `default_resource`.
pub struct Default {
    line: usize,
    client: String,
    identity: String,
}

/// Takes `default_resource` out of a client's section.
pub fn default(keys: &mut Keys, read: &mut Read) -> Option<Arc<str>> {
    let Value { line, text } = named(keys, "default_resource", read)?;
    let client = keys.name().into();
    read.defaults.push(Default { line, client, identity: key(&text) });
    Some(text.into())
}

/// A value that names a service of the file, or the server itself where there is any.
pub fn named(keys: &mut Keys, key: &'static str, read: &Read) -> Option<Value> {
    let value = keys.take(key)?;
    let identity = self::key(&value.text);
    let mut services = read.names.of(KIND).peekable();
    let is_issuer = services.peek().is_some() && identity == self::key(&read.server.url());
    if !is_issuer && !read.names.may_have(KIND, &identity) {
        let meant = nearest(&identity, services);
        let meant = meant.map_or(String::new(), |url| format!("; did you mean {url}?"));
        keys.fault(value.line, format!("{key} is no [resource] of this file{meant}"));
    }
    Some(value)
}

/// What tells a service from others: spellings of one URL are one.
pub fn key(url: &str) -> String {
    identity(url).unwrap_or_else(|| url.into())
}
