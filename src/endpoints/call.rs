//! What an endpoint is called with: the request, and ways to read its parts.

use super::Settings;
use crate::encode::form::Form;
use crate::http::Request;
use crate::oauth::client_auth;
use crate::oauth::credentials::Credentials;
use crate::oauth::{Authorization, Client, ErrorCode, Known, OAuthError, Origin, Outcome, Rule};

const IS_FORM: Rule = Rule {
    code: ErrorCode::InvalidRequest,
    checked: "the body is a form",
    broken: "the Content-Type is not application/x-www-form-urlencoded",
    source: "RFC 6749, appendix B",
};

/// A request on its way through an endpoint.
pub struct Call<'a> {
    pub settings: &'a Settings,
    pub known: Known<'a>,
    pub request: &'a Request<'a>,
    pub origin: Origin,
    /// Whether the server is stopping: it finishes the requests in progress and accepts no more.
    pub is_stopping: bool,
}

impl<'a> Call<'a> {
    /// The form in the body; parameters that are not among the `known` ones are ignored.
    pub fn form(&self, known: &[&'static str]) -> Result<Form<'a>, OAuthError> {
        const FORM: &[u8] = b"application/x-www-form-urlencoded";
        let content_type = self.request.head.fields.first("content-type").unwrap_or(b"");
        let (media_type, rest) =
            content_type.split_at_checked(FORM.len()).unwrap_or((content_type, b""));
        let ends_there = matches!(rest.trim_ascii_start(), [] | [b';', ..]);
        self.known.must(media_type.eq_ignore_ascii_case(FORM) && ends_there, IS_FORM)?;
        std::str::from_utf8(self.request.body)
            .ok()
            .and_then(|text| Form::parse(text, known).ok())
            .ok_or_else(OAuthError::malformed_form)
    }

    /// The same, for the form in the query.
    pub fn query(&self, known: &[&'static str]) -> Result<Form<'a>, OAuthError> {
        let text = self.request.head.query.unwrap_or("");
        Form::parse(text, known).map_err(|_| OAuthError::malformed_form())
    }

    /// The form in the body of a request that programs send: a parameter that appears twice is an
    /// error. `source` is the section that says so.
    pub fn strict_form(
        &self,
        known: &[&'static str],
        source: &'static str,
    ) -> Result<Form<'a>, OAuthError> {
        let form = self.form(known)?;
        self.known.must_be_once(&form, source)?;
        Ok(form)
    }

    /// The client that sent the request, authenticated.
    pub fn client(&self, form: &Form, outcome: &mut Outcome<'a>) -> Result<&'a Client, OAuthError> {
        let credentials = Credentials { authorization: self.authorization(), form };
        client_auth::authenticate(&self.known, &credentials, self.origin, outcome)
    }

    pub fn authorization(&self) -> Authorization<'a> {
        Authorization::of(self.request.head.fields.all("authorization"))
    }
}
