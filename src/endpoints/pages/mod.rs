//! The pages that a person sees: plain HTML, one style, no script, nothing from elsewhere.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::reply;
use crate::crypto::sha256;
use crate::encode::form::Form;
use crate::encode::html::escape;
use crate::http::{Response, Status};
use crate::oauth::authorize::{self, AuthorizationRequest};
use crate::oauth::device::Found;
use crate::oauth::{ErrorCode, OAuthError, Outcome, Scope, redirect_uri};

const STYLE: &str = include_str!("page.css");

/// The policy names the style by its hash, so that no other one is applied.
static STYLE_POLICY: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", STANDARD.encode(sha256::digest(STYLE.as_bytes()))));

/// What went wrong with what a person entered: what they read, and what the log is told.
pub struct Problem {
    text: String,
    /// The field to mend, which gets the focus.
    field: &'static str,
    status: Status,
    error: OAuthError,
}

impl Problem {
    pub fn wrong_password(error: OAuthError) -> Problem {
        let text = "The user name or the password is wrong. Please try again.";
        Problem::of(error, Status::Forbidden, text, "password")
    }

    pub fn wrong_code(error: OAuthError) -> Problem {
        Problem::of(error, Status::Forbidden, UNKNOWN_CODE, "user_code")
    }

    /// The same for a code that a link has brought: asking for the page was no mistake.
    pub fn stale_link(error: OAuthError) -> Problem {
        Problem::of(error, Status::Ok, UNKNOWN_CODE, "user_code")
    }

    pub fn no_decision(error: OAuthError) -> Problem {
        Problem::of(error, Status::BadRequest, "Please choose Allow or Deny.", "username")
    }

    /// This status and text, unless there were too many attempts or the server cannot do it now.
    fn of(error: OAuthError, status: Status, text: &str, field: &'static str) -> Problem {
        if error.code != ErrorCode::TemporarilyUnavailable {
            return Problem { text: text.into(), field, status, error };
        }
        let why = match error.is_unavailable {
            true => "This cannot be done just now",
            false => "Too many failed attempts",
        };
        let seconds = error.retry_after.unwrap_or(60);
        let text = format!("{why}. Please wait {seconds} seconds, then try again.");
        Problem { text, field: "password", status: reply::unavailable(&error), error }
    }
}

const UNKNOWN_CODE: &str = "This code is unknown or has expired. Compare it with the one that your \
    device shows.";

/// Sign-in and consent for an authorization request, which the form carries along.
pub fn authorize(
    request: &AuthorizationRequest,
    form: &Form,
    problem: Option<Problem>,
    outcome: &mut Outcome,
) -> Response {
    let mut hidden = String::new();
    for (name, value) in form.pairs() {
        if authorize::PARAMETERS.contains(&name) {
            let value = escape(value);
            hidden
                .push_str(&format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">\n"));
        }
    }
    let destination = escape(redirect_uri::destination(request.target.redirect_uri));
    let after = format!("Afterwards you return to <strong>{destination}</strong>.");
    let body = format!(
        "{who}\n{problem}<form method=\"post\" action=\"authorize\">\n{hidden}{fields}{buttons}</form>\n\
         <p class=\"note\">{after}</p>\n",
        who = who(request.client.label(), &request.scope),
        problem = problem_text(problem.as_ref()),
        fields = sign_in_fields(form, problem.as_ref(), true),
        buttons = BUTTONS,
    );
    show_with("Sign in", &body, problem, outcome)
}

/// The device's page: the code, and who asks where the code is known.
pub fn device(
    known: Option<&Found>,
    form: &Form,
    problem: Option<Problem>,
    outcome: &mut Outcome,
) -> Response {
    let (intro, code) = match known {
        Some(found) => (
            format!(
                "{}\n<p class=\"note\">Allow this only if your device shows the code \
                 <strong>{}</strong>.</p>\n",
                who(found.client.label(), &found.device.scope),
                found.user_code.reveal()
            ),
            found.user_code.reveal(),
        ),
        None => (
            "<h1>Connect a device</h1>\n<p>Enter the code that your device shows.</p>\n".into(),
            String::new(),
        ),
    };
    let wrong = problem.as_ref().is_some_and(|problem| problem.field == "user_code");
    let focus = known.is_none() || wrong;
    let code_field = format!(
        "<label for=\"user_code\">Code</label>\n<input id=\"user_code\" name=\"user_code\" \
         value=\"{code}\" class=\"code\" placeholder=\"XXXX-XXXX\" autocomplete=\"off\" \
         autocapitalize=\"characters\" spellcheck=\"false\" required{}{}>\n",
        invalid(wrong),
        if focus { " autofocus" } else { "" },
    );
    let body = format!(
        "{intro}{problem}<form method=\"post\" action=\"device\">\n{code_field}{fields}{buttons}</form>\n",
        problem = problem_text(problem.as_ref()),
        fields = sign_in_fields(form, problem.as_ref(), !focus),
        buttons = BUTTONS,
    );
    show_with("Connect a device", &body, problem, outcome)
}

pub fn device_allowed(found: &Found) -> Response {
    let client = escape(found.client.label());
    let text = format!(
        "<strong>{client}</strong> is connected. You can close this page and go back to your device."
    );
    outcome(Status::Ok, "Device connected", &text)
}

pub fn device_denied(found: &Found) -> Response {
    let client = escape(found.client.label());
    let text = format!("<strong>{client}</strong> got no access. You can close this page.");
    outcome(Status::Ok, "Access denied", &text)
}

pub fn device_nothing_to_give(found: &Found) -> Response {
    let client = escape(found.client.label());
    let text = format!(
        "Nothing of what <strong>{client}</strong> asks for is yours to give, so it got no access."
    );
    outcome(Status::Forbidden, "Nothing to allow", &text)
}

/// For a request that cannot go on and has nowhere to go back to.
pub fn dead_end(error: OAuthError, outcome: &mut Outcome) -> Response {
    let text = format!(
        "The application that sent you here made a mistake: {}. Please tell its maker; there is \
         nothing that you can do here.",
        escape(&error.description)
    );
    let body = format!("<h1>This link does not work</h1>\n<p role=\"alert\">{text}</p>\n");
    let response = show(Status::BadRequest, "This link does not work", &body);
    reply::refused(response, error, outcome)
}

fn outcome(status: Status, title: &str, text: &str) -> Response {
    show(status, title, &format!("<h1>{title}</h1>\n<p role=\"status\">{text}</p>\n"))
}

fn show(status: Status, title: &str, body: &str) -> Response {
    reply::page(status, layout(title, body), &STYLE_POLICY)
}

/// The page as it is, or with what went wrong and the status of that.
fn show_with(title: &str, body: &str, problem: Option<Problem>, outcome: &mut Outcome) -> Response {
    match problem {
        None => show(Status::Ok, title, body),
        Some(problem) => reply::refused(show(problem.status, title, body), problem.error, outcome),
    }
}

/// Who asks, and for what.
fn who(client: &str, scope: &Scope) -> String {
    let client = escape(client);
    let mut text = format!("<h1>Allow <strong>{client}</strong> access?</h1>\n");
    if scope.is_empty() {
        text.push_str("<p>It asks to act in your name.</p>");
    } else {
        text.push_str("<p>It asks to act in your name, for:</p>\n<ul>\n");
        for token in scope.tokens() {
            text.push_str(&format!("<li>{}</li>\n", escape(token)));
        }
        text.push_str("</ul>");
    }
    text
}

fn problem_text(problem: Option<&Problem>) -> String {
    match problem {
        Some(problem) => {
            format!("<p id=\"problem\" class=\"problem\" role=\"alert\">{}</p>\n", problem.text)
        }
        None => String::new(),
    }
}

fn invalid(wrong: bool) -> &'static str {
    match wrong {
        true => " aria-invalid=\"true\" aria-describedby=\"problem\"",
        false => "",
    }
}

/// The focus goes to the field that has to be filled in next.
fn sign_in_fields(form: &Form, problem: Option<&Problem>, may_focus: bool) -> String {
    let wrong = problem.is_some_and(|problem| problem.field == "password");
    let name = form.get("username").unwrap_or("");
    let focus = |here: bool| if may_focus && here { " autofocus" } else { "" };
    format!(
        "<label for=\"username\">User name</label>\n<input id=\"username\" name=\"username\" \
         value=\"{}\" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" \
         required{}>\n<label for=\"password\">Password</label>\n<input id=\"password\" \
         name=\"password\" type=\"password\" autocomplete=\"current-password\" required{}{}>\n",
        escape(name),
        focus(name.is_empty()),
        invalid(wrong),
        focus(!name.is_empty()),
    )
}

/// Allow comes first, so that Enter presses it; deny needs no field.
const BUTTONS: &str = "<div class=\"buttons\">\n\
    <button name=\"decision\" value=\"allow\">Allow</button>\n\
    <button name=\"decision\" value=\"deny\" class=\"quiet\" formnovalidate>Deny</button>\n\
    </div>\n";

fn layout(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         </body>\n</html>\n"
    )
}
