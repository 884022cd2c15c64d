//! `[server]`: what applies to everyone.

use std::path::PathBuf;

use super::keys::Keys;
use super::nearest::did_you_mean;
use super::store;
use super::testing::{self, Testing};
use super::{Context, Finding, Outside};
use crate::http::Limits;
use crate::http::network::Network;
use crate::listen::{HostPort, Place};
use crate::oauth::registry::Lifetimes;
use crate::store::{EngineConfig, SyncPolicy};
use crate::watch::log::LogFormat;

pub const DEFAULT_LISTEN: &str = "localhost:3000";
const DEFAULT_MODE: u32 = 0o660;
const RIGHTS_OF_OTHERS: u32 = 0o007;

#[derive(Debug, PartialEq)]
pub struct Server {
    pub listen: Vec<Place>,
    /// The permissions of the sockets of `unix:PATH`.
    pub listen_mode: u32,
    /// `None` if it is to be made from the first `listen`, once its port is known.
    pub issuer: Option<String>,
    pub bearer_in_query: bool,
    pub allowed_origins: Vec<String>,
    /// The client that programs register themselves as, and its line.
    pub registration_client: Option<(usize, String)>,
    pub trusted_proxies: Vec<Network>,
    /// Redirect URIs may be `http` to other hosts than loopback.
    pub insecure_redirects: bool,
    pub max_connections: usize,
    pub max_tokens_per_client: usize,
    pub lifetimes: Lifetimes,
    pub log: LogFormat,
    pub metrics_listen: Option<HostPort>,
    /// The file in which tokens outlive the process, as written in the configuration.
    pub state_file: Option<PathBuf>,
    pub state_sync: SyncPolicy,
    /// The engine that replicas share.
    pub store: Option<EngineConfig>,
    /// The socket by which `--tokens` and `--end` reach the server, as written in the
    /// configuration.
    pub control: Option<PathBuf>,
    /// The bench for other people's tests, if it is switched on.
    pub testing: Option<Testing>,
}

impl Server {
    /// The issuer, as far as it is known before the sockets are bound.
    pub fn url(&self) -> String {
        let first = self.listen.first().and_then(Place::host_port);
        let of_first = || first.map_or(String::new(), |place| place.url(place.port));
        self.issuer.clone().unwrap_or_else(of_first)
    }
}

pub fn read(keys: &mut Keys, context: &Context, outside: &Outside) -> Server {
    let connections = Limits::DEFAULT.connections as u64;
    let testing = keys.take("testing");
    let mut server = Server {
        listen: listen(keys, context),
        listen_mode: listen_mode(keys),
        issuer: issuer(keys),
        lifetimes: Lifetimes {
            access_token: keys.seconds("access_token_lifetime", 3600),
            refresh_token: keys.seconds("refresh_token_lifetime", 1_209_600),
            authorization_code: authorization_code_lifetime(keys),
            device_code: keys.seconds("device_code_lifetime", 600),
            device_interval: keys.number("device_interval", 0..=3600, 5),
        },
        bearer_in_query: keys.yes("bearer_in_query"),
        allowed_origins: origins(keys),
        registration_client: keys.take("registration_client").map(|value| (value.line, value.text)),
        trusted_proxies: networks(keys),
        insecure_redirects: keys.yes("insecure_redirects"),
        max_connections: keys.number("max_connections", 1..=1_000_000, connections) as usize,
        max_tokens_per_client: keys.number("max_tokens_per_client", 1..=1_000_000_000, 1_000_000)
            as usize,
        log: log_format(keys),
        metrics_listen: metrics_listen(keys),
        state_file: path(keys, "state_file", outside),
        state_sync: state_sync(keys),
        store: store::read(keys, outside),
        control: path(keys, "control", outside),
        testing: None,
    };
    keys.end();
    store::stands_alone(keys);
    testing::settle(keys, testing, &mut server);
    check_places(keys, &server, context);
    server
}

/// Checks all addresses to listen on together.
fn check_places(keys: &mut Keys, server: &Server, context: &Context) {
    if !keys.has("issuer")
        && let Some(what) = lacks_issuer(&server.listen, context.is_demo)
    {
        // An address from the command line has no line.
        let line = context.listen.is_empty().then(|| keys.line());
        keys.findings.faults.push(Finding { line, what: what.into() });
    }
    let metrics = server.metrics_listen.as_ref();
    let mut places = server.listen.iter().filter_map(Place::host_port);
    if metrics.is_some_and(|place| places.any(|other| other.overlaps(place))) {
        let what = "metrics_listen and listen are the same address; give one of them another port";
        let line = match context.listen.is_empty() {
            true => keys.line_of("listen").max(keys.line_of("metrics_listen")),
            false => keys.line_of("metrics_listen"),
        };
        keys.fault(line, what);
    }
}

/// Why no issuer can be made from these addresses, if so.
fn lacks_issuer(places: &[Place], is_demo: bool) -> Option<&'static str> {
    if places.first().is_some_and(|place| place.host_port().is_none()) {
        return Some(
            "a server that listens on a socket first needs issuer, its public URL, in \
                     [server]",
        );
    }
    let needs = !is_demo && places.iter().any(Place::is_wildcard);
    needs.then_some("a server on a wildcard address needs issuer, its public URL, in [server]")
}

fn listen(keys: &mut Keys, context: &Context) -> Vec<Place> {
    let given = keys.words("listen");
    let (line, words) = given.unwrap_or_else(|| (keys.line(), vec![DEFAULT_LISTEN.into()]));
    if words.is_empty() {
        keys.fault(line, "listen is empty; write HOST:PORT, such as localhost:3000");
    }
    let mut places = Vec::new();
    for word in words {
        match Place::parse(&word) {
            Ok(place) => places.push(place),
            Err(what) => keys.fault(line, format!("listen {what}")),
        }
    }
    match context.listen.is_empty() {
        true => places,
        false => context.listen.clone(),
    }
}

/// "A maximum authorization code lifetime of 10 minutes is RECOMMENDED" (RFC 6749, section 4.1.2).
const LONG_LIVED_CODE: u64 = 600;

fn authorization_code_lifetime(keys: &mut Keys) -> u64 {
    let lifetime = keys.seconds("authorization_code_lifetime", 60);
    if lifetime > LONG_LIVED_CODE {
        let what = format!(
            "authorization_code_lifetime is more than {LONG_LIVED_CODE} seconds, the most that RFC \
             6749 recommends: a stolen code is good for as long"
        );
        keys.warn(keys.line_of("authorization_code_lifetime"), what);
    }
    lifetime
}

fn listen_mode(keys: &mut Keys) -> u32 {
    let Some(value) = keys.take("listen_mode") else { return DEFAULT_MODE };
    let is_mode = |text: &str| text.len() == 3 || text.len() == 4 && text.starts_with('0');
    let digits = Some(value.text.as_str()).filter(|text| is_mode(text));
    let is_octal = |text: &&str| text.bytes().all(|b| (b'0'..b'8').contains(&b));
    let mode = digits.filter(is_octal).and_then(|text| u32::from_str_radix(text, 8).ok());
    match mode {
        None => keys.fault(value.line, "listen_mode must be three octal digits, such as 660"),
        Some(mode) if mode & RIGHTS_OF_OTHERS != 0 => {
            let what = "listen_mode has rights for others, and who opens the socket may name any \
                        client address; give them to a group, such as 660";
            keys.warn(value.line, what);
        }
        Some(_) => {}
    }
    mode.unwrap_or(DEFAULT_MODE)
}

fn metrics_listen(keys: &mut Keys) -> Option<HostPort> {
    let value = keys.take("metrics_listen")?;
    HostPort::parse(&value.text)
        .map_err(|what| keys.fault(value.line, format!("metrics_listen {what}")))
        .ok()
}

/// The path of a file that the server creates.
fn path(keys: &mut Keys, key: &'static str, outside: &Outside) -> Option<PathBuf> {
    let value = keys.take(key)?;
    if value.text.is_empty() {
        keys.fault(value.line, format!("{key} is empty; write a path or leave it out"));
    } else if let Some(what) = (outside.folder)(&value.text) {
        keys.warn(value.line, format!("the folder of {key}, {what}"));
    }
    Some(value.text.into())
}

fn state_sync(keys: &mut Keys) -> SyncPolicy {
    let Some(value) = keys.take("state_sync") else { return SyncPolicy::Ends };
    if !keys.has("state_file") {
        keys.fault(value.line, "state_sync needs state_file");
    }
    match value.text.as_str() {
        "ends" => SyncPolicy::Ends,
        "always" => SyncPolicy::Always,
        _ => {
            let meant = did_you_mean(&value.text, ["ends", "always"]);
            keys.fault(value.line, format!("state_sync must be ends or always{meant}"));
            SyncPolicy::Ends
        }
    }
}

fn issuer(keys: &mut Keys) -> Option<String> {
    let value = keys.take("issuer")?;
    let rest = ["https://", "http://"]
        .into_iter()
        .find_map(|scheme| value.text.strip_prefix(scheme))
        .unwrap_or("");
    let host = rest.split('/').next().unwrap_or("");
    let legal = |b: u8| b.is_ascii_graphic() && !b"?#\"<>\\^`{|}@".contains(&b);
    let is_url = value.text != testing::REQUEST;
    if is_url && (host.is_empty() || host.starts_with(':') || !rest.bytes().all(legal)) {
        let what = "issuer must be an http or https URL without query and fragment, such as \
                    https://auth.example.com";
        keys.fault(value.line, what);
    }
    Some(value.text)
}

fn origins(keys: &mut Keys) -> Vec<String> {
    let Some((line, words)) = keys.words("allowed_origins") else { return Vec::new() };
    let is_origin = |word: &String| {
        word.split_once("://").is_some_and(|(scheme, host)| {
            !scheme.is_empty()
                && !host.is_empty()
                && word.bytes().all(|b| b.is_ascii_graphic())
                && !host.contains(['/', '?', '#', '@', '*', ','])
        })
    };
    if !words.iter().all(is_origin) {
        let what = "allowed_origins must be origins: scheme, host and port alone, such as \
                    https://app.example.com";
        keys.fault(line, what);
    }
    words.iter().map(|word| word.to_ascii_lowercase()).collect()
}

fn networks(keys: &mut Keys) -> Vec<Network> {
    let Some((line, words)) = keys.words("trusted_proxies") else { return Vec::new() };
    let networks: Vec<Network> = words.iter().filter_map(|word| Network::parse(word)).collect();
    if networks.len() < words.len() {
        let what = "trusted_proxies must be addresses and networks, such as 127.0.0.1 or \
                    10.0.0.0/8";
        keys.fault(line, what);
    }
    if networks.iter().any(Network::is_everyone) {
        let what = "trusted_proxies trusts everyone, so anyone can make up the address that \
                    guesses are counted by; name your proxies";
        keys.warn(line, what);
    }
    networks
}

fn log_format(keys: &mut Keys) -> LogFormat {
    let formats = [
        ("text", LogFormat::Text),
        ("json", LogFormat::Json),
        ("explain", LogFormat::Explain),
        ("off", LogFormat::Off),
    ];
    let Some(value) = keys.take("log") else { return LogFormat::Text };
    let known = formats.into_iter().find(|(name, _)| *name == value.text);
    if known.is_none() {
        let meant = did_you_mean(&value.text, formats.map(|(name, _)| name));
        keys.fault(value.line, format!("log must be text, json, explain or off{meant}"));
    }
    known.map_or(LogFormat::Text, |(_, format)| format)
}
