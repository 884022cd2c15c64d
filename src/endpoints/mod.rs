//! The endpoints, one file each: a request in, a call to the rules, a response out.
//!
//! This file is the route table and what stands around every request: who asks, CORS, the log and
//! the metrics.

mod authenticate;
mod authorize;
mod cors;
mod current;
mod device;
mod device_authorization;
mod introspect;
mod metadata;
pub mod metrics;
mod pages;
mod reply;
mod resource;
mod revoke;
mod settings;
mod token;

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::LogFormat;
use crate::encode::form::Form;
use crate::http::{self, Head, Request, Response, Service};
use crate::oauth::client_auth::{self, Credentials};
use crate::oauth::throttle::Throttle;
use crate::oauth::{Authorization, Client, ErrorCode, OAuthError, Timestamp};
use crate::store::Store;
use crate::watch::log::{Line, Log};
use crate::watch::metrics::Metrics;

use current::Current;
use reply::Reply;
pub use settings::Settings;

/// The server's state: what it was told and what it has given out.
pub struct App {
    pub settings: Current,
    store: Store,
    throttle: Throttle,
    pub log: Arc<Log>,
    metrics: Metrics,
}

/// A request on its way through an endpoint.
struct Call<'a> {
    settings: &'a Settings,
    store: &'a Store,
    throttle: &'a Throttle,
    request: &'a Request<'a>,
    /// The client's, as far as proxies can be believed.
    address: IpAddr,
    now: Timestamp,
    /// The client that has shown who it is, for the log.
    client: Cell<Option<&'a Client>>,
}

/// A row of the route table.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Route {
    Token,
    Resource,
    Authenticate,
    Introspect,
    Revoke,
    Authorize,
    DeviceAuthorization,
    Device,
    ServerMetadata,
    ResourceMetadata,
    Health,
}

impl Route {
    /// In the order in which they are declared, which is that of their metrics.
    const ALL: [Route; 11] = [
        Route::Token,
        Route::Resource,
        Route::Authenticate,
        Route::Introspect,
        Route::Revoke,
        Route::Authorize,
        Route::DeviceAuthorization,
        Route::Device,
        Route::ServerMetadata,
        Route::ResourceMetadata,
        Route::Health,
    ];

    fn path(self) -> &'static str {
        match self {
            Route::Token => "/oauth/token",
            Route::Resource => "/",
            Route::Authenticate => "/oauth/authenticate",
            Route::Introspect => "/oauth/introspect",
            Route::Revoke => "/oauth/revoke",
            Route::Authorize => "/oauth/authorize",
            Route::DeviceAuthorization => "/oauth/device_authorization",
            Route::Device => "/oauth/device",
            Route::ServerMetadata => "/.well-known/oauth-authorization-server",
            Route::ResourceMetadata => "/.well-known/oauth-protected-resource",
            Route::Health => "/healthz",
        }
    }

    /// The methods; `None` where any will do.
    fn methods(self) -> Option<&'static [&'static str]> {
        match self {
            Route::Token | Route::Introspect | Route::Revoke | Route::DeviceAuthorization => {
                Some(&["POST"])
            }
            Route::Authorize | Route::Device => Some(&["GET", "HEAD", "POST"]),
            Route::Authenticate => None,
            _ => Some(&["GET", "HEAD"]),
        }
    }

    /// The route of a path, with the issuer's own path in front or without it; metadata also with
    /// it behind (RFC 8414, section 3.1).
    fn find(path: &str, issuer_path: &str) -> Option<Route> {
        let exact = |path: &str| Route::ALL.into_iter().find(|route| route.path() == path);
        if let Some(route) = exact(path) {
            return Some(route);
        }
        if issuer_path.is_empty() {
            return None;
        }
        match path.strip_prefix(issuer_path) {
            Some("") => Some(Route::Resource),
            Some(rest) => exact(rest),
            None => path
                .strip_suffix(issuer_path)
                .and_then(exact)
                .filter(|route| matches!(route, Route::ServerMetadata | Route::ResourceMetadata)),
        }
    }
}

impl App {
    /// `slow_hashes` is how many password hashes may run at once.
    pub fn new(settings: Settings, log: Arc<Log>, slow_hashes: usize) -> App {
        App {
            settings: Current::new(settings),
            store: Store::new(),
            throttle: Throttle::new(slow_hashes),
            log,
            metrics: Metrics::new(Route::ALL.map(Route::path)),
        }
    }

    /// Frees what has expired, in pieces between which requests go on.
    pub fn sweep(&self) {
        while self.store.sweep(timestamp(SystemTime::now())) {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Ends what belongs to clients and users that the settings in force do not name.
    pub fn end_unknown(&self) {
        self.store.end_unknown(&self.settings.get().registry);
    }

    /// Counts and logs an answer.
    #[inline(never)]
    fn record(&self, call: &Call, route: Option<Route>, reply: &Reply) {
        let duration = call.request.arrived.elapsed();
        let status = reply.response.status;
        self.metrics.answered(route.map(|route| route as usize), status, duration);
        if let Some(grant) = reply.issued {
            self.metrics.issued(grant);
        }
        if let Some(refusal) = &reply.refusal {
            self.metrics.refused(refusal.code);
        }
        let format = call.settings.log_format;
        if format == LogFormat::Off {
            return;
        }
        let reason = reply.refusal.as_ref().map(|refusal| refusal.reason());
        let line = Line {
            time: call.now,
            address: call.address,
            method: call.request.head.method,
            path: call.request.head.path,
            status,
            duration,
            client: reply.client.as_deref().or(call.client.get().map(|client| &*client.id)),
            user: reply.user.as_deref(),
            reason: reason.as_deref(),
        };
        self.log.request(format, &line);
    }
}

/// The answer of the route, if there is one and it knows the method.
fn routed(call: &Call, route: Option<Route>) -> Reply {
    let head = &call.request.head;
    if head.path == "*" {
        return reply::methods(204, "GET, HEAD, POST, OPTIONS");
    }
    if head.method == "CONNECT" {
        return reply::methods(405, "GET, HEAD, POST, OPTIONS");
    }
    let Some(route) = route else { return reply::not_found() };
    if head.method == "OPTIONS"
        && let Some(reply) = cors::preflight(call, route)
    {
        return reply;
    }
    match route.methods() {
        Some(methods) if !methods.contains(&head.method) => {
            reply::methods(405, &methods.join(", "))
        }
        _ => answer(call, route),
    }
}

/// The route's answer. The endpoints are not inlined here: their stack would add up, and every
/// open connection would hold a page more of it (16 KiB in place of 12 after a token request).
fn answer(call: &Call, route: Route) -> Reply {
    match route {
        Route::Token => token::answer(call),
        Route::Resource => resource::answer(call),
        Route::Authenticate => authenticate::answer(call),
        Route::Introspect => introspect::answer(call),
        Route::Revoke => revoke::answer(call),
        Route::Authorize => authorize::answer(call),
        Route::DeviceAuthorization => device_authorization::answer(call),
        Route::Device => device::answer(call),
        Route::ServerMetadata => metadata::server(call),
        Route::ResourceMetadata => metadata::resource(call),
        Route::Health => reply::text("ok"),
    }
}

impl Service for App {
    fn wants_body(&self, head: &Head) -> bool {
        let issuer_path = &self.settings.get().issuer_path;
        Route::find(head.path, issuer_path) != Some(Route::Authenticate)
    }

    fn answer(&self, request: &Request) -> Response {
        self.settings.with(|settings| {
            let call = Call {
                settings,
                store: &self.store,
                throttle: &self.throttle,
                request,
                address: settings.client_address(request),
                now: timestamp(request.time),
                client: Cell::new(None),
            };
            let route = Route::find(request.head.path, &settings.issuer_path);
            let mut reply = routed(&call, route);
            cors::apply(&call, route, &mut reply);
            self.record(&call, route, &reply);
            reply.response
        })
    }

    fn refused(&self, connection: IpAddr, refusal: http::Refusal) {
        self.metrics.answered(None, refusal.status(), Duration::ZERO);
        let line = Line {
            time: timestamp(SystemTime::now()),
            address: connection,
            method: "-",
            path: "-",
            status: refusal.status(),
            duration: Duration::ZERO,
            client: None,
            user: None,
            reason: Some(refusal.words().1),
        };
        self.log.request(self.settings.get().log_format, &line);
    }

    fn notice(&self, what: &str) {
        self.log.notice(what);
    }
}

impl<'a> Call<'a> {
    /// The form in the body, of which these parameters are known.
    fn form(&self, known: &[&'static str]) -> Result<Form<'a>, OAuthError> {
        const FORM: &[u8] = b"application/x-www-form-urlencoded";
        let content_type = self.request.head.fields.first("content-type").unwrap_or(b"");
        let (media_type, rest) =
            content_type.split_at_checked(FORM.len()).unwrap_or((content_type, b""));
        let ends_there = matches!(rest.trim_ascii_start(), [] | [b';', ..]);
        if !(media_type.eq_ignore_ascii_case(FORM) && ends_there) {
            return Err(OAuthError::new(
                ErrorCode::InvalidRequest,
                "the Content-Type is not application/x-www-form-urlencoded",
                "RFC 6749, section 3.2",
            ));
        }
        std::str::from_utf8(self.request.body)
            .ok()
            .and_then(|text| Form::parse(text, known).ok())
            .ok_or_else(OAuthError::malformed_form)
    }

    /// The form in the query, of which these parameters are known.
    fn query(&self, known: &[&'static str]) -> Result<Form<'a>, OAuthError> {
        let text = self.request.head.query.unwrap_or("");
        Form::parse(text, known).map_err(|_| OAuthError::malformed_form())
    }

    /// The form in the body for programs, whose mistakes are errors: nothing may be there twice.
    fn strict_form(&self, known: &[&'static str]) -> Result<Form<'a>, OAuthError> {
        let form = self.form(known)?;
        match form.repeated() {
            Some(name) => Err(OAuthError::repeated(name)),
            None => Ok(form),
        }
    }

    /// The client that asks.
    fn client(&self, form: &Form) -> Result<&'a Client, OAuthError> {
        let credentials = Credentials { authorization: self.authorization(), form };
        let registry = &self.settings.registry;
        let client = client_auth::authenticate(
            registry,
            self.throttle,
            &credentials,
            self.address,
            self.now,
        )?;
        self.client.set(Some(client));
        Ok(client)
    }

    fn authorization(&self) -> Authorization<'a> {
        Authorization::of(self.request.head.fields.all("authorization"))
    }
}

/// The protocol's form of an instant.
fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_the_issuers_path_and_without() {
        for (path, issuer_path, expected) in [
            ("/", "", Some(Route::Resource)),
            ("/oauth/token", "", Some(Route::Token)),
            ("/oauth/token/", "", None),
            ("/OAUTH/token", "", None),
            ("/p", "", None),
            ("/p", "/p", Some(Route::Resource)),
            ("/p/", "/p", Some(Route::Resource)),
            ("/", "/p", Some(Route::Resource)),
            ("/p/oauth/token", "/p", Some(Route::Token)),
            ("/poauth/token", "/p", None),
            ("/oauth/token/p", "/p", None),
            ("/.well-known/oauth-authorization-server/p", "/p", Some(Route::ServerMetadata)),
            ("/.well-known/oauth-protected-resource/p", "/p", Some(Route::ResourceMetadata)),
            ("/p/.well-known/oauth-protected-resource", "/p", Some(Route::ResourceMetadata)),
            ("/.well-known/oauth-protected-resource/q", "/p", None),
        ] {
            assert_eq!(Route::find(path, issuer_path), expected, "{path} {issuer_path}");
        }
    }
}
