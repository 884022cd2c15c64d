//! The configuration file: its text into [`Config`], every fault with its line.
//!
//! Reading and opening are apart: what stands outside the file (secret files, the environment) is
//! asked for through [`Outside`], so that every rule can be tested with a string.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::http::Limits;
use crate::oauth::registry::Lifetimes;
use crate::oauth::secret::{Secret, StoredSecret};
use crate::oauth::{Client, GrantType, Registry, Scope, User, redirect_uri};
use crate::store::Number;

#[derive(Debug)]
pub struct Config {
    pub listen: Vec<HostPort>,
    pub issuer: Option<String>,
    pub bearer_in_query: bool,
    pub allowed_origins: Vec<String>,
    pub trusted_proxies: Vec<Network>,
    pub max_connections: usize,
    pub log: LogFormat,
    pub metrics_listen: Option<HostPort>,
    pub registry: Registry,
    /// Whether the file itself holds a secret in the open.
    pub has_plain_secrets: bool,
    /// The files that hold a secret in the open.
    pub secret_files: Vec<String>,
}

/// A fault, and the line where it is to be mended; `None` where no line is at fault.
#[derive(Debug, PartialEq)]
pub struct Error {
    pub line: Option<usize>,
    pub what: String,
}

/// What a configuration needs that is not in its text.
pub struct Outside<'a> {
    /// The bytes of a file named in the configuration, or why there are none.
    pub file: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
    pub environment: &'a dyn Fn(&str) -> Option<String>,
}

/// What the command line says about the file.
#[derive(Default)]
pub struct Context {
    /// In place of the file's `listen`.
    pub listen: Vec<HostPort>,
    /// The demo may listen on a wildcard address without an issuer.
    pub is_demo: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LogFormat {
    Text,
    Json,
    Off,
}

/// A place to listen: a name or an address, as written, and a port.
#[derive(Clone, Debug, PartialEq)]
pub struct HostPort {
    /// An IPv6 address stands in brackets.
    pub host: String,
    pub port: u16,
}

impl HostPort {
    pub fn parse(text: &str) -> Result<HostPort, String> {
        let fault = || Err("is not HOST:PORT, such as localhost:3000 or [::1]:3000".into());
        let Some((host, digits)) = text.rsplit_once(':') else { return fault() };
        let is_literal = host.starts_with('[') && host.ends_with(']');
        let legal = match is_literal {
            true => host[1..host.len() - 1].parse::<std::net::Ipv6Addr>().is_ok(),
            false => {
                !host.is_empty()
                    && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
            }
        };
        match digits.parse() {
            Ok(port) if legal && digits.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(HostPort { host: host.into(), port })
            }
            _ => fault(),
        }
    }

    /// The host as an address, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    pub fn is_wildcard(&self) -> bool {
        self.address().is_some_and(|address| address.is_unspecified())
    }
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// An address, or all that begin with the same bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    pub fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse::<IpAddr>().ok()?, Some(bits)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
            None => most,
        };
        (bits <= most).then_some(Network { address, bits })
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let differ = match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
            (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
            _ => return false,
        };
        differ.leading_zeros() >= self.bits
    }
}

/// Reads the whole configuration; where it has faults, all of them in the order of their lines.
pub fn parse(text: &[u8], context: &Context, outside: &Outside) -> Result<Config, Vec<Error>> {
    let mut reader =
        Reader { outside, errors: Vec::new(), has_plain_secrets: false, secret_files: Vec::new() };
    let config = reader.config(text, context);
    match reader.errors.is_empty() {
        true => Ok(config),
        false => {
            reader.errors.sort_by_key(|error| error.line);
            Err(reader.errors)
        }
    }
}

const DEFAULT_LISTEN: &str = "localhost:3000";
const MAX_LIFETIME: u64 = 10 * 365 * 86400;

const SERVER_KEYS: &[&str] = &[
    "listen",
    "issuer",
    "access_token_lifetime",
    "refresh_token_lifetime",
    "authorization_code_lifetime",
    "device_code_lifetime",
    "device_interval",
    "bearer_in_query",
    "allowed_origins",
    "trusted_proxies",
    "insecure_redirects",
    "max_connections",
    "max_tokens_per_client",
    "log",
    "metrics_listen",
];
const CLIENT_KEYS: &[&str] = &[
    "secret",
    "secret_file",
    "secret_hash",
    "secret_env",
    "grants",
    "scopes",
    "default_scopes",
    "redirect_uris",
    "access_token_lifetime",
    "require_pkce",
];
const USER_KEYS: &[&str] =
    &["password", "password_file", "password_hash", "password_env", "scopes"];

struct Reader<'a> {
    outside: &'a Outside<'a>,
    errors: Vec<Error>,
    has_plain_secrets: bool,
    secret_files: Vec<String>,
}

/// `[kind name]` and the lines below it.
struct Section<'t> {
    kind: Kind,
    name: &'t str,
    line: usize,
    entries: Vec<Entry<'t>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Server,
    Client,
    User,
    Unknown,
}

#[derive(Clone, Copy)]
struct Entry<'t> {
    key: &'t str,
    value: &'t str,
    line: usize,
}

impl<'t> Section<'t> {
    fn get(&self, key: &str) -> Option<Entry<'t>> {
        self.entries.iter().find(|entry| entry.key == key).copied()
    }
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split(is_blank).filter(|word| !word.is_empty())
}

impl Reader<'_> {
    fn error(&mut self, line: usize, what: impl Into<String>) {
        self.errors.push(Error { line: Some(line), what: what.into() });
    }

    fn config(&mut self, text: &[u8], context: &Context) -> Config {
        let sections = self.sections(text);
        let none = Section { kind: Kind::Server, name: "", line: 1, entries: Vec::new() };
        let server = sections.iter().find(|section| section.kind == Kind::Server);
        let server = server.unwrap_or(&none);

        let insecure = self.yes(server, "insecure_redirects");
        let lifetimes = Lifetimes {
            access_token: self.seconds(server, "access_token_lifetime", 3600),
            refresh_token: self.seconds(server, "refresh_token_lifetime", 1_209_600),
            authorization_code: self.seconds(server, "authorization_code_lifetime", 60),
            device_code: self.seconds(server, "device_code_lifetime", 600),
            device_interval: self.number(server, "device_interval", 0..=3600, 5),
        };
        let mut clients = Vec::new();
        let mut users = Vec::new();
        let mut names: HashMap<&str, Kind> = HashMap::new();
        for section in &sections {
            if matches!(section.kind, Kind::Server | Kind::Unknown) {
                continue;
            }
            match names.insert(section.name, section.kind) {
                Some(kind) if kind != section.kind => self.error(
                    section.line,
                    "a user and a client have this name; give one of them another",
                ),
                _ => {}
            }
            match section.kind {
                Kind::Client => clients.push(self.client(section, &lifetimes, insecure)),
                _ => users.extend(self.user(section)),
            }
        }
        let listen = self.listen(server, context);
        let most = self.number(server, "max_tokens_per_client", 1..=1_000_000_000, 1_000_000);
        let connections = Limits::DEFAULT.connections as u64;
        Config {
            listen,
            issuer: self.issuer(server),
            bearer_in_query: self.yes(server, "bearer_in_query"),
            allowed_origins: self.origins(server),
            trusted_proxies: self.networks(server),
            max_connections: self.number(server, "max_connections", 1..=1_000_000, connections)
                as usize,
            log: self.log_format(server),
            metrics_listen: self.metrics_listen(server),
            registry: Registry::new(clients, users, lifetimes, most as usize),
            has_plain_secrets: self.has_plain_secrets,
            secret_files: std::mem::take(&mut self.secret_files),
        }
    }

    /// Cuts the text into sections; what cannot be one is an error.
    fn sections<'t>(&mut self, text: &'t [u8]) -> Vec<Section<'t>> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut sections: Vec<Section> = Vec::new();
        for (at, bytes) in text.split(|&b| b == b'\n').enumerate() {
            let line = at + 1;
            let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
            let Ok(content) = std::str::from_utf8(bytes) else {
                self.error(line, "the line is not UTF-8; save the file as UTF-8");
                continue;
            };
            let content = content.trim_matches(is_blank);
            if content.is_empty() || content.starts_with(['#', ';']) {
                continue;
            }
            if content.starts_with('[') {
                let section = self.section(content, line, &sections);
                sections.push(section);
            } else if let Some(entry) = self.entry(content, line, sections.last())
                && let Some(section) = sections.last_mut()
            {
                section.entries.push(entry);
            }
        }
        sections
    }

    fn section<'t>(&mut self, content: &'t str, line: usize, before: &[Section]) -> Section<'t> {
        let inner = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let (kind, name) = match inner.map(|inner| inner.trim_matches(is_blank)) {
            Some("server") => (Kind::Server, ""),
            Some(inner) => match inner.split_once(is_blank) {
                Some(("client", name)) => (Kind::Client, name.trim_matches(is_blank)),
                Some(("user", name)) => (Kind::User, name.trim_matches(is_blank)),
                _ => (Kind::Unknown, ""),
            },
            None => (Kind::Unknown, ""),
        };
        if kind == Kind::Unknown {
            self.error(line, "this is no section; there are [server], [client ID] and [user NAME]");
        } else if name.chars().any(char::is_control) {
            self.error(line, "the name has a control character; leave it out");
        } else if before.iter().any(|section| section.kind == kind && section.name == name) {
            self.error(line, "this section is there twice; join the two");
        }
        Section { kind, name, line, entries: Vec::new() }
    }

    fn entry<'t>(
        &mut self,
        content: &'t str,
        line: usize,
        section: Option<&Section>,
    ) -> Option<Entry<'t>> {
        let Some((key, value)) = content.split_once('=') else {
            self.error(line, "this is neither a section nor KEY = VALUE");
            return None;
        };
        let key = key.trim_matches(is_blank);
        let Some(section) = section else {
            self.error(line, "this stands before any section; put it below [server]");
            return None;
        };
        let known = match section.kind {
            Kind::Server => SERVER_KEYS,
            Kind::Client => CLIENT_KEYS,
            Kind::User => USER_KEYS,
            // Its header has been told; what its keys would be, nobody knows.
            Kind::Unknown => return None,
        };
        if !known.contains(&key) {
            // A key that is none may be part of a secret, so it is not repeated here.
            self.error(line, format!("unknown key; there are {}", known.join(", ")));
            return None;
        }
        if section.get(key).is_some() {
            self.error(line, format!("{key} is there twice; leave one out"));
            return None;
        }
        let value = self.value(value.trim_matches(is_blank), key, line)?;
        Some(Entry { key, value, line })
    }

    fn value<'t>(&mut self, value: &'t str, key: &str, line: usize) -> Option<&'t str> {
        if let Some(rest) = value.strip_prefix('"') {
            let inner = rest.strip_suffix('"');
            if inner.is_none() {
                self.error(line, format!("{key} begins with a quote and must end with one"));
            }
            return inner;
        }
        let comment = value
            .char_indices()
            .zip(value.chars().skip(1))
            .any(|((_, before), c)| is_blank(before) && (c == '#' || c == ';'));
        if comment || value.starts_with(['#', ';']) {
            let what = "has a # or ; after a blank; a comment goes on a line of its own, and a \
                        value with these in it between double quotes";
            self.error(line, format!("{key} {what}"));
            return None;
        }
        Some(value)
    }

    fn yes(&mut self, section: &Section, key: &str) -> bool {
        match section.get(key) {
            None => false,
            Some(entry) if entry.value == "yes" => true,
            Some(entry) if entry.value == "no" => false,
            Some(entry) => {
                self.error(entry.line, format!("{key} is neither yes nor no"));
                false
            }
        }
    }

    fn seconds(&mut self, section: &Section, key: &str, default: u64) -> u64 {
        self.number(section, key, 1..=MAX_LIFETIME, default)
    }

    fn number(
        &mut self,
        section: &Section,
        key: &str,
        range: std::ops::RangeInclusive<u64>,
        default: u64,
    ) -> u64 {
        let Some(entry) = section.get(key) else { return default };
        let digits = entry.value.bytes().all(|b| b.is_ascii_digit());
        match entry.value.parse() {
            Ok(number) if digits && range.contains(&number) => number,
            _ => {
                let (least, most) = range.into_inner();
                let what = format!("{key} is not a whole number from {least} to {most}");
                self.error(entry.line, what);
                default
            }
        }
    }

    fn listen(&mut self, server: &Section, context: &Context) -> Vec<HostPort> {
        let mut listen = Vec::new();
        let entry = server.get("listen");
        for word in words(entry.map_or(DEFAULT_LISTEN, |entry| entry.value)) {
            match HostPort::parse(word) {
                Ok(place) => listen.push(place),
                Err(what) => self.error(entry.map_or(1, |e| e.line), format!("listen {what}")),
            }
        }
        if let Some(entry) = entry
            && entry.value.is_empty()
        {
            self.error(entry.line, "listen is empty; write HOST:PORT, such as localhost:3000");
        }
        let from_file = context.listen.is_empty();
        let listen = if from_file { listen } else { context.listen.clone() };
        let wildcard = listen.first().is_some_and(HostPort::is_wildcard);
        if wildcard && server.get("issuer").is_none() && !context.is_demo {
            self.errors.push(Error {
                line: from_file.then_some(server.line),
                what: "a server on a wildcard address needs issuer, its public URL, in [server]"
                    .into(),
            });
        }
        listen
    }

    fn issuer(&mut self, server: &Section) -> Option<String> {
        let entry = server.get("issuer")?;
        let rest = ["https://", "http://"]
            .into_iter()
            .find_map(|scheme| entry.value.strip_prefix(scheme))
            .unwrap_or("");
        let host = rest.split('/').next().unwrap_or("");
        let legal = |b: u8| b.is_ascii_graphic() && !b"?#\"<>\\^`{|}@".contains(&b);
        if host.is_empty() || host.starts_with(':') || !rest.bytes().all(legal) {
            let what = "issuer is not an http or https URL without query and fragment, such as \
                        https://auth.example.com";
            self.error(entry.line, what);
        }
        Some(entry.value.into())
    }

    fn origins(&mut self, server: &Section) -> Vec<String> {
        let Some(entry) = server.get("allowed_origins") else { return Vec::new() };
        let mut origins = Vec::new();
        for word in words(entry.value) {
            let is_origin = word.split_once("://").is_some_and(|(scheme, host)| {
                !scheme.is_empty()
                    && !host.is_empty()
                    && word.bytes().all(|b| b.is_ascii_graphic())
                    && !host.contains(['/', '?', '#', '@', '*', ','])
            });
            if !is_origin {
                let what = "allowed_origins has what is no origin; write scheme, host and port \
                            alone, such as https://app.example.com";
                self.error(entry.line, what);
            }
            origins.push(word.to_ascii_lowercase());
        }
        origins
    }

    fn networks(&mut self, server: &Section) -> Vec<Network> {
        let Some(entry) = server.get("trusted_proxies") else { return Vec::new() };
        let mut networks = Vec::new();
        for word in words(entry.value) {
            match Network::parse(word) {
                Some(network) => networks.push(network),
                None => {
                    let what = "trusted_proxies has what is neither an address nor a network, \
                                such as 127.0.0.1 or 10.0.0.0/8";
                    self.error(entry.line, what);
                }
            }
        }
        networks
    }

    fn log_format(&mut self, server: &Section) -> LogFormat {
        let Some(entry) = server.get("log") else { return LogFormat::Text };
        match entry.value {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            "off" => LogFormat::Off,
            _ => {
                self.error(entry.line, "log is neither text nor json nor off");
                LogFormat::Text
            }
        }
    }

    fn metrics_listen(&mut self, server: &Section) -> Option<HostPort> {
        let entry = server.get("metrics_listen")?;
        match HostPort::parse(entry.value) {
            Ok(place) => Some(place),
            Err(what) => {
                self.error(entry.line, format!("metrics_listen {what}"));
                None
            }
        }
    }

    fn client(&mut self, section: &Section, lifetimes: &Lifetimes, insecure: bool) -> Client {
        let secret = self.secret(section, "secret");
        let has_secret = CLIENT_KEYS[..4].iter().any(|key| section.get(key).is_some());
        let client = Client {
            id: Arc::from(section.name),
            number: Number::default(),
            secret,
            grants: self.grants(section),
            scopes: self.scopes(section, "scopes").unwrap_or_default(),
            default_scopes: self.scopes(section, "default_scopes").unwrap_or_default(),
            redirect_uris: self.redirect_uris(section, insecure),
            access_token_lifetime: self.seconds(
                section,
                "access_token_lifetime",
                lifetimes.access_token,
            ),
            require_pkce: self.yes(section, "require_pkce"),
        };
        let line = |key| section.get(key).map_or(section.line, |entry| entry.line);
        if client.may(GrantType::ClientCredentials) && !has_secret {
            let what = "client_credentials is not for a public client; give it a secret or take \
                        the grant away";
            self.error(line("grants"), what);
        }
        if client.may(GrantType::AuthorizationCode) && section.get("redirect_uris").is_none() {
            self.error(section.line, "authorization_code needs redirect_uris");
        }
        if !client.scopes.covers(&client.default_scopes) {
            self.error(line("default_scopes"), "default_scopes has a scope that scopes lacks");
        }
        client
    }

    fn user(&mut self, section: &Section) -> Option<User> {
        let password = self.secret(section, "password");
        if !USER_KEYS[..4].iter().any(|key| section.get(key).is_some()) {
            let what = "the user has no password; add password, password_hash, password_file or \
                        password_env";
            self.error(section.line, what);
        }
        Some(User {
            name: Arc::from(section.name),
            number: Number::default(),
            password: password?,
            scopes: self.scopes(section, "scopes"),
        })
    }

    /// The one of `KEY`, `KEY_file`, `KEY_hash` and `KEY_env` that is there.
    fn secret(&mut self, section: &Section, key: &str) -> Option<StoredSecret> {
        let forms = ["", "_file", "_hash", "_env"];
        let mut given = forms
            .into_iter()
            .filter_map(|form| section.get(&format!("{key}{form}")).map(|entry| (form, entry)));
        let (form, entry) = given.next()?;
        if let Some((_, other)) = given.next() {
            let line = entry.line.max(other.line);
            self.error(line, format!("{} and {} exclude each other", entry.key, other.key));
            return None;
        }
        let plain = match form {
            "_hash" => {
                let stored = StoredSecret::parse(entry.value);
                if stored.is_none() {
                    let what = "is neither sha256$HEX nor pbkdf2-sha256$ITERATIONS$SALT$HASH; \
                                oauth2d --hash makes one";
                    self.error(entry.line, format!("{} {what}", entry.key));
                }
                return stored;
            }
            "_file" => self.secret_from_file(entry),
            "_env" => {
                let value = (self.outside.environment)(entry.value);
                if value.is_none() {
                    let what = "names no environment variable that is set to UTF-8 text";
                    self.error(entry.line, format!("{} {what}", entry.key));
                }
                value
            }
            _ => {
                self.has_plain_secrets = true;
                Some(entry.value.into())
            }
        }?;
        let secret = Secret::new(plain);
        if secret.is_empty() {
            self.error(entry.line, format!("{} is empty; write one or leave it out", entry.key));
        }
        Some(StoredSecret::Plain(secret))
    }

    fn secret_from_file(&mut self, entry: Entry) -> Option<String> {
        let text = (self.outside.file)(entry.value).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| "its content is not UTF-8".into())
        });
        self.secret_files.push(entry.value.into());
        match text {
            Ok(text) => {
                let line = text.strip_suffix('\n').unwrap_or(&text);
                Some(line.strip_suffix('\r').unwrap_or(line).into())
            }
            Err(why) => {
                self.error(entry.line, format!("{} cannot be read: {why}", entry.key));
                None
            }
        }
    }

    fn grants(&mut self, section: &Section) -> Vec<GrantType> {
        let Some(entry) = section.get("grants") else { return Vec::new() };
        let mut grants = Vec::new();
        for word in words(entry.value) {
            let known = GrantType::ALL
                .into_iter()
                .find(|grant| grant.short_name() == word || grant.as_str() == word);
            match known {
                Some(grant) => grants.push(grant),
                None => {
                    let names = GrantType::ALL.map(GrantType::short_name).join(", ");
                    self.error(entry.line, format!("grants has an unknown one; there are {names}"));
                }
            }
        }
        grants
    }

    fn scopes(&mut self, section: &Section, key: &str) -> Option<Scope> {
        let entry = section.get(key)?;
        match Scope::parse(&entry.value.replace('\t', " ")) {
            Ok(scope) => Some(scope),
            Err(_) => {
                let what = "has a character that a scope cannot have: a quote, a backslash or \
                            one outside ASCII";
                self.error(entry.line, format!("{key} {what}"));
                None
            }
        }
    }

    fn redirect_uris(&mut self, section: &Section, insecure: bool) -> Vec<String> {
        let Some(entry) = section.get("redirect_uris") else { return Vec::new() };
        let uris: Vec<String> = words(entry.value).map(String::from).collect();
        for uri in &uris {
            if let Some(what) = redirect_uri::fault(uri, insecure) {
                self.error(entry.line, format!("a redirect URI {what}"));
            }
        }
        if uris.is_empty() {
            self.error(entry.line, "redirect_uris is empty; write one or leave it out");
        }
        uris
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8], context: &Context) -> Result<Config, Vec<Error>> {
        let outside = Outside {
            file: &|name| match name {
                "good" => Ok(b"from file\r\n".to_vec()),
                "two" => Ok(b"a\n\n".to_vec()),
                "empty" => Ok(b"\n".to_vec()),
                "bytes" => Ok(vec![0xff]),
                _ => Err("no such file".into()),
            },
            environment: &|name| (name == "SET").then(|| "from environment".into()),
        };
        parse(text, context, &outside)
    }

    fn config(text: &str) -> Config {
        read(text.as_bytes(), &Context::default()).unwrap()
    }

    /// The lines of the faults, and the words of the first.
    fn faults(text: &str) -> (Vec<Option<usize>>, String) {
        let errors = read(text.as_bytes(), &Context::default()).expect_err(text);
        let lines = errors.iter().map(|error| error.line).collect();
        (lines, errors[0].what.clone())
    }

    fn secret_of(lines: &str) -> StoredSecret {
        let config = config(&format!("[client c]\n{lines}\n"));
        config.registry.client("c").unwrap().secret.clone().unwrap()
    }

    #[test]
    fn the_sample_of_the_contract_is_read() {
        let config = config(
            "\u{feff}[server]\r\n; comment\r\nlisten = localhost:3000\r\nissuer=https://auth.example.com\r\n\
             access_token_lifetime = 60\r\ntrusted_proxies = 127.0.0.1\t10.0.0.0/8\r\n\r\n\
             [client my app]\r\nsecret = secret\r\ngrants = password urn:ietf:params:oauth:grant-type:device_code\r\n\
             scopes = read write\r\ndefault_scopes = read\r\naccess_token_lifetime = 300\r\n\
             redirect_uris = com.example.app:/callback\r\nrequire_pkce = yes\r\n\
             [user p]\r\npassword = a#b;c\r\nscopes =\r\n",
        );
        assert_eq!(config.listen[0].to_string(), "localhost:3000");
        let client = config.registry.client("my app").unwrap();
        assert_eq!(client.grants, [GrantType::Password, GrantType::DeviceCode]);
        assert_eq!(client.access_token_lifetime, 300);
        assert!(
            client.require_pkce
                && config.trusted_proxies[1].contains("10.255.0.1".parse().unwrap())
        );
        let user = config.registry.user("p").unwrap();
        assert!(user.password.matches("a#b;c"));
        assert_eq!(user.scopes, Some(Scope::default()));
    }

    #[test]
    fn the_demo_is_read() {
        let config = config(include_str!("../demo.conf"));
        assert!(config.registry.client("application").unwrap().may(GrantType::RefreshToken));
        assert!(config.registry.user("pedroetb").is_some());
    }

    #[test]
    fn values_in_quotes_are_literal() {
        for (value, expected) in [
            ("\"a # b ; c\"", "a # b ; c"),
            ("\"\"a\"\"", "\"a\""),
            ("\" a \"", " a "),
            ("a\"b", "a\"b"),
            ("a#b", "a#b"),
        ] {
            assert!(secret_of(&format!("secret = {value}")).matches(expected), "{value}");
        }
        for value in ["\"a", "\"", "a # b", "a\t;b", "# a", "\"a\" # b"] {
            assert_eq!(faults(&format!("[client c]\nsecret = {value}\n")).0, [Some(2)], "{value}");
        }
    }

    #[test]
    fn secrets_from_elsewhere() {
        assert!(secret_of("secret_file = good").matches("from file"));
        assert!(secret_of("secret_file = two").matches("a\n"));
        assert!(secret_of("secret_env = SET").matches("from environment"));
        let hash = StoredSecret::hash_random("hashed");
        assert!(secret_of(&format!("secret_hash = {hash}")).matches("hashed"));
        for line in [
            "secret_file = none",
            "secret_file = empty",
            "secret_file = bytes",
            "secret_env = UNSET",
            "secret_hash = x",
            "secret =",
            "secret = \"\"",
        ] {
            assert_eq!(faults(&format!("[client c]\n{line}\n")).0, [Some(2)], "{line}");
        }
    }

    #[test]
    fn every_fault_has_its_line() {
        for (text, line) in [
            ("x = 1", 1),
            ("[server]\nx = 1", 2),
            ("[server]\nlisten", 2),
            ("[server]\n\nlog = yes", 3),
            ("[server]\nlog = off\nlog = off", 3),
            ("[server]\n[server]", 2),
            ("[client a]\n[client a]", 2),
            ("[client a]\n[user a]\npassword = p", 2),
            ("[client]", 1),
            ("[client ]", 1),
            ("[server", 1),
            ("[server] # c", 1),
            ("[other x]", 1),
            ("[client a\u{1}]", 1),
            ("[server]\nlisten = 3000", 2),
            ("[server]\nlisten = :3000", 2),
            ("[server]\nlisten = a:70000", 2),
            ("[server]\nlisten = ::1:3000", 2),
            ("[server]\nlisten =", 2),
            ("[server]\nlisten = 0.0.0.0:3000", 1),
            ("\n[server]\nlisten = [::]:3000", 2),
            ("[server]\nissuer = auth.example.com", 2),
            ("[server]\nissuer = https://", 2),
            ("[server]\nissuer = https://h/?x", 2),
            ("[server]\naccess_token_lifetime = 0", 2),
            ("[server]\naccess_token_lifetime = -1", 2),
            ("[server]\naccess_token_lifetime = 1.5", 2),
            ("[server]\naccess_token_lifetime = 99999999999999999999", 2),
            ("[server]\nbearer_in_query = true", 2),
            ("[server]\nallowed_origins = https://a/ ", 2),
            ("[server]\nallowed_origins = *", 2),
            ("[server]\ntrusted_proxies = 10.0.0.0/33", 2),
            ("[server]\ntrusted_proxies = proxy", 2),
            ("[server]\nmetrics_listen = x", 2),
            ("[client a]\ngrants = client_credentials", 2),
            ("[client a]\ngrants = implicit", 2),
            ("[client a]\nsecret = s\ngrants = authorization_code", 1),
            ("[client a]\nredirect_uris = /cb", 2),
            ("[client a]\nredirect_uris = http://h/cb", 2),
            ("[client a]\nredirect_uris =", 2),
            ("[client a]\ndefault_scopes = a", 2),
            ("[client a]\nscopes = a\\b", 2),
            ("[client a]\nsecret_file = good\nsecret = s", 3),
            ("[user a]", 1),
        ] {
            assert_eq!(faults(text).0, [Some(line)], "{text}");
        }
        assert_eq!(
            read(b"[server]\nissuer = \xff", &Context::default()).unwrap_err()[0].line,
            Some(2)
        );
    }

    #[test]
    fn all_faults_are_told_in_order() {
        assert_eq!(faults("[user a]\n[server]\nlog = x\ny\n").0, [Some(1), Some(3), Some(4)]);
    }

    #[test]
    fn no_fault_repeats_what_may_be_a_secret() {
        for text in [
            "[client c]\nsecrt = hunter2",
            "[client c]\nhunter2",
            "[client c]\nsecret = \"hunter2",
            "[client c]\nhunter2 = 1",
            "[client c]\nsecret_hash = hunter2",
        ] {
            assert!(!faults(text).1.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_wildcard_on_the_command_line_has_no_line_and_the_demo_may() {
        let listen = vec![HostPort::parse("0.0.0.0:1").unwrap()];
        let context = Context { listen: listen.clone(), is_demo: false };
        assert_eq!(read(b"", &context).unwrap_err()[0].line, None);
        let context = Context { listen, is_demo: true };
        assert_eq!(read(b"", &context).unwrap().listen[0].host, "0.0.0.0");
    }

    #[test]
    fn insecure_redirects_are_allowed_by_name() {
        let text = "[client a]\nsecret = s\nredirect_uris = http://h/cb\n[server]\ninsecure_redirects = yes\n";
        assert_eq!(config(text).registry.client("a").unwrap().redirect_uris, ["http://h/cb"]);
    }

    #[test]
    fn networks_hold_their_addresses() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.1.2.3", "11.0.0.0"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("2001:db8::/32", "2001:db8:1::", "2001:db9::"),
            ("::/0", "::1", "1.2.3.4"),
        ] {
            let network = Network::parse(network).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{outside}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes: Vec<u8>) {
            let _ = read(&bytes, &Context::default());
        }
    }
}
