//! The endpoints, one file each: take the parameters out of the request, call the rules in `oauth`,
//! make a response of the result.
//!
//! `route.rs` is the table of paths. This file is what every request passes through:
//! [`App::answer`] gathers what the rules may know, finds the route, and adds CORS, the log's line
//! and the metrics.

mod authenticate;
mod authorize;
mod call;
mod cors;
mod cross_site;
mod current;
mod device;
mod device_authorization;
mod explain;
mod introspect;
mod lost;
mod metadata;
pub mod metrics;
mod pages;
mod paths;
mod ready;
mod record;
mod register;
mod reply;
mod resource;
mod revoke;
mod route;
mod settings;
mod testing;
mod token;
mod tour;
mod upkeep;
mod userinfo;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::clock;
use crate::crypto::gate::{Gate, Visitor};
use crate::http::{self, Head, Request, Response, Service};
use crate::oauth::{Known, Origin, Outcome, Throttle, Uptime};
use crate::step_aside::StepAside;
use crate::store::Store;
use crate::watch::log::{Level, Log};
use crate::watch::metrics::{Metrics, Vitals};

use call::Call;
use current::Current;
use route::{ROUTES, Route};
pub use settings::Settings;

/// The server's state: its configuration, and all that it has issued and counted.
pub struct App {
    pub settings: Current,
    store: Store,
    throttle: Throttle,
    /// Lets only a few slow password hashes be computed at once.
    gate: Gate,
    pub log: Arc<Log>,
    metrics: Metrics,
    started: Instant,
    vitals: Mutex<Vitals>,
    is_stopping: AtomicBool,
}

/// How long after its last byte a request may wait for its turn at a slow password hash.
const PATIENCE: Duration = Duration::from_secs(10);

impl App {
    /// `slow_hashes` is how many password hashes may be computed at once.
    pub fn new(mut settings: Settings, store: Store, log: Arc<Log>, slow_hashes: usize) -> App {
        store.enrol(Arc::make_mut(&mut settings.registry));
        log.speaks(settings.log_format);
        let now = clock::now().seconds();
        App {
            settings: Current::new(settings),
            store,
            throttle: Throttle::new(),
            gate: Gate::new(slow_hashes),
            log,
            metrics: Metrics::new(ROUTES.iter().map(|route| route.path)),
            started: Instant::now(),
            vitals: Mutex::new(Vitals { started: now, loaded: now, ..Vitals::default() }),
            is_stopping: AtomicBool::new(false),
        }
    }

    /// Puts new settings into force. Requests in progress go on with the old ones.
    pub fn replace_settings(&self, mut settings: Settings) {
        self.store.enrol(Arc::make_mut(&mut settings.registry));
        self.log.speaks(settings.log_format);
        self.settings.replace(settings);
        let mut vitals = self.vitals();
        (vitals.loaded, vitals.reload_failed) = (clock::now().seconds(), false);
    }

    fn origin(&self, request: &Request, settings: &Settings) -> Origin {
        let uptime = request.arrived.saturating_duration_since(self.started);
        Origin {
            address: settings.client_address(request),
            relays: settings.is_untrusted_proxy(request),
            now: clock::timestamp(request.time),
            uptime: Uptime(uptime.as_millis() as u64),
        }
    }
}

/// The route's answer, if there is a route and it knows the method.
fn routed<'a>(call: &Call<'a>, route: Option<&Route>, outcome: &mut Outcome<'a>) -> Response {
    let head = &call.request.head;
    if head.path == "*" {
        return reply::options("GET, HEAD, POST, OPTIONS");
    }
    if head.method == "CONNECT" {
        return reply::method_not_allowed("GET, HEAD, POST, OPTIONS", outcome);
    }
    if head.method == "OPTIONS"
        && let Some(response) = cors::preflight(call, route)
    {
        return response;
    }
    match route {
        None => reply::not_found(outcome),
        Some(route) if !route.knows_method(head.method) => {
            reply::method_not_allowed(&route.methods.join(", "), outcome)
        }
        Some(route) => (route.endpoint)(call, outcome),
    }
}

impl Service for App {
    fn wants_body(&self, head: &Head) -> bool {
        let found = paths::find(head.path, &self.settings.get());
        found.is_none_or(|at| ROUTES[at].wants_body())
    }

    fn answer(&self, request: &Request) -> Response {
        self.store.begin();
        self.settings.with(|settings| {
            // Settings depend on the request only on the bench for tests.
            let own = testing::settings_of(settings, request);
            let settings = own.as_deref().unwrap_or(settings);
            let origin = self.origin(request, settings);
            // Slow password hashes wait for their turn at the gate.
            let in_turn =
                |check: &mut dyn FnMut() -> bool| self.gate.pass(&visitor(request, &origin), check);
            // What is checked and done, if the log or the client asks for that.
            let steps = explain::steps(settings, request.head);
            let call = Call {
                settings,
                known: Known {
                    registry: &settings.registry,
                    store: &self.store,
                    throttle: &self.throttle,
                    in_turn: &in_turn,
                    steps: steps.as_ref(),
                },
                request,
                origin,
                is_stopping: self.is_stopping.load(Relaxed),
            };
            let found = paths::find(request.head.path, settings);
            let route = found.map(|at| &ROUTES[at]);
            let mut outcome = Outcome::default();
            let mut response = match &settings.testing {
                None => routed(&call, route, &mut outcome),
                Some(testing) => testing::routed(testing, &call, route, &mut outcome),
            };
            // A person in a browser gets a page instead of JSON.
            if lost::may_be(response.status) {
                lost::apply(&call, route, &mut response);
            }
            cors::apply(&call, route, &mut response, &mut outcome);
            let steps = steps.as_ref().map_or_else(Vec::new, |steps| {
                explain::tell(steps, (settings, request.head), &outcome, &mut response)
            });
            self.record(&call, found, (response.status, &steps), &outcome);
            response
        })
    }

    fn refused(&self, connection: IpAddr, refusal: http::Refusal) {
        self.record_refusal(connection, refusal);
    }

    fn notice(&self, what: &str) {
        self.log.tell(Level::Warning, what);
    }

    fn step_aside(&self) -> StepAside {
        self.store.step_aside()
    }
}

/// Who is waiting for a turn at a slow hash.
fn visitor<'a>(request: &'a Request, origin: &Origin) -> Visitor<'a> {
    Visitor {
        address: origin.network(),
        patience_ends: request.arrived + PATIENCE,
        is_gone: request.is_gone,
    }
}
