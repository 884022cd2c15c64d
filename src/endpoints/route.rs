//! The table of routes: which path, by which methods, who may read it from elsewhere, and who
//! answers.

use super::{Call, authenticate, authorize, device, device_authorization, introspect, metadata};
use super::{Settings, ready, register, reply, resource, revoke, token, tour, userinfo};
use crate::http::Response;
use crate::oauth::Outcome;

/// Answers a request and tells what it came to.
pub type Endpoint = for<'a> fn(&Call<'a>, &mut Outcome<'a>) -> Response;

/// Which pages elsewhere may read an answer from a browser.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Readers {
    Anyone,
    AllowedOrigins,
    Nobody,
}

/// A row of the table.
pub struct Route {
    pub path: &'static str,
    /// Empty where any method will do.
    pub methods: &'static [&'static str],
    pub readers: Readers,
    pub endpoint: Endpoint,
}

const GET: &[&str] = &["GET", "HEAD"];
const POST: &[&str] = &["POST"];
const PAGE: &[&str] = &["GET", "HEAD", "POST"];
const ANY: &[&str] = &[];

use Readers::{AllowedOrigins, Anyone, Nobody};

/// In the order in which they are asked for most, which is that of the look-up and of the metrics.
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

const WELL_KNOWN: &str = "/.well-known/";
/// Behind it stands the path of the service that is meant (RFC 9728, section 3.1).
pub const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";

impl Route {
    pub fn knows_method(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.contains(&method)
    }

    /// Whether the answer needs the request's body; forward-auth answers from the head alone.
    pub fn wants_body(&self) -> bool {
        !self.methods.is_empty()
    }
}

/// The place in the table of a path, where these settings have it.
#[inline(never)]
pub fn find(path: &str, settings: &Settings) -> Option<usize> {
    let is_there =
        |at: &usize| ROUTES[*at].path != register::PATH || settings.registration_client.is_some();
    let found = place(path, &settings.issuer_path).filter(is_there);
    found.or_else(|| {
        let behind = resource_path(path, &settings.issuer_path)?;
        let is_of_one = settings.registry.resources.iter().any(|it| it.parts().1 == behind);
        place(PROTECTED_RESOURCE, "").filter(|_| is_of_one)
    })
}

/// The place of a path, with the issuer's own path in front or without it; metadata also with it
/// behind (RFC 8414, section 3.1; RFC 9728, section 3.1).
fn place(path: &str, issuer_path: &str) -> Option<usize> {
    let exact = |path: &str| ROUTES.iter().position(|route| route.path == path);
    if let Some(at) = exact(path) {
        return Some(at);
    }
    if issuer_path.is_empty() {
        return None;
    }
    match path.strip_prefix(issuer_path) {
        Some("") => exact("/"),
        Some(rest) => exact(rest),
        None => path
            .strip_suffix(issuer_path)
            .and_then(exact)
            .filter(|&at| ROUTES[at].path.starts_with(WELL_KNOWN)),
    }
}

/// What stands behind the path of a resource's metadata.
pub fn resource_path<'p>(path: &'p str, issuer_path: &str) -> Option<&'p str> {
    path.strip_prefix(issuer_path).unwrap_or(path).strip_prefix(PROTECTED_RESOURCE)
}

/// Who may read the answer to a path, also where there is nothing.
pub fn readers(path: &str, route: Option<&Route>) -> Readers {
    match route {
        Some(route) => route.readers,
        None if path.contains(WELL_KNOWN) => Anyone,
        None => Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_the_issuers_path_and_without() {
        for (path, issuer_path, expected) in [
            ("/", "", Some("/")),
            ("/oauth/token", "", Some("/oauth/token")),
            ("/oauth/token/", "", None),
            ("/OAUTH/token", "", None),
            ("/p", "", None),
            ("/p", "/p", Some("/")),
            ("/p/", "/p", Some("/")),
            ("/", "/p", Some("/")),
            ("/p/oauth/token", "/p", Some("/oauth/token")),
            ("/poauth/token", "/p", None),
            ("/oauth/token/p", "/p", None),
            (
                "/.well-known/oauth-authorization-server/p",
                "/p",
                Some("/.well-known/oauth-authorization-server"),
            ),
            (
                "/.well-known/oauth-protected-resource/p",
                "/p",
                Some("/.well-known/oauth-protected-resource"),
            ),
            (
                "/p/.well-known/oauth-protected-resource",
                "/p",
                Some("/.well-known/oauth-protected-resource"),
            ),
            ("/.well-known/oauth-protected-resource/q", "/p", None),
        ] {
            let found = place(path, issuer_path).map(|at| ROUTES[at].path);
            assert_eq!(found, expected, "{path} {issuer_path}");
        }
    }
}
