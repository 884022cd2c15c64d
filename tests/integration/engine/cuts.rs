//! Contract section 6: connections to the engine that break in the middle of a step. No step is
//! made twice, and none by half.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::proxy::{Proxy, Side};
use super::redis::Engine;
use crate::state::*;
use crate::support::*;

type Rows = BTreeMap<String, Vec<u8>>;

/// An engine, a proxy that cuts connections to it, and a server that uses the proxy.
struct Cut {
    engine: Engine,
    proxy: Proxy,
    server: Server,
}

impl Cut {
    fn new() -> Option<Cut> {
        let engine = Engine::start()?;
        let proxy = Proxy::before(&engine);
        let server = Server::with(&format!("store = {}\nlog = off", proxy.url()));
        Some(Cut { engine, proxy, server })
    }

    /// Tokens of a family of their own, and nothing else.
    fn anew(&self) -> Answer {
        self.engine.ask(&["FLUSHALL"]);
        self.server.token(APP, ANN)
    }

    /// The answer to this request while connections break so.
    fn try_out(&self, (side, after, most): Place, ask: impl Fn(&Server) -> Answer) -> Tried {
        self.proxy.cut(side, after, most);
        let began = Instant::now();
        let answer = ask(&self.server);
        let is_slow = began.elapsed() > Duration::from_millis(850);
        Tried { answer, is_slow, is_cut: self.proxy.stop() > 0 }
    }

    fn rows(&self) -> Rows {
        let mut rows = self.engine.rows();
        rows.retain(|key, _| !key.ends_with("check"));
        rows
    }
}

/// Where to cut: of which side, after how many bytes, and how many connections.
type Place = (Side, usize, usize);

struct Tried {
    answer: Answer,
    /// The engine, or the proxy before it, had no time: even with one cut the second attempt may have
    /// been too late.
    is_slow: bool,
    is_cut: bool,
}

/// How many rows of each kind there are.
fn kinds(rows: &Rows) -> Vec<&str> {
    rows.keys().map(|key| &key[..key.find(':').unwrap()]).collect()
}

const SIDES: [Side; 2] = [Side::FromEngine, Side::ToEngine];

/// The second attempt finds what the first has done.
#[test]
fn a_rotation_is_done_once_wherever_its_connection_breaks() {
    let Some(cut) = Cut::new() else { return };
    let mut newest = cut.server.token(APP, ANN);
    let one_family = kinds(&cut.rows()).join(" ");
    for side in SIDES {
        for after in 0.. {
            let token = newest.member("refresh_token");
            let tried = cut.try_out((side, after, 1), |server| refresh(server, &token));
            newest = tried.answer;
            let is_late = tried.is_slow && newest.status == 503;
            assert!(newest.status == 200 || is_late, "{side:?} {after}: {newest:?}");
            let rows = cut.rows();
            assert_eq!(kinds(&rows).join(" "), one_family, "{side:?} {after}");
            if is_late {
                newest = cut.anew();
            }
            if !tried.is_cut {
                // So many that each byte of two commands has been the last one.
                assert!(after > 20, "{side:?} {after}");
                break;
            }
        }
        assert!(cut.server.is_live(&newest.member("access_token")));
    }
}

/// If both attempts break, nobody knows whether it was done, but it is one or the other.
#[test]
fn a_rotation_whose_every_connection_breaks_is_done_or_not() {
    let Some(cut) = Cut::new() else { return };
    let mut newest = cut.server.token(APP, ANN);
    let one_family = kinds(&cut.rows()).join(" ");
    let mut seen = [0; 2];
    for side in SIDES {
        for after in 0.. {
            let before = cut.rows();
            let token = newest.member("refresh_token");
            let place = (side, after, usize::MAX);
            let Tried { answer, is_cut, .. } = cut.try_out(place, |server| refresh(server, &token));
            let rows = cut.rows();
            assert_eq!(kinds(&rows).join(" "), one_family, "{side:?} {after}");
            let is_done = rows != before;
            if answer.status == 200 {
                assert!(is_done, "{side:?} {after}");
                newest = answer;
            } else {
                assert_eq!(answer.error(), (503, "temporarily_unavailable".into()));
                seen[usize::from(is_done)] += 1;
            }
            assert_eq!(rows.keys().eq(before.keys()), !is_done);
            if is_done && newest.status == 200 && answer_is_lost(&cut, &newest) {
                newest = cut.anew();
            }
            if !is_cut {
                break;
            }
        }
    }
    assert!(seen.iter().all(|&times| times > 0), "{seen:?}");
}

/// Whether it was done without its client knowing: then the next use is reuse, and ends the family.
fn answer_is_lost(cut: &Cut, newest: &Answer) -> bool {
    if cut.server.is_live(&newest.member("access_token")) {
        return false;
    }
    let refused = refresh(&cut.server, &newest.member("refresh_token"));
    assert_eq!(refused.error(), (400, "invalid_grant".into()));
    assert_eq!(cut.rows(), Rows::new());
    true
}

/// A step of the server: what it needs, and the step itself.
struct Step {
    prepare: fn(&Server) -> String,
    make: fn(&Server, &str) -> Answer,
}

/// Asserts that the step is whole, with cuts after various numbers of bytes, once and then always.
#[track_caller]
fn assert_whole(step: &Step) {
    let Some(cut) = Cut::new() else { return };
    let done = {
        let held = (step.prepare)(&cut.server);
        assert_eq!((step.make)(&cut.server, &held).status, 200);
        kinds(&cut.rows()).join(" ")
    };
    for (side, most) in
        [(SIDES[0], 1), (SIDES[1], 1), (SIDES[0], usize::MAX), (SIDES[1], usize::MAX)]
    {
        // A prime, so that the cut is at a different byte of each part of a command.
        let by = if side == Side::FromEngine { 1 } else { 13 };
        for after in (0..).step_by(by) {
            cut.engine.ask(&["FLUSHALL"]);
            let held = (step.prepare)(&cut.server);
            let before = cut.rows();
            let Tried { answer, is_slow, is_cut } =
                cut.try_out((side, after, most), |server| (step.make)(server, &held));
            let rows = cut.rows();
            let is_done = kinds(&rows).join(" ") == done && rows != before;
            let place = format!("{side:?} {after} {most} {answer:?}");
            match answer.status {
                200 => assert!(is_done, "{place}"),
                // One more attempt is enough if only the first breaks.
                503 => assert!((most > 1 || is_slow) && (is_done || rows == before), "{place}"),
                _ => panic!("{place}"),
            }
            if !is_cut {
                break;
            }
        }
    }
}

#[test]
fn a_code_is_redeemed_or_not() {
    assert_whole(&Step { prepare: code, make: redeem });
}

#[test]
fn an_access_token_is_revoked_or_not() {
    let prepare = |server: &Server| server.token(APP, ANN).member("access_token");
    assert_whole(&Step { prepare, make: revoke });
}

#[test]
fn a_family_is_revoked_or_not() {
    let prepare = |server: &Server| server.token(APP, ANN).member("refresh_token");
    assert_whole(&Step { prepare, make: revoke });
}

#[test]
fn a_device_is_allowed_or_not() {
    let make = |server: &Server, code: &str| decide(server, code, "allow");
    assert_whole(&Step { prepare: |server| device(server).1, make });
}

#[test]
fn a_device_gets_its_token_or_not() {
    let prepare = |server: &Server| {
        let (code, shown) = device(server);
        assert_eq!(decide(server, &shown, "allow").status, 200);
        code
    };
    assert_whole(&Step { prepare, make: poll });
}

#[test]
fn tokens_are_given_or_not() {
    let make = |server: &Server, _: &str| server.token(APP, ANN);
    assert_whole(&Step { prepare: |_| String::new(), make });
}

#[test]
fn a_device_starts_or_not() {
    let make = |server: &Server, _: &str| server.post("/oauth/device_authorization", &[APP], "");
    assert_whole(&Step { prepare: |_| String::new(), make });
}
