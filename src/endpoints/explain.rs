//! Explained steps, for whoever asks: below a request's line in the log (`log = explain`) and, with
//! the demo data, in header fields of the answer.
//!
//!     POST /oauth/token
//!     Explain: yes
//!
//!     HTTP/1.1 200 OK
//!     Explain: client application, by HTTP Basic (RFC 6749, section 2.3.1)
//!     Explain: its grants include password (RFC 6749, section 5.2)
//!
//! A script of another origin can neither send this field nor read those.

use super::Settings;
use crate::http::{Head, Response, Status};
use crate::oauth::{Outcome, Steps};
use crate::watch::log::LogFormat;

/// Collects a request's steps, if anyone wants them.
pub fn steps(settings: &Settings, head: &Head) -> Option<Steps> {
    (settings.log_format == LogFormat::Explain || is_asked(settings, head)).then(Steps::default)
}

fn is_asked(settings: &Settings, head: &Head) -> bool {
    settings.is_demo && head.fields.first("explain") == Some(b"yes")
}

/// Finishes the steps of a request, and adds them to the answer if the request asks for that.
#[cold]
#[inline(never)]
pub fn tell(
    steps: &Steps,
    (settings, head): (&Settings, &Head),
    outcome: &Outcome,
    response: &mut Response,
) -> Vec<String> {
    let steps = steps.finish(outcome.refusal.as_ref());
    if is_asked(settings, head) {
        // A script cannot read a redirect, so it gets this instead.
        if response.status == Status::SeeOther {
            response.status = Status::Ok;
            response.add("Explain-Status", "303");
        }
        for step in &steps {
            response.add("Explain", step);
        }
    }
    steps
}
