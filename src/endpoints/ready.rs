//! `/readyz`: whether the server can do its work now. Whoever balances load asks here; `/healthz`
//! only says that the process runs.

use super::route::ROUTES;
use super::{Call, reply};
use crate::http::{Response, Status};
use crate::oauth::{ErrorCode, Outcome, Rule};

const STOPPING: Rule = Rule {
    code: ErrorCode::TemporarilyUnavailable,
    checked: "the server is not stopping",
    broken: "the server is stopping",
    source: "RFC 9110, section 15.6.4",
};
/// Seconds in which another one is likely to be there.
const RETRY_AFTER: u64 = 1;

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    if call.is_stopping {
        return reply::oauth_error(STOPPING.error().unavailable_for(RETRY_AFTER), outcome);
    }
    match call.known.store.check() {
        Ok(()) => reply::text("ok"),
        Err(unavailable) => reply::oauth_error(unavailable.into(), outcome),
    }
}

/// Whether it is a probe that went well: every few seconds, and nobody reads of it.
pub fn is_good(route: Option<usize>, status: Status) -> bool {
    let is_probe = route.is_some_and(|at| ["/healthz", "/readyz"].contains(&ROUTES[at].path));
    is_probe && status == Status::Ok
}
