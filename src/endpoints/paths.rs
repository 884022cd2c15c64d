//! Finds the row of the table for a path, with or without the issuer's own path, and with a
//! resource's path after that of its metadata.

use super::route::{PROTECTED_RESOURCE, ROUTES, WELL_KNOWN};
use super::{Settings, register};

/// The place of a path in the table, if it exists with these settings.
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

/// The place of a path, with or without the issuer's own path before it; for metadata also with
/// that path after it (RFC 8414, section 3.1; RFC 9728, section 3.1).
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

/// The path of the resource whose metadata is asked for.
pub fn resource_path<'p>(path: &'p str, issuer_path: &str) -> Option<&'p str> {
    path.strip_prefix(issuer_path).unwrap_or(path).strip_prefix(PROTECTED_RESOURCE)
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
