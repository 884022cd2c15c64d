//! The table of routes: the path, its methods, which other origins may read the answer, and the
//! function that answers.

use super::{Call, authenticate, authorize, device, device_authorization, introspect, metadata};
use super::{ready, register, reply, resource, revoke, token, tour, userinfo};
use crate::http::Response;
use crate::oauth::Outcome;

/// Answers a request, and notes in the [`Outcome`] what the log and the metrics need to know.
pub type Endpoint = for<'a> fn(&Call<'a>, &mut Outcome<'a>) -> Response;

/// Which websites' scripts may read an answer, in a browser (CORS).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Readers {
    Anyone,
    AllowedOrigins,
    Nobody,
}

/// A row of the table.
pub struct Route {
    pub path: &'static str,
    /// Empty if any method will do.
    pub methods: &'static [&'static str],
    pub readers: Readers,
    pub endpoint: Endpoint,
}

const GET: &[&str] = &["GET", "HEAD"];
const POST: &[&str] = &["POST"];
const PAGE: &[&str] = &["GET", "HEAD", "POST"];
const ANY: &[&str] = &[];

use Readers::{AllowedOrigins, Anyone, Nobody};

/// The most frequent first, since a look-up goes through them in this order.
#[rustfmt::skip]
pub static ROUTES: [Route; 16] = [
    row("/oauth/token", POST, AllowedOrigins, token::answer),
    row("/", GET, AllowedOrigins, resource::answer),
    row("/oauth/authenticate", ANY, Nobody, authenticate::answer),
    row("/oauth/introspect", POST, AllowedOrigins, introspect::answer),
    row("/oauth/revoke", POST, AllowedOrigins, revoke::answer),
    row("/oauth/userinfo", PAGE, AllowedOrigins, userinfo::answer),
    row("/oauth/authorize", PAGE, Nobody, authorize::answer),
    row("/oauth/device_authorization", POST, AllowedOrigins, device_authorization::answer),
    row("/oauth/device", PAGE, Nobody, device::answer),
    row("/.well-known/oauth-authorization-server", GET, Anyone, metadata::server),
    row(PROTECTED_RESOURCE, GET, Anyone, metadata::resource),
    row(register::PATH, POST, AllowedOrigins, register::answer),
    row("/healthz", GET, Nobody, |_, _| reply::text("ok")),
    row("/readyz", GET, Nobody, ready::answer),
    row("/tour", ANY, Nobody, tour::answer),
    row("/tour/callback", ANY, Nobody, tour::answer),
];

const fn row(
    path: &'static str,
    methods: &'static [&'static str],
    readers: Readers,
    endpoint: Endpoint,
) -> Route {
    Route { path, methods, readers, endpoint }
}

pub const WELL_KNOWN: &str = "/.well-known/";
/// The path of the resource that is meant may follow (RFC 9728, section 3.1).
pub const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";

impl Route {
    pub fn knows_method(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.contains(&method)
    }

    /// Whether the answer needs the request's body; `/oauth/authenticate` answers from the head
    /// alone.
    pub fn wants_body(&self) -> bool {
        !self.methods.is_empty()
    }
}

/// Who may read the answer to a path, even if there is nothing at it.
pub fn readers(path: &str, route: Option<&Route>) -> Readers {
    match route {
        Some(route) => route.readers,
        None if path.contains(WELL_KNOWN) => Anyone,
        None => Nobody,
    }
}
