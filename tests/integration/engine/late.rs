//! Contract section 6: what comes to the engine late, and what is revoked while a name is away.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::proxy::Proxy;
use super::redis::Engine;
use crate::state::*;
use crate::support::*;

/// An engine, a server before it, and a proxy that can say everything again that the server said.
struct Late {
    engine: Engine,
    proxy: Proxy,
    server: Server,
}

impl Late {
    fn new() -> Option<Late> {
        let engine = Engine::start()?;
        let proxy = Proxy::before(&engine);
        let server = Server::with(&format!("store = {}", proxy.url()));
        Some(Late { engine, proxy, server })
    }

    /// What `work` came to, and what it has told the engine: a first attempt whose connection broke
    /// may arrive like this, after the second one has been answered.
    fn told<T>(&self, work: impl FnOnce(&Server) -> T) -> (T, Vec<u8>) {
        self.proxy.said();
        let result = work(&self.server);
        (result, self.proxy.said())
    }

    fn arrives(&self, late: &[u8]) {
        assert!(!late.is_empty());
        let mut engine = TcpStream::connect(("127.0.0.1", self.engine.port())).unwrap();
        engine.set_read_timeout(Some(PATIENCE)).unwrap();
        engine.write_all(late).unwrap();
        engine.write_all(b"*2\r\n$4\r\nECHO\r\n$4\r\nover\r\n").unwrap();
        let mut answers = Vec::new();
        while !answers.ends_with(b"over\r\n") {
            let mut piece = [0; 4096];
            let size = engine.read(&mut piece).unwrap();
            assert!(size > 0);
            answers.extend_from_slice(&piece[..size]);
        }
    }
}

#[test]
fn a_code_that_is_kept_late_is_not_redeemed_twice() {
    let Some(late) = Late::new() else { return };
    let (code, kept) = late.told(code);
    let tokens = redeem(&late.server, &code);
    assert_eq!(tokens.status, 200, "{tokens:?}");
    late.arrives(&kept);
    assert_eq!(redeem(&late.server, &code).status, 400);
    assert!(!late.server.is_live(&tokens.member("access_token")));
}

#[test]
fn a_family_that_is_kept_late_does_not_bring_its_first_refresh_token_back() {
    let Some(late) = Late::new() else { return };
    let (first, kept) = late.told(|server| server.token(APP, ANN));
    let second = refresh(&late.server, &first.member("refresh_token"));
    assert_eq!(second.status, 200, "{second:?}");
    late.arrives(&kept);
    assert!(!late.server.is_live(&first.member("access_token")));
    assert!(late.server.is_live(&second.member("access_token")));
    assert_eq!(refresh(&late.server, &first.member("refresh_token")).status, 400);
}

#[test]
fn a_rotation_and_an_exchange_that_come_late_change_nothing() {
    let Some(late) = Late::new() else { return };
    let code = code(&late.server);
    let (first, redeemed) = late.told(|server| redeem(server, &code));
    let old = first.member("refresh_token");
    let (second, rotated) = late.told(|server| refresh(server, &old));
    let third = refresh(&late.server, &second.member("refresh_token"));
    for kept in [redeemed, rotated] {
        late.arrives(&kept);
        assert!(!late.server.is_live(&second.member("access_token")));
        assert!(late.server.is_live(&third.member("access_token")));
    }
    assert_eq!(refresh(&late.server, &third.member("refresh_token")).status, 200);
}

#[test]
fn a_device_that_is_kept_late_stays_allowed() {
    let Some(late) = Late::new() else { return };
    let ((device_code, user_code), kept) = late.told(device);
    assert_eq!(decide(&late.server, &user_code, "allow").status, 200);
    late.arrives(&kept);
    assert_eq!(poll(&late.server, &device_code).status, 200);
    assert_eq!(poll(&late.server, &device_code).status, 400);
}

/// The tokens of a user who is not in the file are good nowhere; those that are revoked meanwhile do
/// not come back with the name, and end at a replica that still has it.
#[test]
fn what_is_revoked_while_its_user_is_away_stays_revoked() {
    let Some(engine) = Engine::start() else { return };
    let text = format!("[server]\nstore = {}\nlog = off\n{CLIENTS}", engine.url());
    let [one, other] = [(); 2].map(|()| Server::configured(&text));
    let [first, second, third] = [(); 3].map(|()| one.token(APP, ANN));
    let access = second.member("access_token");
    reload(&one, &text.replace("[user ann]\npassword = password\n", ""));
    assert!(!one.is_live(&access) && other.is_live(&access));
    assert_eq!(refresh(&one, &first.member("refresh_token")).status, 400);
    for token in [first.member("refresh_token"), access.clone()] {
        assert_eq!(revoke(&one, &token).status, 200);
    }
    assert!(!other.is_live(&first.member("access_token")) && !other.is_live(&access));
    reload(&one, &text);
    assert_eq!(refresh(&one, &first.member("refresh_token")).status, 400);
    assert!(!one.is_live(&access) && one.is_live(&third.member("access_token")));
    assert_eq!(refresh(&one, &third.member("refresh_token")).status, 200);
}

/// A load that wants more connections than the engine takes is answered all the same.
#[test]
fn an_engine_that_takes_few_connections_serves_many_requests() {
    let Some(engine) = Engine::with(&["--maxclients", "3"]) else { return };
    let server = engine.server("log = off");
    let token = server.access_token("read");
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(server.bearer(&token).status, 200);
                }
            });
        }
    });
}
