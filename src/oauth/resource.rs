//! Protected resources: the services that tokens are for (RFC 8707, RFC 9728).
//!
//!     POST /oauth/token                                     as a client
//!     grant_type=client_credentials&resource=https%3A%2F%2Fapi.example.com%2Fmcp
//!
//! The token is good for that resource alone, so whoever receives it cannot use it elsewhere in the
//! user's name. What a grant was for at first, a resource or none, it is for ever after.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::registry::indexed;
use super::{Client, Scope, User};
use crate::store::{Number, fold::Fold};

/// A `[resource]` of the configuration.
#[derive(Clone, Debug)]
pub struct Resource {
    /// As in the configuration.
    pub url: Arc<str>,
    /// The same for all spellings of the URL: see [`identity`].
    pub identity: Arc<str>,
    /// What people read instead of the URL.
    pub name: Option<Arc<str>>,
    /// The store assigns it when the configuration comes into force.
    pub number: Number,
    /// What its metadata says.
    pub scopes: Scope,
    /// Whose tokens it accepts; `None` if it accepts everyone's.
    pub clients: Option<HashSet<String>>,
    pub users: Option<HashSet<String>>,
    /// Whether it is this server itself.
    pub is_issuer: bool,
}

impl Resource {
    /// A resource that accepts everyone's tokens.
    pub fn new(url: &str) -> Resource {
        Resource {
            url: url.into(),
            identity: identity(url).unwrap_or_else(|| url.into()).into(),
            name: None,
            number: Number::default(),
            scopes: Scope::default(),
            clients: None,
            users: None,
            is_issuer: false,
        }
    }

    /// What people read: its name, or else its URL.
    pub fn label(&self) -> &str {
        self.name.as_ref().unwrap_or(&self.url)
    }

    pub fn lists_client(&self, client: &Client) -> bool {
        self.clients.as_ref().is_none_or(|listed| listed.contains(&*client.id))
    }

    /// A token without a user is not accepted if users are listed.
    pub fn lists_user(&self, user: Option<&User>) -> bool {
        let is_listed =
            |listed: &HashSet<String>| user.is_some_and(|it| listed.contains(&*it.name));
        self.users.as_ref().is_none_or(is_listed)
    }

    /// Its scheme, host and port, and its path, which is empty if it is only a slash.
    pub fn parts(&self) -> (&str, &str) {
        let authority = self.url.find("://").map_or(0, |at| at + 3);
        let end = self.url[authority..].find('/').map_or(self.url.len(), |at| authority + at);
        let (origin, path) = self.url.split_at(end);
        (origin, if path == "/" { "" } else { path })
    }

    /// Whether the value of a `Host` field is its host and port, compared as in URLs.
    pub fn is_at(&self, host: &str) -> bool {
        let (origin, _) = self.parts();
        let scheme = origin.split("://").next().unwrap_or_default();
        identity(&format!("{scheme}://{host}")) == identity(origin)
    }
}

/// The form in which URLs are compared: the case of scheme and host, the scheme's default port and
/// one slash at the end do not count, and nothing is decoded. `None` if it is not an `http` or
/// `https` URL.
pub fn identity(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let own_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let authority = authority.strip_suffix(own_port).unwrap_or(authority).to_ascii_lowercase();
    Some(format!("{scheme}://{authority}{}", path.strip_suffix('/').unwrap_or(path)))
}

/// What is wrong with the URL of a `[resource]`, if anything is (RFC 9728, section 1.2).
pub fn fault(url: &str) -> Option<&'static str> {
    let Some(identity) = identity(url) else {
        return Some("must be an http or https URL, such as https://api.example.com/mcp");
    };
    let (_, rest) = identity.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if !url.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b)) {
        Some("has a character that a URL cannot have; escape it as % and two digits")
    } else if url.contains(['?', '#']) {
        Some("has a query or a fragment; leave out ? or # and what follows it")
    } else if authority.contains('@') {
        Some("has a user in it; leave out what comes before @")
    } else if authority.is_empty() || authority.starts_with(':') {
        Some("has no host; write the whole URL, such as https://api.example.com/mcp")
    } else if !has_good_port(authority) {
        Some("has a port that is none; leave it out, or write a number from 0 to 65535")
    } else {
        None
    }
}

/// Whether what follows the host is a port, or nothing.
fn has_good_port(authority: &str) -> bool {
    let host = authority.rfind(']').map_or(0, |end| end + 1);
    match authority[host..].split_once(':') {
        Some((_, port)) => port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok(),
        None => true,
    }
}

/// The resources of a configuration and, if there are any, this server itself.
#[derive(Clone, Debug)]
pub struct Resources {
    list: Vec<Resource>,
    identities: HashMap<Arc<str>, usize, Fold>,
    numbers: HashMap<Number, usize, Fold>,
    /// How many of them the configuration has.
    in_file: usize,
    /// The position of this server itself.
    issuer: Option<usize>,
}

/// A URL names no resource, or several URLs name different ones.
#[derive(Debug, PartialEq)]
pub struct Unknown;

impl Resources {
    /// Those of a configuration, in its order.
    pub fn new(list: Vec<Resource>) -> Resources {
        Resources {
            identities: indexed(list.iter().map(|it| Arc::clone(&it.identity))),
            numbers: indexed(list.iter().map(|it| it.number)),
            in_file: list.len(),
            issuer: None,
            list,
        }
    }

    /// Adds this server itself if there is any resource, unless it is among them already.
    pub fn add_issuer(&mut self, own: Resource) {
        match self.identities.get(&own.identity) {
            Some(&at) => {
                self.list[at].is_issuer = true;
                self.issuer = Some(at);
            }
            None if self.is_empty() => {}
            None => {
                self.issuer = Some(self.list.len());
                self.identities.insert(Arc::clone(&own.identity), self.list.len());
                self.list.push(own);
            }
        }
    }

    /// Gives this server itself another URL, unless another resource has it.
    pub fn rename_issuer(&mut self, url: &str) {
        if let (Some(at), Some(identity)) = (self.issuer, identity(url)) {
            self.list[at].url = url.into();
            self.identities.entry(identity.into()).or_insert(at);
        }
    }

    /// This server itself, if it is one of them.
    pub fn issuer(&self) -> Option<&Resource> {
        Some(&self.list[self.issuer?])
    }

    /// Those of the configuration, in its order.
    pub fn iter(&self) -> impl Iterator<Item = &Resource> + Clone {
        self.list[..self.in_file].iter()
    }

    /// The identity of each, and where its number goes.
    pub fn identities(&mut self) -> impl Iterator<Item = (&Arc<str>, &mut Number)> {
        self.list.iter_mut().map(|it| (&it.identity, &mut it.number))
    }

    /// Builds the index by number, once each has one.
    pub fn index_numbers(&mut self) {
        self.numbers = indexed(self.list.iter().map(|it| it.number));
    }

    /// How many the configuration has.
    pub fn len(&self) -> usize {
        self.in_file
    }

    pub fn is_empty(&self) -> bool {
        self.in_file == 0
    }

    /// The resource with this URL, however it is spelled.
    pub fn named(&self, url: &str) -> Option<&Resource> {
        Some(&self.list[*self.identities.get(identity(url)?.as_str())?])
    }

    /// The one resource that all of these URLs name, if there are any.
    pub fn named_by<'u>(
        &self,
        urls: impl IntoIterator<Item = &'u str>,
    ) -> Result<Option<&Resource>, Unknown> {
        let mut found: Option<&Resource> = None;
        for url in urls {
            let named = self.named(url).ok_or(Unknown)?;
            if found.replace(named).is_some_and(|other| other.identity != named.identity) {
                return Err(Unknown);
            }
        }
        Ok(found)
    }

    /// The resource with this number, if the configuration still has it.
    pub fn numbered(&self, number: Number) -> Option<&Resource> {
        Some(&self.list[*self.numbers.get(&number)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::registry::samples;

    #[test]
    fn spellings_of_one_url() {
        let notes = identity("https://api.example.com/mcp");
        for url in [
            "https://api.example.com/mcp/",
            "HTTPS://API.Example.com/mcp",
            "https://api.example.com:443/mcp/",
        ] {
            assert_eq!(identity(url), notes, "{url}");
        }
        for url in [
            "https://api.example.com/mcp//",
            "https://api.example.com/Mcp",
            "https://api.example.com/%6Dcp",
            "https://api.example.com/mcp?",
            "https://api.example.com/mcp/#",
            "https://api.example.com:80/mcp",
            "https://api.example.com:/mcp",
            "https://api.example.com:443:443/mcp",
            "http://api.example.com/mcp",
            "https://api.example.com.evil.org/mcp",
            "ftp://api.example.com/mcp",
            "//api.example.com/mcp",
            "",
        ] {
            assert_ne!(identity(url), notes, "{url}");
        }
        for (one, other) in [
            ("http://h", "http://H:80/"),
            ("https://[::1]:443/x", "https://[::1]/x/"),
            ("http://h:443/", "HTTP://h:443"),
        ] {
            assert!(identity(one).is_some() && identity(one) == identity(other), "{one}");
        }
    }

    #[test]
    fn faults_of_a_services_url() {
        for url in [
            "https://api.example.com/mcp",
            "HTTP://localhost:8080",
            "https://[::1]:65535/a/b/",
            "https://h/a;b@c:d",
        ] {
            assert_eq!(fault(url), None, "{url}");
        }
        for url in [
            "",
            "/mcp",
            "api.example.com",
            "ftp://h/",
            "https:h",
            "https://",
            "https:///mcp",
            "https://:443/",
            "https://:8080/",
            "https://h?q",
            "https://h/#",
            "https://u@h/",
            "https://u:p@h:443/",
            "https://h:/mcp",
            "https://h:x/",
            "https://h:65536/",
            "https://h:1:2/",
            "https://h/a b",
            "https://h/\"",
            "https://h/\\",
            "https://\u{e9}/",
        ] {
            assert!(fault(url).is_some(), "{url}");
        }
    }

    #[test]
    fn parts_of_a_url_and_the_host_that_is_its_own() {
        for (url, origin, path) in [
            ("https://h", "https://h", ""),
            ("https://h:1/", "https://h:1", ""),
            ("https://H/mcp/", "https://H", "/mcp/"),
            ("https://h//", "https://h", "//"),
        ] {
            assert_eq!(Resource::new(url).parts(), (origin, path));
        }
        for (url, host, is_own) in [
            ("https://H/mcp", "h", true),
            ("https://h", "H:443", true),
            ("https://h", "h:80", false),
            ("http://h:8080/x", "h:8080", true),
            ("http://h:8080/x", "h", false),
            ("http://h", "", false),
            ("http://h", "h.evil.org", false),
        ] {
            assert_eq!(Resource::new(url).is_at(host), is_own, "{url} {host}");
        }
    }

    /// Two resources, and the server itself as `http://i`.
    fn resources() -> Resources {
        let list = ["https://a/mcp", "https://b"].map(Resource::new);
        let mut resources = Resources::new(list.to_vec());
        resources.add_issuer(Resource { is_issuer: true, ..Resource::new("http://i") });
        resources
    }

    #[test]
    fn several_urls_name_one_service_or_none() {
        let resources = resources();
        let named = |urls: &[&'static str]| {
            let found = resources.named_by(urls.iter().copied());
            found.map(|found| found.map(|it| it.url.to_string()))
        };
        assert_eq!(named(&[]), Ok(None));
        assert_eq!(named(&["https://a/mcp/", "https://A/mcp"]), Ok(Some("https://a/mcp".into())));
        assert_eq!(named(&["https://a/mcp", "https://b"]), Err(Unknown));
        assert_eq!(named(&["https://a/mcp", "x"]), Err(Unknown));
        assert_eq!(named(&["http://i:80/"]), Ok(Some("http://i".into())));
    }

    #[test]
    fn the_server_itself_counts_where_the_file_has_a_service() {
        let own = || Resource { is_issuer: true, ..Resource::new("https://b/") };
        let mut none = Resources::new(Vec::new());
        none.add_issuer(own());
        assert!(none.named("https://b").is_none() && none.is_empty());
        // If the file has it, what the file says counts.
        let mut resources = resources();
        resources.add_issuer(own());
        let found = resources.named("https://b").unwrap();
        assert_eq!((found.is_issuer, &*found.url, resources.len()), (true, "https://b", 2));
    }

    #[test]
    fn whose_tokens_a_service_takes() {
        let listed = |name: &str| Some(HashSet::from([name.to_string()]));
        let (client, user) = (samples::client("a"), samples::user("ann"));
        let open = Resource::new("https://h");
        assert!(open.lists_client(&client) && open.lists_user(None));
        let own = Resource { clients: listed("a"), users: listed("ann"), ..open.clone() };
        assert!(own.lists_client(&client) && own.lists_user(Some(&user)));
        assert!(!own.lists_user(None));
        let others = Resource { clients: listed("b"), users: listed("bob"), ..open };
        assert!(!others.lists_client(&client) && !others.lists_user(Some(&user)));
    }
}
