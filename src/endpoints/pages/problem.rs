//! What was wrong with what a person entered: the words for them, and the refusal for the log.

use std::borrow::Cow;

use super::{Page, reply};
use crate::http::Status;
use crate::oauth::{ErrorCode, OAuthError, Rule};

pub struct Problem {
    text: Cow<'static, str>,
    field: Option<Field>,
    pub(super) status: Status,
    pub(super) error: OAuthError,
}

/// The field to correct.
#[derive(Clone, Copy, PartialEq)]
pub enum Field {
    UserCode,
    Password,
}

const UNKNOWN_CODE: &str = "This code is unknown or has expired. Compare it with the one that your \
    device shows.";

/// A form that another website submits is not the user's decision.
const CROSS_SITE: Rule = Rule {
    code: ErrorCode::InvalidRequest,
    checked: "the form comes from this server's own page",
    broken: "the form was sent from another site",
    source: "RFC 6749, section 10.12",
};

impl Problem {
    pub fn wrong_password(error: OAuthError) -> Problem {
        let text = "The user name or the password is wrong. Please try again.";
        Problem::of(error, Status::Forbidden, text).at(Field::Password)
    }

    pub fn wrong_code(error: OAuthError) -> Problem {
        Problem::of(error, Status::Forbidden, UNKNOWN_CODE).at(Field::UserCode)
    }

    /// The same for a code in a link: to open that was no mistake.
    pub fn stale_link(error: OAuthError) -> Problem {
        Problem::of(error, Status::Ok, UNKNOWN_CODE).at(Field::UserCode)
    }

    pub fn no_decision(source: &'static str) -> Problem {
        let what = "the decision is neither allow nor deny";
        let error = OAuthError::new(ErrorCode::InvalidRequest, what, source);
        Problem::of(error, Status::BadRequest, "Please choose Allow or Deny.")
    }

    pub fn cross_site() -> Problem {
        let text = "Another website sent this form, so nothing was done. You can go on from here.";
        Problem::of(CROSS_SITE.error(), Status::Forbidden, text)
    }

    /// A problem with this status and text, unless nothing was tried.
    fn of(error: OAuthError, status: Status, text: &'static str) -> Problem {
        match error.code {
            ErrorCode::TemporarilyUnavailable => Problem::not_now(error),
            _ => Problem { text: text.into(), field: None, status, error },
        }
    }

    /// Too many attempts, or the server cannot do it now. The page keeps what was typed, which may
    /// be right.
    fn not_now(error: OAuthError) -> Problem {
        let why = error.description.trim_end_matches(", try again later");
        let seconds = error.retry_after.unwrap_or(60);
        let text = format!("Not now: {why}. Please wait {seconds} seconds, then try again.");
        Problem { text: text.into(), field: None, status: reply::unavailable(&error), error }
    }

    /// The same, as a mistake in this field, unless nothing was tried.
    fn at(mut self, field: Field) -> Problem {
        if self.error.code != ErrorCode::TemporarilyUnavailable {
            self.field = Some(field);
        }
        self
    }
}

/// Whether this is the field to correct.
pub fn is_wrong(problem: Option<&Problem>, field: Field) -> bool {
    problem.is_some_and(|problem| problem.field == Some(field))
}

impl Page {
    /// Adds what went wrong, if anything did.
    pub(super) fn problem(&mut self, problem: Option<&Problem>) -> &mut Page {
        match problem {
            None => self,
            Some(problem) => self
                .html("<p id=\"problem\" class=\"problem\" role=\"alert\">")
                .text(&problem.text)
                .html("</p>\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_tried_is_no_mistake_and_says_how_long_to_wait() {
        let busy = "too many failed attempts, try again later";
        let error = || OAuthError::new(ErrorCode::TemporarilyUnavailable, busy, "");
        for (error, status, text) in [
            (
                error().retry_after(7),
                Status::TooManyRequests,
                "Not now: too many failed attempts. Please wait 7 seconds, then try again.",
            ),
            (
                error().unavailable_for(5),
                Status::ServiceUnavailable,
                "Not now: too many failed attempts. Please wait 5 seconds, then try again.",
            ),
        ] {
            for problem in [Problem::wrong_password, Problem::wrong_code, Problem::stale_link] {
                let problem = problem(error.clone());
                assert_eq!((problem.status, &*problem.text), (status, text));
                assert!(problem.field.is_none());
            }
        }
    }
}
