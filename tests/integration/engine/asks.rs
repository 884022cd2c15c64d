//! Every request that needs the state, and what each must be answered while the engine is away.

use std::time::{Duration, Instant};

use crate::state::*;
use crate::support::*;

/// What a server issued while all was well.
pub struct Held {
    pub access: String,
    pub refresh: String,
    pub code: String,
    /// The device code of a device that waits for its user, and the user code that it shows.
    pub pending: (String, String),
    /// The device code of one that was allowed.
    pub allowed: String,
    /// A `[token]` of the file.
    pub fixed: String,
}

/// `--new-token`: the token, and the section of the file that makes it valid.
pub fn fixed_token() -> (String, String) {
    let (_, out, _) = run(&["--new-token"]);
    let (token, hash) = out.trim_end().split_once('\n').unwrap();
    let section = format!("[token script]\n{hash}\nclient = app\nuser = ann\nscopes = read\n");
    (token.into(), section)
}

impl Held {
    /// One of each from this server, whose file has this `[token]`.
    pub fn of(server: &Server, fixed: &str) -> Held {
        let answer = server.token(APP, ANN);
        let (allowed, shown) = device(server);
        assert_eq!(decide(server, &shown, "allow").status, 200);
        Held {
            access: answer.member("access_token"),
            refresh: answer.member("refresh_token"),
            code: code(server),
            pending: device(server),
            allowed,
            fixed: fixed.into(),
        }
    }

    /// What no server has ever issued.
    pub fn made_up(fixed: &str) -> Held {
        let device = |end: &str| "0".repeat(39) + end;
        Held {
            access: device("1"),
            refresh: "0".repeat(63) + "2",
            code: "0".repeat(63) + "3",
            pending: (device("4"), "BBBB-BBBB".into()),
            allowed: device("5"),
            fixed: fixed.into(),
        }
    }
}

pub type Ask = fn(&Server, &Held) -> Answer;

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

fn token_form(token: &str) -> String {
    format!("token={token}")
}

/// Those that are answered with JSON.
pub const JSON: [(&str, Ask); 16] = [
    ("password", |server, _| server.token(APP, ANN)),
    ("client_credentials", |server, _| server.token(APP, "grant_type=client_credentials")),
    ("refresh_token", |server, held| refresh(server, &held.refresh)),
    ("authorization_code", |server, held| redeem(server, &held.code)),
    ("device_code, allowed", |server, held| poll(server, &held.allowed)),
    ("device_code, pending", |server, held| poll(server, &held.pending.0)),
    ("device_authorization", |server, _| server.post("/oauth/device_authorization", &[APP], "")),
    ("/", |server, held| server.bearer(&held.access)),
    ("authenticate", |server, held| server.get("/oauth/authenticate", &[&bearer(&held.access)])),
    ("authenticate by OPTIONS", |server, held| {
        server.request("OPTIONS", "/oauth/authenticate?scope=read", &[&bearer(&held.access)], "")
    }),
    ("userinfo", |server, held| server.get("/oauth/userinfo", &[&bearer(&held.access)])),
    ("introspect an access token", |server, held| {
        server.post("/oauth/introspect", &[API], &token_form(&held.access))
    }),
    ("introspect a refresh token", |server, held| {
        server.post("/oauth/introspect", &[APP], &token_form(&held.refresh))
    }),
    ("revoke an access token", |server, held| revoke(server, &held.access)),
    ("revoke a refresh token", |server, held| revoke(server, &held.refresh)),
    ("revoke an unknown one", |server, _| revoke(server, &"f".repeat(40))),
];

/// Those that are answered with a page, which says how long to wait.
pub const PAGES: [(&str, Ask); 5] = [
    ("allow at authorize", |server, _| authorize(server, "allow")),
    ("device by a link", |server, held| {
        server.get(&format!("/oauth/device?user_code={}", held.pending.1), &[])
    }),
    ("device, the code", |server, held| decide(server, &held.pending.1, "")),
    ("device, allow", |server, held| decide(server, &held.pending.1, "allow")),
    ("device, deny", |server, held| decide(server, &held.pending.1, "deny")),
];

/// Those that look at a row that exists.
pub fn looking() -> impl Iterator<Item = &'static (&'static str, Ask)> {
    let blind = [
        "password",
        "client_credentials",
        "device_authorization",
        "allow at authorize",
        "revoke an unknown one",
    ];
    JSON.iter().chain(&PAGES).filter(move |(name, _)| !blind.contains(name))
}

/// The status, the fields and the body of the JSON answers.
pub fn whole() -> String {
    let body = "{\"error\":\"temporarily_unavailable\",\"error_description\":\
                \"the server's token store is not available now, try again later\"}";
    format!(
        "503\nCache-Control: no-store\nPragma: no-cache\nContent-Type: application/json\n\
         Retry-After: 1\nContent-Length: {}\n\n{body}",
        body.len()
    )
}

/// Asserts the page again: never a redirect, with what was typed except the password.
#[track_caller]
pub fn assert_page_again(name: &str, answer: &Answer, held: &Held) {
    assert_eq!((answer.status, answer.field("Retry-After")), (503, Some("1")), "{name} {answer:?}");
    assert_eq!((answer.field("Location"), answer.field("Cache-Control")), (None, Some("no-store")));
    assert!(answer.body.contains("Please wait 1 seconds, then try again."), "{name} {answer:?}");
    let kept = if name.contains("authorize") { "value=\"ann\"" } else { &*held.pending.1 };
    assert!(answer.body.contains("<form") && answer.body.contains(kept), "{name} {answer:?}");
    assert!(!answer.body.contains("value=\"password\""), "{name} {answer:?}");
}

/// An answer within two seconds. A busy machine may be late, but not every time.
#[track_caller]
pub fn in_time(name: &str, ask: impl Fn() -> Answer) -> Answer {
    let mut took = Duration::ZERO;
    for _ in 0..5 {
        let began = Instant::now();
        let answer = ask();
        took = began.elapsed();
        if took < Duration::from_secs(2) {
            return answer;
        }
    }
    panic!("{name} takes {took:?}");
}

/// Asserts that every request that needs the engine is 503 in time, and that others are answered as
/// usual.
#[track_caller]
pub fn assert_unavailable_everywhere(server: &Server, held: &Held) {
    // In parallel, since each may take all its time.
    std::thread::scope(|scope| {
        for (name, ask) in JSON {
            scope.spawn(move || {
                let answer = in_time(name, || ask(server, held));
                assert_eq!(answer.whole(), whole(), "{name}");
            });
        }
        for (name, ask) in PAGES {
            scope.spawn(move || {
                assert_page_again(name, &in_time(name, || ask(server, held)), held);
            });
        }
    });
    assert_as_ever(server, held);
    assert_eq!(in_time("/readyz", || server.get("/readyz", &[])).whole(), whole());
}

/// Asserts what needs no engine. At most four times for a server, since a wrong secret counts.
#[track_caller]
pub fn assert_as_ever(server: &Server, held: &Held) {
    assert_eq!(server.get("/healthz", &[]).body, "ok");
    assert!(server.is_live(&held.fixed));
    let user = server.get("/oauth/userinfo", &[&bearer(&held.fixed)]);
    assert_eq!((user.status, user.member("sub")), (200, "ann".into()));
    let told = server.post("/oauth/introspect", &[API], &token_form(&held.fixed));
    assert_eq!((told.status, &told.json()["active"]), (200, &true.into()));
    let wrong = server.token("Authorization: Basic b3RoZXI6d3Jvbmc=", ANN);
    assert_eq!(wrong.error(), (401, "invalid_client".into()));
    assert_eq!(server.token(APP, "grant_type=x").error().1, "unsupported_grant_type");
    assert_eq!(server.get("/", &[]).status, 401);
    assert_eq!(server.get("/oauth/device", &[]).status, 200);
    let back = authorize(server, "deny");
    assert_eq!(back.location_parameter("error").as_deref(), Some("access_denied"));
}

/// Waits until the server says that it is ready.
#[track_caller]
pub fn await_ready(server: &Server) {
    eventually(|| server.get("/readyz", &[]).status == 200, "it is not there again");
}

/// Asserts that what was issued is valid everywhere; spends nothing.
#[track_caller]
pub fn assert_good(server: &Server, held: &Held) {
    for token in [&held.access, &held.fixed] {
        assert!(server.is_live(token));
        let told = server.get("/oauth/authenticate", &[&bearer(token)]);
        assert_eq!((told.status, told.field("X-Auth-User")), (200, Some("ann")));
        assert_eq!(server.get("/oauth/userinfo", &[&bearer(token)]).member("sub"), "ann");
    }
    for token in [&held.access, &held.refresh, &held.fixed] {
        let told = server.post("/oauth/introspect", &[APP], &token_form(token));
        assert_eq!(told.json()["active"], true, "{told:?}");
    }
    assert_eq!(poll(server, &held.pending.0).error(), (400, "authorization_pending".into()));
}

/// Asserts that it can all be spent, too.
#[track_caller]
pub fn assert_spendable(server: &Server, held: &Held) {
    assert_good(server, held);
    assert_eq!(decide(server, &held.pending.1, "allow").status, 200);
    for answer in [
        refresh(server, &held.refresh),
        redeem(server, &held.code),
        poll(server, &held.allowed),
        poll(server, &held.pending.0),
    ] {
        assert!(server.is_live(&answer.member("access_token")));
    }
    assert!(!server.is_live(&held.access));
}
