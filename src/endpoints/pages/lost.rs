//! What a person reads at an address that has no page.

use super::Page;
use crate::http::{Response, Status};

/// The page for this status. With the demo data it names the tour and the first command.
pub fn lost(status: Status, issuer: &str, is_demo: bool) -> Response {
    let (title, what) = match status {
        Status::Unauthorized => (
            "This needs an access token",
            "Only programs that send an access token get in here, and a browser has none to send.",
        ),
        Status::MethodNotAllowed => (
            "This is not for a browser",
            "Programs send requests to this address, but not in the way a browser asks for a page.",
        ),
        _ => (
            "There is nothing here",
            "There is no page at this address. If a link brought you here, please tell whoever made it.",
        ),
    };
    let mut page = Page::titled(title);
    page.html("<h1>").html(title).html("</h1>\n<p>").html(what).html("</p>\n");
    page.html("<p>This is oauth2d, an OAuth 2.0 server. It issues the tokens with which ");
    page.html("applications act for people without knowing their passwords.</p>\n");
    match is_demo {
        true => page
            .html("<p>See how, one message at a time:</p>\n<p class=\"buttons\">")
            .html("<a class=\"button\" href=\"/tour\">Take the tour</a></p>\n")
            .html("<p>Or get your first token in a terminal:</p>\n<pre><code>curl ")
            .text(issuer)
            .html("/oauth/token \\\n  -u application:secret \\\n  -d grant_type=password \\\n")
            .html("  -d username=pedroetb \\\n  -d password=password</code></pre>\n"),
        false => page
            .html("<p>You were probably on your way to an application: go back to it and ")
            .html("sign in from there.</p>\n"),
    };
    page.show(status)
}
