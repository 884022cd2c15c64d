//! The page of the authorization endpoint.

use super::{Page, Problem};
use crate::encode::form::Form;
use crate::http::Response;
use crate::oauth::Outcome;
use crate::oauth::authorize::{AuthorizationRequest, PARAMETERS};
use crate::oauth::redirect_uri::destination;

/// Sign-in and consent for an authorization request, whose parameters the form carries as hidden
/// fields.
pub fn authorize(
    request: &AuthorizationRequest,
    form: &Form,
    problem: Option<Problem>,
    outcome: &mut Outcome,
) -> Response {
    sign_in(request, form, problem.as_ref()).show_with(problem, outcome)
}

fn sign_in(request: &AuthorizationRequest, form: &Form, problem: Option<&Problem>) -> Page {
    let mut page = Page::titled("Sign in");
    page.who(request.client, request.audience, &request.scope)
        .problem(problem)
        .html("<form method=\"post\" action=\"authorize\">\n");
    for (name, value) in form.pairs().filter(|(name, _)| PARAMETERS.contains(name)) {
        page.hidden(name, value);
    }
    // The default of today is made explicit: what the page says is what is granted, even after a
    // reload.
    if let Some(resource) = request.audience.filter(|_| form.get("resource").is_none()) {
        page.hidden("resource", &resource.url);
    }
    page.sign_in_fields(form, problem)
        .decision_buttons()
        .html("</form>\n<p class=\"note\">Afterwards you return to <strong>")
        .text(destination(request.target.redirect_uri))
        .html("</strong>.</p>\n");
    page
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_within_bound, worst};
    use super::*;
    use crate::oauth::authorize::check;
    use crate::oauth::grants::samples::World;

    #[test]
    fn the_longest_page_stays_within_a_connections_memory() {
        let world = World::new();
        let known = [&PARAMETERS[..], &["username"]].concat();
        let (everyone, worst) = (world.known(), worst());
        let (half, other) = worst.split_at(worst.len() / 2);
        for (state, name) in [(worst.as_str(), ""), ("", worst.as_str()), (half, other)] {
            let text = format!("response_type=code&client_id=a&state={state}&username={name}");
            let form = Form::parse(&text, &known).unwrap();
            let Ok(request) = check(&everyone, &form) else { panic!() };
            assert_within_bound(&sign_in(&request, &form, Some(&Problem::cross_site())));
        }
    }
}
