//! The pages for people: plain HTML, one style, no script, nothing from other servers.
//!
//! [`Page`] is the frame of them all. `authorize.rs` and `device.rs` write the pages, `problem.rs`
//! says what went wrong, and `parts.rs` has what they share.

mod authorize;
mod device;
mod lost;
mod parts;
mod problem;

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::reply;
use crate::crypto::sha256;
use crate::encode::form::Form;
use crate::encode::html::push_escaped;
use crate::http::{Response, Status};
use crate::oauth::{ErrorCode, Known, OAuthError, Outcome, Rule};

pub use authorize::authorize;
pub use device::{device, device_allowed, device_denied, device_nothing_to_grant, enter_code};
pub use lost::lost;
pub use problem::Problem;

const STYLE: &str = include_str!("page.css");

/// The policy names the style by its hash, so that no other is applied.
static STYLE_POLICY: LazyLock<String> = LazyLock::new(|| {
    format!("style-src 'sha256-{}'", STANDARD.encode(sha256::digest(STYLE.as_bytes())))
});

/// A page while it is being written, from top to bottom into one string, so that long parameters
/// are not held twice.
struct Page {
    html: String,
}

impl Page {
    /// A page with this title, up to its first heading.
    fn titled(title: &'static str) -> Page {
        let mut page = Page { html: String::with_capacity(USUAL_LENGTH) };
        page.html("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
            .html("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
            .html("<meta name=\"color-scheme\" content=\"light dark\">\n<title>")
            .html(title)
            .html("</title>\n<style>")
            .html(STYLE)
            .html("</style>\n</head>\n<body>\n<main>\n");
        page
    }

    /// Adds HTML of this program; by its type it cannot be a request's.
    fn html(&mut self, ours: &'static str) -> &mut Page {
        self.html.push_str(ours);
        self
    }

    /// Adds text from anywhere, escaped.
    fn text(&mut self, theirs: &str) -> &mut Page {
        push_escaped(&mut self.html, theirs);
        self
    }

    fn show(mut self, status: Status) -> Response {
        self.html("</main>\n</body>\n</html>\n");
        reply::page(status, self.html, &STYLE_POLICY)
    }

    /// The page with status 200, or with that of what went wrong.
    fn show_with(self, problem: Option<Problem>, outcome: &mut Outcome) -> Response {
        match problem {
            None => self.show(Status::Ok),
            Some(problem) => reply::refused(self.show(problem.status), problem.error, outcome),
        }
    }
}

/// Bytes of a page with short parameters.
const USUAL_LENGTH: usize = 5 * 1024;

/// The most bytes of parameters that a page carries. A link cannot have more, since a head has no
/// room for it. Escaped they can be six times as long, and they are in memory twice, in the page
/// and in the answer that is being sent.
const CARRIED: usize = 16 * 1024;

const TOO_LONG: Rule = Rule {
    code: ErrorCode::InvalidRequest,
    checked: "the parameters are no longer than 16 KiB",
    broken: "the parameters are longer than 16 KiB",
    source: "RFC 6749, section 10.14",
};

/// Refuses a form that is too long for a page to carry. The password does not count, since no page
/// carries it.
pub fn must_be_short(known: &Known, form: &Form) -> Result<(), OAuthError> {
    let carried = form.pairs().filter(|(name, _)| *name != "password");
    known.must(carried.map(|(_, value)| value.len()).sum::<usize>() <= CARRIED, TOO_LONG)
}

/// The page for a request that fails and has no redirect URI to trust.
pub fn dead_end(error: OAuthError, outcome: &mut Outcome) -> Response {
    let mut page = Page::titled("This link does not work");
    page.html("<h1>This link does not work</h1>\n<p role=\"alert\">")
        .html("The application that sent you here made a mistake: ")
        .text(&error.description)
        .html(". Please tell its developers; there is nothing you can do here.</p>\n");
    reply::refused(page.show(Status::BadRequest), error, outcome)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Limits;
    use crate::oauth::grants::samples::World;

    /// Asserts that a connection with this page, made from the longest body, stays within its
    /// limit.
    #[track_caller]
    pub fn assert_within_bound(page: &Page) {
        let body = Limits::DEFAULT.body;
        // The input buffer doubles as it grows; decoded, a body is at most as long.
        let (buffer, form) = (2 * body, body);
        let answer = page.html.len() + 1024;
        let bytes = buffer + form + page.html.capacity() + answer;
        assert!(page.html.len() > 6 * CARRIED, "{} bytes", page.html.len());
        assert!(bytes <= 512 * 1024, "{bytes} bytes");
    }

    /// The costliest text: every byte of it becomes six.
    pub fn worst() -> String {
        "\"".repeat(CARRIED - 100)
    }

    #[test]
    fn what_is_carried_along_has_a_bound() {
        let world = World::new();
        let form = |length: usize, password: usize| {
            let text = format!("state={}&password={}", "\"".repeat(length), "x".repeat(password));
            must_be_short(&world.known(), &Form::parse(&text, &["state", "password"]).unwrap())
                .is_ok()
        };
        assert!(form(CARRIED, CARRIED));
        assert!(!form(CARRIED + 1, 0));
    }

    #[test]
    fn a_usual_page_needs_no_more_room_than_it_begins_with() {
        let page = device::first_step(Some("WDJB-MJHT"), Some(&Problem::cross_site()));
        assert_eq!(page.html.capacity(), USUAL_LENGTH);
    }
}
