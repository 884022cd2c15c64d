//! Tests of the configuration as a whole; each part is tested in its own file.

use super::*;
use crate::http::Limits;
use crate::oauth::registry::Lifetimes;
use crate::oauth::secret::StoredSecret;
use crate::oauth::{GrantType, Scope};
use crate::store::SyncPolicy;
use crate::watch::log::LogFormat;
use proptest::prelude::*;

fn read(text: &[u8], context: &Context) -> Result<Config, Vec<Finding>> {
    let outside = Outside {
        file: &|name| match name {
            "good" | "open" => Ok(b"from file\n".to_vec()),
            _ => Err("no such file".into()),
        },
        is_open: &|name| name == Some("open"),
        environment: &|name| (name == "SET").then(|| "from environment".into()),
        folder: &|_| None,
    };
    parse(text, context, &outside)
}

fn config(text: &str) -> Config {
    read(text.as_bytes(), &Context::default()).unwrap()
}

/// The lines of the faults, and the words of the first.
fn faults(text: &str) -> (Vec<Option<usize>>, String) {
    let errors = read(text.as_bytes(), &Context::default()).expect_err(text);
    let lines = errors.iter().map(|error| error.line).collect();
    (lines, errors[0].what.clone())
}

/// The same with a client added, which every configuration needs.
fn faults_beside_a_client(text: &str) -> (Vec<Option<usize>>, String) {
    faults(&format!("{text}\n[client other]\n"))
}

/// The lines of the warnings, and their words.
fn warnings(text: &str) -> Vec<(usize, String)> {
    warnings_at(text, 0)
}

/// The same at a time in milliseconds since 1970.
pub fn warnings_at(text: &str, now: u64) -> Vec<(usize, String)> {
    let context = Context { now: Timestamp(now), ..Context::default() };
    let warnings = read(text.as_bytes(), &context).unwrap().warnings.into_iter();
    warnings.map(|warning| (warning.line.unwrap(), warning.what)).collect()
}

#[test]
fn every_default_is_what_the_contract_says() {
    let config = config("[client c]\n[user u]\npassword = p\n");
    let lifetimes = Lifetimes {
        access_token: 3600,
        refresh_token: 1_209_600,
        authorization_code: 60,
        device_code: 600,
        device_interval: 5,
    };
    let server = Server {
        listen: vec![Place::parse("localhost:3000").unwrap()],
        listen_mode: 0o660,
        issuer: None,
        bearer_in_query: false,
        allowed_origins: vec![],
        registration_client: None,
        trusted_proxies: vec![],
        insecure_redirects: false,
        max_connections: 4096,
        max_tokens_per_client: 1_000_000,
        lifetimes,
        log: LogFormat::Text,
        metrics_listen: None,
        state_file: None,
        control: None,
        state_sync: SyncPolicy::Ends,
        store: None,
        testing: None,
    };
    assert_eq!(config.server, server);
    assert_eq!(config.server.max_connections, Limits::DEFAULT.connections);
    assert_eq!((&config.registry.lifetimes, config.warnings), (&config.server.lifetimes, vec![]));
    assert_eq!(config.registry.max_tokens_per_client, 1_000_000);
    let client = config.registry.client("c").unwrap();
    assert!(client.name.is_none() && client.secret.is_none() && !client.require_pkce);
    assert_eq!((client.access_token_lifetime, client.grants.len()), (3600, 0));
    assert_eq!((&client.scopes, &client.default_scopes), (&Scope::default(), &Scope::default()));
    assert!(client.redirect_uris.is_empty());
    assert_eq!(config.registry.user("u").unwrap().scopes, None);
}

const EVERY_KEY: &str = "\u{feff}[server]\r\n; comment\r\nlisten = localhost:3000 [::1]:1\r\n\
     issuer=https://auth.example.com\r\naccess_token_lifetime = 60\r\n\
     refresh_token_lifetime = 61\r\nauthorization_code_lifetime = 62\r\n\
     device_code_lifetime = 63\r\ndevice_interval = 0\r\nbearer_in_query = yes\r\n\
     allowed_origins = https://App.example.com\r\ntrusted_proxies = 127.0.0.1\t10.0.0.0/8\r\n\
     max_connections = 2\r\nmax_tokens_per_client = 3\r\nlog = json\r\n\
     metrics_listen = localhost:2\r\nstate_file = state\r\nstate_sync = always\r\n\r\n\
     [client my app]\r\nsecret = secret\r\nname = My App\r\n\
     grants = password urn:ietf:params:oauth:grant-type:device_code\r\n\
     scopes = read write\r\ndefault_scopes = read\r\naccess_token_lifetime = 300\r\n\
     refresh_token_lifetime = 86400\r\n\
     redirect_uris = com.example.app:/callback\r\nrequire_pkce = yes\r\n\
     [client other]\r\nsecret = s\r\nrequire_pkce = no\r\n\
     [user p]\r\npassword = a#b;c\r\nscopes =\r\n";

#[test]
fn every_key_of_an_engine_is_read() {
    let text = "[server]\nstore = redis://engine/2\nstore_user = u\nstore_password = \"p #\"\n\
                store_prefix = o:\n[client c]\n";
    let engine = config(text).server.store.unwrap();
    assert_eq!((engine.place.to_string().as_str(), engine.place.database), ("redis://engine/2", 2));
    assert_eq!((engine.user.as_deref(), engine.prefix.as_str()), (Some("u"), "o:"));
    assert_eq!(engine.password.unwrap().reveal(), "p #");
    let engine = config("[server]\nstore = unix:e.sock\n[client c]\n").server.store.unwrap();
    assert!(engine.user.is_none() && engine.password.is_none() && engine.prefix == "{oauth2d}");
}

#[test]
fn every_key_of_the_server_is_read() {
    let config = config(EVERY_KEY);
    let server = &config.server;
    let state = (server.state_file.as_deref(), server.state_sync);
    assert_eq!(state, (Some(std::path::Path::new("state")), SyncPolicy::Always));
    assert_eq!(
        server.listen.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["localhost:3000", "[::1]:1"]
    );
    assert_eq!(server.issuer.as_deref(), Some("https://auth.example.com"));
    let lifetimes = "Lifetimes { access_token: 60, refresh_token: 61, authorization_code: 62, \
                     device_code: 63, device_interval: 0 }";
    assert_eq!(format!("{:?}", server.lifetimes), lifetimes);
    assert_eq!(server.allowed_origins, ["https://app.example.com"]);
    assert!(server.trusted_proxies[1].contains("10.255.0.1".parse().unwrap()));
    assert_eq!((server.max_connections, server.max_tokens_per_client), (2, 3));
    assert_eq!((server.bearer_in_query, server.log), (true, LogFormat::Json));
    assert_eq!(server.metrics_listen.as_ref().unwrap().to_string(), "localhost:2");
}

#[test]
fn every_key_of_clients_and_users_is_read() {
    let config = config(EVERY_KEY);
    let client = config.registry.client("my app").unwrap();
    assert_eq!(client.name.as_deref(), Some("My App"));
    assert_eq!(client.grants, [GrantType::Password, GrantType::DeviceCode]);
    assert_eq!((client.scopes.as_str(), client.default_scopes.as_str()), ("read write", "read"));
    assert_eq!(client.redirect_uris, ["com.example.app:/callback"]);
    assert_eq!((client.access_token_lifetime, client.needs_pkce()), (300, true));
    assert_eq!(client.refresh_token_lifetime, 86400);
    // The server's lifetime applies to every client without its own.
    let other = config.registry.client("other").unwrap();
    assert_eq!((other.access_token_lifetime, other.refresh_token_lifetime), (60, 61));
    assert!(!other.needs_pkce());
    let user = config.registry.user("p").unwrap();
    assert!(user.password.matches("a#b;c"));
    assert_eq!(user.scopes, Some(Scope::default()));
}

#[test]
fn the_demo_is_read() {
    let config = config(include_str!("../demo.conf"));
    assert!(config.registry.client("application").unwrap().may(GrantType::RefreshToken));
    let public = config.registry.client("publicApplication").unwrap();
    assert!(public.secret.is_none() && public.name.as_deref() == Some("Example App"));
    assert!(config.registry.user("pedroetb").is_some());
    assert_eq!(config.warnings, []);
}

/// A configuration with one fault, and its line.
const FAULTS: &[(&str, usize)] = &[
    ("x = 1", 1),
    ("[server]\nx = 1", 2),
    ("[server]\nstate_file =", 2),
    ("[server]\nstate_sync = ends", 2),
    ("[server]\nstore = rediss://engine", 2),
    ("[server]\nstore = redis://a:b@engine", 2),
    ("[server]\nstore = redis://engine\nstate_file = s", 3),
    ("[server]\nstate_file = s\nstore = redis://engine", 3),
    ("[server]\nstore_user = u", 2),
    ("[server]\nstore_prefix = p", 2),
    ("[server]\nstore_password = p", 2),
    ("[server]\nstore_password_env = SET", 2),
    ("[server]\nstore = redis://engine\nstore_prefix =", 3),
    ("[server]\nstore = redis://engine\nstore_prefix = a b", 3),
    ("[server]\nstore = redis://engine\nstore_password = p\nstore_password_file = f", 4),
    ("[server]\nstore = redis://engine\nstore_password_hash = sha256$00", 3),
    ("[server]\nstate_file = s\nstate_sync = never", 3),
    ("[server]\nlisten", 2),
    ("[server]\n\nlog = yes", 3),
    ("[server]\nlog = off\nlog = off", 3),
    ("[server]\n[server]", 2),
    ("[client a]\n[client a]", 2),
    ("[client a]\n[user a]\npassword = p", 2),
    ("[user a]\npassword = p\n[client a]", 3),
    ("[client]", 1),
    ("[client ]", 1),
    ("[server", 1),
    ("[server a]", 1),
    ("[server] # c", 1),
    ("[other x]\nx = 1", 1),
    ("[client a\u{1}]", 1),
    ("[server]\nlisten = 3000", 2),
    ("[server]\nlisten = :3000", 2),
    ("[server]\nlisten = a:70000", 2),
    ("[server]\nlisten = ::1:3000", 2),
    ("[server]\nlisten =", 2),
    ("\n[server]\nlisten = [::]:3000", 2),
    ("\n[server]\nlisten = 127.0.0.1:0 0.0.0.0:0", 2),
    ("[server]\nissuer = auth.example.com", 2),
    ("[server]\nissuer = https://", 2),
    ("[server]\nissuer = https://h/?x", 2),
    ("[server]\nissuer = https://h/#x", 2),
    ("[server]\naccess_token_lifetime = 0", 2),
    ("[server]\naccess_token_lifetime = -1", 2),
    ("[server]\naccess_token_lifetime = 1.5", 2),
    ("[server]\naccess_token_lifetime = 99999999999999999999", 2),
    ("[server]\nbearer_in_query = true", 2),
    ("[server]\nallowed_origins = https://a/ ", 2),
    ("[server]\nallowed_origins = *", 2),
    ("[server]\ntrusted_proxies = 10.0.0.0/33", 2),
    ("[server]\ntrusted_proxies = proxy", 2),
    ("[server]\nmetrics_listen = x", 2),
    ("[server]\nmetrics_listen = localhost:3000", 2),
    ("[server]\nmetrics_listen = a:1\nlisten = b:2 a:1", 3),
    ("[server]\nregistration_client = b", 2),
    ("[server]\nregistration_client = a\n[client a]", 2),
    (
        "[server]\nregistration_client = a\n[client a]\nsecret = s\nredirect_uris = a:/\ngrants = authorization_code",
        2,
    ),
    ("[client a]\ngrants = client_credentials", 2),
    ("[client a]\ngrants = implicit", 2),
    ("[client a]\nsecret = s\ngrants = authorization_code", 1),
    ("[client a]\ngrants = authorization_code", 1),
    ("[client a]\nredirect_uris = /cb", 2),
    ("[client a]\nredirect_uris = http://h/cb", 2),
    ("[client a]\nredirect_uris =", 2),
    ("[client a]\ndefault_scopes = a", 2),
    ("[client a]\nscopes =\ndefault_scopes = a", 3),
    ("[client a]\nscopes = a\\b", 2),
    ("[client a]\nrefresh_token_grace = 3601", 2),
    ("[client a]\nname =", 2),
    ("[client a]\nname = a\u{1b}", 2),
    ("[client a]\nsecret_file = good\nsecret = s", 3),
    ("[user a]", 1),
];

#[test]
fn every_fault_has_its_line() {
    for (text, line) in FAULTS {
        assert_eq!(faults_beside_a_client(text).0, [Some(*line)], "{text}");
    }
}

#[test]
fn a_configuration_without_a_client_is_a_fault() {
    for text in ["", "\n", "# all is commented out", "[server]\n", "[user u]\npassword = p"] {
        let expected = "there is no [client]; add one, such as [client application], or nobody \
                        can get a token";
        assert_eq!(faults(text), (vec![None], expected.into()), "{text}");
    }
    // It comes after the faults that have a line.
    assert_eq!(faults("[server]\nx = 1").0, [Some(2), None]);
}

#[test]
fn all_faults_are_told_in_order() {
    let text = "[user a]\n[server]\nlog = x\ny\n";
    assert_eq!(faults_beside_a_client(text).0, [Some(1), Some(3), Some(4)]);
}

#[test]
fn a_fault_is_told_once() {
    for (text, line) in [
        (&b"[user a]\npassword = \xff"[..], 2),
        (b"[user a]\n\xff", 2),
        (b"[user a]\npassword = a ;b", 2),
        (b"[user a]\npassword", 2),
        (b"[user a]\npasword = x", 2),
        (b"[user a]\npassword_hash = x", 2),
        (b"[client a]\nsecret = a # b\ngrants = client_credentials", 2),
        (b"[client a]\nredirect_uri = https://a/\ngrants = authorization_code\nsecret = s", 2),
        (b"[client a]\nscopes = a\\b\ndefault_scopes = a", 2),
        (b"[server]\nissuer = \xff\nlisten = 0.0.0.0:1", 2),
        (b"[server]\nisuer = https://a\nlisten = 0.0.0.0:1", 2),
        (b"[usr a]\npassword = p", 1),
        (b"[user a] # b\npassword = p", 1),
        (b"[server]\nregistration_client = a\n[client a]\ngrants", 4),
        (b"[server]\nregistration_client = a\n[clinet a]\nredirect_uris = a:/\ngrants = authorization_code", 3),
    ] {
        let text = [text, b"\n[client other]"].concat();
        let faults = read(&text, &Context::default()).unwrap_err();
        let lines: Vec<_> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [Some(line)], "{}", String::from_utf8_lossy(&text));
    }
    for text in ["[clinet a]", "[client a", "[client]"] {
        assert_eq!(faults(text).0, [Some(1)], "{text}");
    }
}

#[test]
fn the_nearest_right_name_is_told() {
    for (text, what) in [
        ("[user a]\npasword = x", "unknown key \"pasword\"; did you mean password?"),
        ("[client a]\ngranst = password", "unknown key \"granst\"; did you mean grants?"),
        ("[client a]\ngrants = pasword", "unknown grant \"pasword\"; did you mean password?"),
        ("[clinet a]", "unknown section \"clinet\"; did you mean [client ID]?"),
        ("[server]\nlog = jsno", "log must be text, json, explain or off; did you mean json?"),
        ("[server]\nlisten = 80", "listen must be HOST:PORT; did you mean localhost:80?"),
        (
            "[server]\ndevice_interval = 3601",
            "device_interval must be a whole number from 0 to 3600; did you mean 3600?",
        ),
        (
            "[client a]\nscopes = read\ndefault_scopes = raed",
            "default_scopes has a scope that scopes lacks; did you mean read?",
        ),
    ] {
        assert_eq!(faults_beside_a_client(text).1, what);
    }
}

#[test]
fn no_fault_repeats_what_may_be_a_secret() {
    for text in [
        "[client c]\nsecrt = hunter2",
        "[client c]\nhunter2",
        "[client c]\nsecret = \"hunter2",
        "[client c]\nhunter2 = 1",
        "[client c]\nsecret_hash = hunter2",
        "[client c]\ngrants = hunter2",
        "[hunter2]",
    ] {
        assert!(!faults(text).1.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_wildcard_on_the_command_line_has_no_line_and_the_demo_may() {
    let listen = ["127.0.0.1:1", "0.0.0.0:1"].map(|place| Place::parse(place).unwrap());
    let context = Context { listen: listen.to_vec(), ..Context::default() };
    assert_eq!(read(b"[client c]", &context).unwrap_err()[0].line, None);
    let context = Context { listen: listen.to_vec(), is_demo: true, ..Context::default() };
    assert_eq!(read(b"[client c]", &context).unwrap().server.listen, listen);
}

#[test]
fn insecure_redirects_are_allowed_by_name() {
    let text =
        "[client a]\nsecret = s\nredirect_uris = http://h/cb\n[server]\ninsecure_redirects = yes\n";
    assert_eq!(config(text).registry.client("a").unwrap().redirect_uris, ["http://h/cb"]);
}

#[test]
fn a_code_may_live_for_ten_minutes() {
    assert_eq!(warnings("[client c]\n[server]\nauthorization_code_lifetime = 600"), []);
}

#[test]
fn a_random_secret_may_have_a_fast_hash() {
    let sha256 = StoredSecret::hash_random("x");
    let text = format!("[client a]\nsecret_hash = {sha256}\n[client b]\nsecret = s");
    assert_eq!(warnings(&text), []);
}

#[test]
fn who_is_faster_to_check_than_an_unknown_name_is_warned_of() {
    // As many iterations as recommended, so that there is no other warning; the hash is never
    // computed.
    let slow = "pbkdf2-sha256$600000$c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let text = format!(
        "[client c]\nsecret = s\n[client d]\nsecret_hash = {slow}\n\
         [user a]\npassword = p\n[user b]\npassword_hash = {slow}\n"
    );
    let expected = |whose| {
        format!(
            "this {whose} is faster to check than another's, which tells by time that the name \
             exists; give all of them hashes of 600000 iterations"
        )
    };
    assert_eq!(
        warnings(&text),
        [(2, expected("client's secret")), (6, expected("user's password"))]
    );
}

/// Lines that are almost right, which random bytes never are.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\[(server|client|user|clinet|resource)( [ab\"]| https://[ab]/?)?\\]?",
        "(secret|password|grants|scopes|default_scopes|redirect_uris|log|listen|isuer|clients|users) ?= ?[a: ;\"#,0]{0,6}",
        "(secret|password)_(file|env|hash) = (good|open|SET|none|sha256\\$)",
        "(device_interval|max_connections) = -?[0-9]{0,21}",
        ".{0,6}",
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes: Vec<u8>) {
        let _ = read(&bytes, &Context::default());
    }

    #[test]
    fn every_finding_has_a_line_of_the_file_and_they_are_in_order(
        lines in prop::collection::vec(line(), 0..12)
    ) {
        let told = match read(lines.join("\n").as_bytes(), &Context::default()) {
            Ok(config) => config.warnings,
            Err(faults) => faults,
        };
        let places: Vec<usize> = told.iter().filter_map(|finding| finding.line).collect();
        prop_assert!(places.iter().all(|line| (1..=lines.len()).contains(line)) && places.is_sorted());
        // That there is no client has no line; everything else has one.
        prop_assert!(told.len() - places.len() <= 1);
    }
}
