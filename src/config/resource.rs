//! `[resource URL]`: a protected service that tokens can be for.

use std::collections::HashSet;
use std::sync::Arc;

use super::Read;
use super::ini::Section;
use super::keys::{Keys, Value};
use super::nearest::{did_you_mean, nearest};
use crate::oauth::resource::{Resource, fault, identity};

/// The kind of section that this file is about.
pub const KIND: &str = "resource";

/// What is wrong with the name of a section, if it is of this kind.
pub fn name_fault(section: &Section) -> Option<String> {
    let what = fault(&section.name).filter(|_| section.kind == KIND)?;
    Some(format!("the resource's URL {what}"))
}

pub fn read(keys: &mut Keys, read: &mut Read) {
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

/// A list of names, each of which must be a section of this kind.
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
                None => format!("{key} has a name that is not a [{kind}] of this file"),
            },
        );
    }
    Some(words.into_iter().collect())
}

/// A client's default cannot be a resource that does not accept its tokens.
fn check_defaults(keys: &mut Keys, resource: &Resource, read: &Read) {
    let Some(listed) = &resource.clients else { return };
    for default in read.defaults.iter().filter(|it| it.identity == *resource.identity) {
        if !listed.contains(&default.client) {
            let what = "default_resource is a resource that does not list this client; add it to its clients";
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

/// A value that names a resource of the file, or the server itself if the file has any.
pub fn named(keys: &mut Keys, key: &'static str, read: &Read) -> Option<Value> {
    let value = keys.take(key)?;
    let identity = self::key(&value.text);
    let mut services = read.names.of(KIND).peekable();
    let is_issuer = services.peek().is_some() && identity == self::key(&read.server.url());
    if !is_issuer && !read.names.may_have(KIND, &identity) {
        let meant = did_you_mean(&identity, services);
        keys.fault(value.line, format!("{key} is not a [resource] of this file{meant}"));
    }
    Some(value)
}

/// What distinguishes a resource from others: all spellings of a URL are one.
pub fn key(url: &str) -> String {
    identity(url).unwrap_or_else(|| url.into())
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Context, Finding, Outside, parse};

    fn read(text: &str) -> Result<Config, Vec<Finding>> {
        let outside = Outside {
            file: &|_| Err("no such file".into()),
            is_open: &|_| false,
            environment: &|_| None,
            folder: &|_| None,
        };
        parse(text.as_bytes(), &Context::default(), &outside)
    }

    /// The lines of the faults, besides a client and a user, and the words of the first.
    fn faults(text: &str) -> (Vec<usize>, String) {
        let text = format!("{text}\n[client app]\n[client web]\n[user ann]\npassword = p\n");
        let faults = read(&text).expect_err(&text);
        let lines = faults.iter().map(|fault| fault.line.unwrap()).collect();
        (lines, faults[0].what.clone())
    }

    #[test]
    fn every_key_of_a_service_is_read() {
        let config = read(
            "[resource https://API.example.com/mcp/]\nscopes = read write\nname = Notes\n\
             clients = app\nusers = ann\n[resource http://b]\n[client app]\n\
             default_resource = https://api.example.com:443/mcp\n[user ann]\npassword = p\n",
        )
        .unwrap();
        let resources = &config.registry.resources;
        let notes = resources.named("https://api.example.com/mcp").unwrap();
        assert_eq!((&*notes.url, notes.label()), ("https://API.example.com/mcp/", "Notes"));
        assert_eq!(notes.scopes.as_str(), "read write");
        let app = config.registry.client("app").unwrap();
        assert!(notes.lists_client(app) && notes.lists_user(config.registry.user("ann")));
        assert!(!notes.lists_user(None) && resources.named("http://B/").unwrap().lists_user(None));
        assert_eq!(app.default_resource.as_deref(), Some("https://api.example.com:443/mcp"));
        assert_eq!((resources.len(), config.warnings), (2, vec![]));
    }

    #[test]
    fn every_fault_has_its_line() {
        for (text, line) in [
            ("[resource]", 1),
            ("[resource mcp]", 1),
            ("[resource https://h:/]", 1),
            ("[resource https://u:p@h/]", 1),
            ("[resource https://h/?q]", 1),
            ("[resource https://h/#f]", 1),
            ("[resource https://h]\nscope = read", 2),
            ("[resource https://h]\nscopes = \"", 2),
            ("[resource https://h]\nname =", 2),
            ("[resource https://h]\n\n[resource HTTPS://H:443/]", 3),
            ("[resource https://h]\nclients =", 2),
            ("[resource https://h]\nname = H\nclients = app nobody", 3),
            ("[resource https://h]\nusers = app", 2),
            ("[client c]\ndefault_resource = https://h", 2),
            ("[client c]\ndefault_resource = http://localhost:3000", 2),
            ("[resource https://h]\n[client c]\ndefault_resource = https://h/x", 3),
            ("[resource https://h]\nclients = app\n[client c]\ndefault_resource = https://H/", 4),
            ("[client c]\ndefault_resource = https://h\n[resource https://h]\nclients = app", 2),
        ] {
            assert_eq!(faults(text).0, [line], "{text}");
        }
    }

    #[test]
    fn the_issuer_may_be_named_where_there_is_a_service() {
        for (server, url) in [
            ("issuer = https://auth.example.com/p", "HTTPS://auth.example.com:443/p/"),
            ("", "http://localhost:3000"),
            ("listen = 127.0.0.1:80 localhost:1", "http://127.0.0.1"),
            ("log = off", "https://h/"),
        ] {
            let text = format!(
                "[server]\n{server}\n[client c]\ndefault_resource = {url}\n[resource https://h]\n"
            );
            assert!(read(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_fault_is_told_once_and_by_the_nearest_right_name() {
        for (text, lines, what) in [
            // Nothing is reported missing because of a mistyped section.
            (
                "[resorce https://h]\n[client c]\ndefault_resource = https://h",
                vec![1],
                "unknown section \"resorce\"; did you mean [resource URL]?",
            ),
            (
                "[resource ftp://h]\n[client c]\ndefault_resource = ftp://h",
                vec![1],
                "the resource's URL must be an http or https URL, such as \
                 https://api.example.com/mcp",
            ),
            (
                "[resource https://h]\nusers = bob\n[user bob]",
                vec![3],
                "the user has no password; add password, password_hash, password_file or \
                 password_env",
            ),
            (
                "[resource https://h]\nclients = ap",
                vec![2],
                "clients has \"ap\"; did you mean app?",
            ),
            (
                "[resource https://h\u{1}]",
                vec![1],
                "the section's name has a control character; leave it out",
            ),
            (
                "[resource https://h]\nclients = hunter2",
                vec![2],
                "clients has a name that is not a [client] of this file",
            ),
            (
                "[client c]\ndefault_resource = https://a/mpc\n[resource https://a/mcp]",
                vec![2],
                "default_resource is not a [resource] of this file; did you mean https://a/mcp?",
            ),
            (
                "[resource https://h]\nclients = app\n[client c]\ndefault_resource = https://h",
                vec![4],
                "default_resource is a resource that does not list this client; add it to its clients",
            ),
            (
                "[resource https://h]\n[resource https://h/]",
                vec![2],
                "this section appears twice; join the two",
            ),
        ] {
            assert_eq!(faults(text), (lines, what.into()), "{text}");
        }
    }
}
