//! The configuration, in the form that requests need.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use super::metadata;
use super::route::PROTECTED_RESOURCE;
use super::testing::Testing;
use crate::config::Config;
use crate::encode::json::Object;
use crate::http::Request;
use crate::http::listener::UNIX;
use crate::http::network::Network;
use crate::oauth::audience::Place;
use crate::oauth::{GrantType, Registry};
use crate::watch::log::LogFormat;

/// Where a proxy names the address it acts for; each further proxy adds to the end.
const FORWARDED: &str = "x-forwarded-for";

#[derive(Clone)]
pub struct Settings {
    pub registry: Arc<Registry>,
    /// The metadata's `issuer`, byte for byte.
    pub issuer: String,
    /// The issuer's path without a slash at its end; usually empty.
    pub issuer_path: String,
    pub verification_uri: String,
    pub resource_metadata_uri: String,
    /// The two metadata documents.
    pub server_metadata: String,
    pub resource_metadata: String,
    pub bearer_in_query: bool,
    pub allowed_origins: Vec<String>,
    /// The client that programs register themselves as, if they may.
    pub registration_client: Option<String>,
    pub log_format: LogFormat,
    /// Whether it serves the demo data, with the tour and the `Explain` fields.
    pub is_demo: bool,
    trusted_proxies: Vec<Network>,
    /// The bench for other people's tests, if it is switched on.
    pub testing: Option<Arc<Testing>>,
}

impl Settings {
    pub fn new(mut config: Config, issuer: String) -> Settings {
        let own = config.registry.as_resource(&issuer);
        config.registry.resources.add_issuer(own);
        let mut settings = Settings {
            registry: Arc::new(config.registry),
            issuer: String::new(),
            issuer_path: String::new(),
            verification_uri: String::new(),
            resource_metadata_uri: String::new(),
            server_metadata: String::new(),
            resource_metadata: String::new(),
            bearer_in_query: config.server.bearer_in_query,
            allowed_origins: config.server.allowed_origins,
            registration_client: config.server.registration_client.map(|(_, id)| id),
            log_format: config.server.log,
            is_demo: config.is_demo,
            trusted_proxies: config.server.trusted_proxies,
            testing: config.server.testing.map(|testing| Arc::new(Testing::new(testing))),
        };
        settings.set_issuer(issuer);
        settings
    }

    /// Sets the issuer, and all that is derived from it.
    pub fn set_issuer(&mut self, issuer: String) {
        let base = issuer.trim_end_matches('/');
        let authority = base.find("://").map_or(0, |at| at + 3);
        let path = base[authority..].find('/').map_or("", |at| &base[authority + at..]);
        let origin = &base[..base.len() - path.len()];
        self.issuer_path = path.into();
        self.verification_uri = format!("{base}/oauth/device");
        self.resource_metadata_uri = format!("{origin}{PROTECTED_RESOURCE}{path}");
        self.server_metadata = self.server_metadata(&issuer, base);
        let own = self.registry.as_resource(&issuer);
        self.resource_metadata = metadata::of_resource(&own, &issuer, self.bearer_in_query);
        self.issuer = issuer;
    }

    /// Where to find the metadata of that resource (RFC 9728, section 3.1), or the server's own if
    /// the resource is unknown.
    pub fn metadata_uri(&self, place: Place) -> Cow<'_, str> {
        match place {
            Place::At(resource) if !resource.is_issuer => {
                let (origin, path) = resource.parts();
                format!("{origin}{PROTECTED_RESOURCE}{path}").into()
            }
            _ => (&self.resource_metadata_uri).into(),
        }
    }

    /// The address that sent the request: the connection's other end or, if that is a trusted
    /// proxy, the last address in `X-Forwarded-For` that is not one. Anything before that may be
    /// made up.
    #[inline(never)]
    pub fn client_address(&self, request: &Request) -> IpAddr {
        let mut address = request.connection;
        if !self.trusts(address) {
            return address;
        }
        let lines = request.head.fields.all(FORWARDED).rev();
        for entry in lines.flat_map(|line| line.rsplit(|&b| b == b',')) {
            let named = std::str::from_utf8(entry.trim_ascii()).ok();
            let named = named.and_then(|text| text.parse::<IpAddr>().ok());
            let named = named.map(|it| it.to_canonical()).filter(|it| *it != UNIX);
            let Some(named) = named else { break };
            address = named;
            if !self.trusts(address) {
                break;
            }
        }
        address
    }

    /// Whether the request may come from a proxy that is missing in `trusted_proxies`.
    pub fn is_untrusted_proxy(&self, request: &Request) -> bool {
        request.head.fields.first(FORWARDED).is_some() && !self.trusts(request.connection)
    }

    /// Whether this address is a trusted proxy. Over a Unix socket everyone is: its mode says who
    /// may connect.
    pub fn trusts(&self, address: IpAddr) -> bool {
        address == UNIX || self.trusted_proxies.iter().any(|network| network.contains(address))
    }

    /// RFC 8414, section 2; RFC 9207, section 3.
    fn server_metadata(&self, issuer: &str, base: &str) -> String {
        let with_none = ["client_secret_basic", "client_secret_post", "none"];
        let endpoint = |name| format!("{base}/oauth/{name}");
        let mut object = Object::new()
            .string("issuer", issuer)
            .string("authorization_endpoint", &endpoint("authorize"))
            .string("token_endpoint", &endpoint("token"))
            .string("revocation_endpoint", &endpoint("revoke"))
            .string("introspection_endpoint", &endpoint("introspect"))
            .string("device_authorization_endpoint", &endpoint("device_authorization"))
            .string("userinfo_endpoint", &endpoint("userinfo"));
        if self.registration_client.is_some() {
            object = object.string("registration_endpoint", &endpoint("register"));
        }
        object = object
            .strings("response_types_supported", ["code"])
            .strings("response_modes_supported", ["query"])
            .strings("grant_types_supported", GrantType::ALL.map(GrantType::as_str))
            .strings("code_challenge_methods_supported", ["S256"])
            .strings("token_endpoint_auth_methods_supported", with_none)
            .strings("revocation_endpoint_auth_methods_supported", with_none)
            .strings("introspection_endpoint_auth_methods_supported", &with_none[..2])
            .strings("scopes_supported", self.registry.scopes())
            .boolean("authorization_response_iss_parameter_supported", true);
        // Not beside registration, to which clients would prefer it: registration is open to all of
        // them.
        if self.registration_client.is_none() && self.registry.has_metadata_document() {
            object = object.boolean("client_id_metadata_document_supported", true);
        }
        object.finish()
    }
}
