//! The configuration file: from its text to a [`Config`], or to its faults, with their lines.
//!
//! Read [`ini`] (from text to sections), [`keys`] (how keys are taken out of a section), then a
//! file for each kind of section: [`server`], [`client`], [`user`], [`resource`]. This file puts
//! them together.
//!
//! What is outside of the file (secret files, the environment) is asked for through [`Outside`], so
//! that every rule can be tested with a string.

mod changes;
mod client;
mod ini;
mod keys;
mod names;
mod nearest;
mod only;
mod resource;
mod secret;
mod server;
mod store;
pub mod testing;
mod token;
mod user;

use crate::listen::Place;
use crate::oauth::fixed_token::{FixedToken, FixedTokens};
use crate::oauth::resource::{Resource, Resources};
use crate::oauth::{Client, Registry, Timestamp, User};
pub use changes::changes;
use ini::Section;
use keys::Keys;
use names::Names;
use nearest::did_you_mean;
pub use nearest::nearest;
pub use only::only;
pub use server::{DEFAULT_LISTEN, Server};

#[derive(Debug)]
pub struct Config {
    pub server: Server,
    pub registry: Registry,
    /// Whether it is the demo data.
    pub is_demo: bool,
    /// What is allowed but hardly intended, in the order of the lines.
    pub warnings: Vec<Finding>,
}

/// A fault or a warning, and the line to correct, if there is one.
#[derive(Debug, PartialEq)]
pub struct Finding {
    pub line: Option<usize>,
    pub what: String,
}

#[derive(Debug, Default)]
pub struct Findings {
    pub faults: Vec<Finding>,
    pub warnings: Vec<Finding>,
}

/// What a configuration needs besides its text.
pub struct Outside<'a> {
    /// The bytes of a file that the configuration names, or why it cannot be read.
    pub file: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
    /// Whether every user of the machine can read such a file, or the configuration itself for
    /// `None`.
    pub is_open: &'a dyn Fn(Option<&str>) -> bool,
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// Why no file can be created at this path: its folder, and the end of a sentence about that.
    pub folder: &'a dyn Fn(&str) -> Option<String>,
}

/// What is known besides the file, such as the command line.
#[derive(Default)]
pub struct Context {
    /// If not empty, used instead of the file's `listen`.
    pub listen: Vec<Place>,
    /// The demo data may be served on a wildcard address without an issuer.
    pub is_demo: bool,
    /// For warnings about what expires soon.
    pub now: Timestamp,
}

/// A kind of section that there may be many of.
struct Kind {
    word: &'static str,
    /// What comes after the word.
    name: &'static str,
    read: fn(&mut Keys, &mut Read),
}

impl Kind {
    /// Its header, as messages show it.
    fn header(&self) -> String {
        format!("[{} {}]", self.word, self.name)
    }
}

/// In the order in which they are read: each may refer to those before it.
const KINDS: [Kind; 4] = [
    Kind { word: "client", name: "ID", read: client::read },
    Kind { word: "user", name: "NAME", read: user::read },
    Kind { word: resource::KIND, name: "URL", read: resource::read },
    Kind { word: "token", name: "NAME", read: token::read },
];

/// The one section without a name, which is read first.
const SERVER: &str = "server";

/// What has been read.
struct Read<'a> {
    outside: &'a Outside<'a>,
    /// The names of all sections, including those not yet read.
    names: Names,
    server: Server,
    clients: Vec<Client>,
    users: Vec<User>,
    resources: Vec<Resource>,
    tokens: Vec<FixedToken>,
    now: Timestamp,
    defaults: Vec<resource::Default>,
    /// The line of each secret, and the cost of comparing with it.
    client_costs: Vec<(usize, u32)>,
    user_costs: Vec<(usize, u32)>,
}

/// Reads the whole configuration, or returns all its faults in the order of their lines.
pub fn parse(text: &[u8], context: &Context, outside: &Outside) -> Result<Config, Vec<Finding>> {
    let (mut sections, faults) = ini::parse(text);
    let mut findings = Findings { faults, warnings: Vec::new() };
    let names = check_headers(&mut sections, &mut findings);
    let is_server = |section: &Section| section.kind == SERVER;
    let at = sections.iter().position(is_server);
    let server = at.map_or_else(|| Section::empty(1, SERVER), |at| sections.remove(at));
    let mut keys = Keys::new(server);
    let server = server::read(&mut keys, context, outside);
    findings.add(keys.findings);

    let mut read = Read::new(outside, names, server, context.now);
    for kind in &KINDS {
        for section in sections.extract_if(.., |section| section.kind == kind.word) {
            let mut keys = Keys::new(section);
            (kind.read)(&mut keys, &mut read);
            findings.add(keys.findings);
        }
    }
    let config = read.finish(findings)?;
    Ok(Config { is_demo: context.is_demo, ..config })
}

impl<'a> Read<'a> {
    fn new(outside: &'a Outside, names: Names, server: Server, now: Timestamp) -> Read<'a> {
        Read {
            outside,
            names,
            server,
            clients: Vec::new(),
            users: Vec::new(),
            resources: Vec::new(),
            tokens: Vec::new(),
            now,
            defaults: Vec::new(),
            client_costs: Vec::new(),
            user_costs: Vec::new(),
        }
    }

    fn finish(self, mut findings: Findings) -> Result<Config, Vec<Finding>> {
        self.check_registration(&mut findings);
        findings.warn_of_mixed("client's secret", &self.client_costs);
        findings.warn_of_mixed("user's password", &self.user_costs);
        // A fault without a line comes last.
        let place = |finding: &Finding| (finding.line.is_none(), finding.line);
        findings.faults.sort_by_key(place);
        findings.warnings.sort_by_key(place);
        if !findings.faults.is_empty() {
            return Err(findings.faults);
        }
        let lifetimes = self.server.lifetimes.clone();
        let most = self.server.max_tokens_per_client;
        let mut registry = Registry::new(self.clients, self.users, lifetimes, most);
        registry.resources = Resources::new(self.resources);
        registry.fixed_tokens = FixedTokens::new(self.tokens);
        let warnings = findings.warnings;
        Ok(Config { registry, server: self.server, is_demo: false, warnings })
    }
}

impl Read<'_> {
    /// Checks that `registration_client` is a client; `client.rs` checks what it needs.
    fn check_registration(&self, findings: &mut Findings) {
        let Some((line, id)) = &self.server.registration_client else { return };
        if self.clients.iter().any(|client| *client.id == **id) {
            return;
        }
        let meant = did_you_mean(id, self.clients.iter().map(|client| &*client.id));
        let what = format!("registration_client is not a [client] of this file{meant}");
        findings.fault(Some(*line), what);
    }
}

impl Findings {
    fn add(&mut self, more: Findings) {
        self.faults.extend(more.faults);
        self.warnings.extend(more.warnings);
    }

    fn fault(&mut self, line: Option<usize>, what: impl Into<String>) {
        self.faults.push(Finding { line, what: what.into() });
    }

    /// Warns if hashes differ in cost. An unknown name takes as long as the costliest, so the time
    /// of an answer tells that a user with a cheaper one exists.
    fn warn_of_mixed(&mut self, whose: &str, costs: &[(usize, u32)]) {
        // Differences between fast hashes cannot be measured.
        const FAST: u32 = 1;
        let most = costs.iter().map(|(_, cost)| *cost).max().unwrap_or(0);
        for (line, cost) in costs {
            if *cost < most && most > FAST {
                let what = format!(
                    "this {whose} is faster to check than another's, which tells by time that the \
                     name exists; give all of them hashes of {most} iterations"
                );
                self.warnings.push(Finding { line: Some(*line), what });
            }
        }
    }
}

/// Reports sections that are unknown or appear twice; returns the names of all.
fn check_headers(sections: &mut [Section], findings: &mut Findings) -> Names {
    let mut seen = Names::default();
    for section in sections.iter_mut() {
        let fault = settle_kind(section);
        let fault = fault.or_else(|| clash(section, &seen).map(String::from));
        let fault = fault.or_else(|| resource::name_fault(section));
        seen.add(section);
        if let Some(what) = fault
            && !section.is_told
        {
            findings.fault(Some(section.line), what);
        }
    }
    // A section of an unknown kind may have been meant to be a client.
    if !sections.iter().any(|section| ["client", ""].contains(&section.kind.as_str())) {
        let what = "there is no [client]; add one, such as [client application], or nobody can \
                    get a token";
        findings.fault(None, what);
    }
    seen
}

/// What is wrong with a section's kind and name. A mistyped kind becomes the one that was meant, so
/// that nothing is reported missing because of it; an unknown one becomes empty.
fn settle_kind(section: &mut Section) -> Option<String> {
    let words = [SERVER].into_iter().chain(KINDS.iter().map(|kind| kind.word));
    let Some(word) = nearest(&section.kind, words) else {
        section.kind.clear();
        let kinds: Vec<String> = KINDS.iter().map(Kind::header).collect();
        return Some(format!("unknown section; the sections are [{SERVER}], {}", kinds.join(", ")));
    };
    let kind = KINDS.iter().find(|kind| kind.word == word);
    let header = kind.map_or_else(|| format!("[{SERVER}]"), Kind::header);
    let written = std::mem::replace(&mut section.kind, word.into());
    if written != word {
        Some(format!("unknown section {written:?}; did you mean {header}?"))
    } else if section.name.is_empty() == kind.is_some() {
        Some(format!("this section must be {header}"))
    } else {
        None
    }
}

/// What is wrong with a section, given those before it.
fn clash(section: &Section, before: &Names) -> Option<&'static str> {
    let is_there = |kind: &str| before.has(kind, &names::key(section));
    match section.kind.as_str() {
        "" => None,
        kind if is_there(kind) => Some("this section appears twice; join the two"),
        "client" if is_there("user") => Some(ONE_NAME),
        "user" if is_there("client") => Some(ONE_NAME),
        _ => None,
    }
}

/// Tokens, the log and proxies name both in the same way.
const ONE_NAME: &str = "a user and a client have this name; give one of them another";

#[cfg(test)]
mod tests;
