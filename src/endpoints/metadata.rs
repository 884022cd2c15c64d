//! The metadata documents, by which a client finds everything else.

use super::{Call, Settings, paths, reply};
use crate::encode::json::Object;
use crate::http::Response;
use crate::oauth::Outcome;
use crate::oauth::resource::Resource;

/// `GET /.well-known/oauth-authorization-server` (RFC 8414).
pub fn server(call: &Call, _: &mut Outcome) -> Response {
    reply::document(&call.settings.server_metadata)
}

/// `GET /.well-known/oauth-protected-resource`, and with a resource's path after it (RFC 9728). A
/// proxy passes such requests on from the resources' own hosts, so `Host` says which is meant.
pub fn resource(call: &Call, _: &mut Outcome) -> Response {
    let (settings, head) = (call.settings, &call.request.head);
    let path = paths::resource_path(head.path, &settings.issuer_path).unwrap_or("");
    let host = head.fields.first("host").and_then(|host| str::from_utf8(host).ok());
    match described(settings, path, host.unwrap_or("")) {
        None => reply::document(&settings.resource_metadata),
        Some(resource) => {
            let in_query = resource.is_issuer && settings.bearer_in_query;
            reply::document(&of_resource(resource, &settings.issuer, in_query))
        }
    }
}

/// The resource with this path and host. Otherwise `None`, this server itself, unless its path is
/// another: then the first resource with this path, which someone has asked for by another host
/// name.
fn described<'a>(settings: &'a Settings, path: &str, host: &str) -> Option<&'a Resource> {
    let own = Resource::new(&settings.issuer);
    let is_own = path.is_empty() || path == settings.issuer_path && own.is_at(host);
    let mut with_path = settings.registry.resources.iter().filter(|it| it.parts().1 == path);
    let first = with_path.clone().next().filter(|_| !is_own);
    with_path.find(|it| it.is_at(host)).or(first)
}

/// RFC 9728, section 3.2.
pub fn of_resource(resource: &Resource, issuer: &str, in_query: bool) -> String {
    let methods = ["header", "query"];
    let object = Object::new()
        .string("resource", &resource.url)
        .strings("authorization_servers", [issuer])
        .strings("scopes_supported", resource.scopes.tokens())
        .strings("bearer_methods_supported", methods[..1 + usize::from(in_query)].iter().copied());
    match &resource.name {
        Some(name) => object.string("resource_name", name),
        None => object,
    }
    .finish()
}
