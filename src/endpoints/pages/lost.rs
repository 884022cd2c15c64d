//! What a person reads who has come to where there is no page.

use super::Page;
use crate::http::{Response, Status};

/// The page for this status. It names the tour, and the first command, where the demo is served.
pub fn lost(status: Status, issuer: &str, is_demo: bool) -> Response {
    let (title, what) = match status {
        Status::Unauthorized => (
            "This needs a token",
            "What is here opens to programs that show an access token. A browser has none.",
        ),
        Status::MethodNotAllowed => (
            "This is not for a browser",
            "Programs send their requests here, in another way than a browser asks for a page.",
        ),
        _ => (
            "There is nothing here",
            "This address is no page. If a link has brought you here, please tell its maker.",
        ),
    };
    let mut page = Page::titled(title);
    page.html("<h1>").html(title).html("</h1>\n<p>").html(what).html("</p>\n");
    page.html("<p>This is oauth2d, an OAuth 2.0 server: it gives applications tokens, with which ");
    page.html("they act for people without knowing their passwords.</p>\n");
    match is_demo {
        true => page
            .html("<p><a href=\"/tour\">The tour</a> shows how, one message at a time.</p>\n")
            .html("<p>Or get a first token, in a terminal:</p>\n<p><code>curl ")
            .text(issuer)
            .html("/oauth/token -u application:secret -d grant_type=password ")
            .html("-d username=pedroetb -d password=password</code></p>\n"),
        false => page
            .html("<p>You have most likely been on your way to an application: go back to it and ")
            .html("sign in from there.</p>\n"),
    };
    page.show(status)
}
