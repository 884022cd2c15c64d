//! The pages of the device grant, in two steps, so that nobody allows what they have not seen (RFC
//! 8628, section 5.4).

use super::parts::invalid;
use super::problem::{Field, is_wrong};
use super::{Page, Problem};
use crate::encode::form::Form;
use crate::http::{Response, Status};
use crate::oauth::Outcome;
use crate::oauth::device::Found;

/// The first step: the user code alone. A code that was typed stays in its field unless it is
/// wrong.
pub fn enter_code(
    typed: Option<&str>,
    problem: Option<Problem>,
    outcome: &mut Outcome,
) -> Response {
    first_step(typed, problem.as_ref()).show_with(problem, outcome)
}

pub(super) fn first_step(typed: Option<&str>, problem: Option<&Problem>) -> Page {
    let wrong = is_wrong(problem, Field::UserCode);
    let mut page = Page::titled("Connect a device");
    page.html("<h1>Connect a device</h1>\n<p>Enter the code that your device shows.</p>\n")
        .problem(problem)
        .html("<form method=\"post\" action=\"device\">\n<label for=\"user_code\">Code</label>\n")
        .html("<input id=\"user_code\" name=\"user_code\" value=\"")
        .text(typed.filter(|_| !wrong).unwrap_or(""))
        .html("\" class=\"code\" placeholder=\"XXXX-XXXX\" autocomplete=\"off\" ")
        .html("autocapitalize=\"characters\" spellcheck=\"false\" required autofocus")
        .html(invalid(wrong))
        .html(">\n<div class=\"buttons\">\n<button>Continue</button>\n</div>\n</form>\n");
    page
}

/// The second step: who asks for what, then sign-in and decision.
pub fn device(
    found: &Found,
    form: &Form,
    problem: Option<Problem>,
    outcome: &mut Outcome,
) -> Response {
    second_step(found, form, problem.as_ref()).show_with(problem, outcome)
}

fn second_step(found: &Found, form: &Form, problem: Option<&Problem>) -> Page {
    let code = found.user_code.reveal();
    let mut page = Page::titled("Connect a device");
    page.who(found.client, found.audience, &found.device.scope)
        .html("<p class=\"note\">Allow this only if your device shows the code <strong>")
        .text(&code)
        .html("</strong>.</p>\n")
        .problem(problem)
        .html("<form method=\"post\" action=\"device\">\n")
        .hidden("user_code", &code)
        .sign_in_fields(form, problem)
        .decision_buttons()
        .html("</form>\n");
    page
}

pub fn device_allowed(found: &Found) -> Response {
    let mut page = Page::done("Device connected");
    page.html("<strong>").text(found.client.label()).html("</strong> is connected. You can close ");
    page.html("this page and go back to your device.</p>\n");
    page.show(Status::Ok)
}

pub fn device_denied(found: &Found) -> Response {
    let mut page = Page::done("Access denied");
    page.html("<strong>")
        .text(found.client.label())
        .html("</strong> got no access. You can close ");
    page.html("this page.</p>\n");
    page.show(Status::Ok)
}

pub fn device_nothing_to_grant(found: &Found) -> Response {
    let mut page = Page::done("Nothing to allow");
    page.html("<strong>").text(found.client.label());
    page.html("</strong> asks for nothing that you may grant, so it got no access.</p>\n");
    page.show(Status::Forbidden)
}

impl Page {
    /// The last page of a visit, up to the beginning of its one sentence.
    fn done(title: &'static str) -> Page {
        let mut page = Page::titled(title);
        page.html("<h1>").html(title).html("</h1>\n<p role=\"status\">");
        page
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_within_bound, worst};
    use super::*;
    use crate::oauth::device::find;
    use crate::oauth::grants::samples::{NOW, World, origin};

    #[test]
    fn the_longest_pages_stay_within_a_connections_memory() {
        assert_within_bound(&first_step(Some(&worst()), Some(&Problem::cross_site())));
        let (world, mut outcome) = (World::new(), Outcome::default());
        let (_, code) = world.device("a");
        let known = world.known();
        let Ok(found) = find(&known, &code.reveal(), origin(NOW), &mut outcome) else { panic!() };
        let text = format!("username={}", worst());
        let form = Form::parse(&text, &["username"]).unwrap();
        assert_within_bound(&second_step(&found, &form, Some(&Problem::cross_site())));
    }
}
