//! The bench for other people's tests, only with `testing = yes`: an issuer that is right under
//! every name, users who allow by themselves, and answers that go wrong on purpose.
//!
//! A room of its own, with [`routed`] and [`settings_of`] as its doors: to take it out, take out
//! the two calls of these. Everything else stays as strict as ever, since it is done by the same
//! functions.

mod auto_approve;
mod faults;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::route::Route;
use super::{Call, Settings};
use crate::config::testing as config;
use crate::http::{Request, Response};
use crate::oauth::Outcome;

/// What the configuration says, and how far each client has got in its list.
pub struct Testing {
    issuer_is_requested: bool,
    /// By client id.
    benches: HashMap<Arc<str>, Bench>,
}

struct Bench {
    auto_approve: Option<Arc<str>>,
    faults: Vec<config::Fault>,
    /// The number of token requests so far.
    requests: AtomicUsize,
}

impl Testing {
    /// A bench at the beginning of each list, as after a reload.
    pub fn new(config: config::Testing) -> Testing {
        let bench = |(id, bench): (_, config::Bench)| {
            let config::Bench { auto_approve, faults } = bench;
            (id, Bench { auto_approve, faults, requests: AtomicUsize::new(0) })
        };
        Testing {
            issuer_is_requested: config.issuer_is_requested,
            benches: config.benches.into_iter().map(bench).collect(),
        }
    }

    /// The fault for the next token request of this client; `None` for the right answer.
    fn next_fault(&self, client: &str) -> Option<&config::Fault> {
        let bench = self.benches.get(client).filter(|bench| !bench.faults.is_empty())?;
        let number = bench.requests.fetch_add(1, Ordering::Relaxed);
        Some(&bench.faults[number % bench.faults.len()])
    }

    /// The user who allows whatever this client asks for.
    fn approver(&self, client: &str) -> Option<&str> {
        self.benches.get(client)?.auto_approve.as_deref()
    }
}

/// The settings for a request whose `Host` names the issuer; `None` if they are the usual ones.
pub fn settings_of(settings: &Settings, request: &Request) -> Option<Box<Settings>> {
    settings.testing.as_ref().filter(|testing| testing.issuer_is_requested)?;
    renamed(settings, request)
}

/// Cold, so that usual requests hold no stack for a copy of the settings.
#[cold]
#[inline(never)]
fn renamed(settings: &Settings, request: &Request) -> Option<Box<Settings>> {
    // `request::parse` has checked that it is a host; HTTP/1.0 may leave it out.
    let host = request.head.fields.first("host").filter(|host| !host.is_empty())?;
    let host = std::str::from_utf8(host).ok()?;
    let scheme = if is_forwarded_https(settings, request) { "https" } else { "http" };
    let mut own = Box::new(settings.clone());
    let issuer = format!("{scheme}://{host}");
    if !own.registry.resources.is_empty() {
        Arc::make_mut(&mut own.registry).resources.rename_issuer(&issuer);
    }
    own.set_issuer(issuer);
    Some(own)
}

/// Whether a trusted proxy says that its client used https.
fn is_forwarded_https(settings: &Settings, request: &Request) -> bool {
    let says = request.head.fields.first("x-forwarded-proto").unwrap_or(b"");
    settings.trusts(request.connection) && says.trim_ascii().eq_ignore_ascii_case(b"https")
}

/// Answers as the client's section says, and otherwise as usual. Not inlined, to spare the stack of
/// servers without a bench.
#[cold]
#[inline(never)]
pub fn routed<'a>(
    testing: &'a Testing,
    call: &Call<'a>,
    route: Option<&Route>,
    outcome: &mut Outcome<'a>,
) -> Response {
    let special = match (route.map(|route| route.path), call.request.head.method) {
        (Some("/oauth/token"), "POST") => Some(faults::token(testing, call, outcome)),
        (Some("/oauth/authorize"), "GET" | "HEAD" | "POST") => {
            auto_approve::authorize(testing, call, outcome)
        }
        (Some("/oauth/device_authorization"), "POST") => {
            Some(auto_approve::device_authorization(testing, call, outcome))
        }
        _ => None,
    };
    special.unwrap_or_else(|| super::routed(call, route, outcome))
}
