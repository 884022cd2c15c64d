//! Contract section 8: the tour. `make browser` tests it in a browser.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::support::*;

/// The hash of what is between two tags of the page, as the policy has to name it.
fn hash_of(page: &str, tag: &str) -> String {
    let (_, rest) = page.split_once(&format!("<{tag}>")).unwrap();
    let (inside, _) = rest.split_once(&format!("</{tag}>")).unwrap();
    STANDARD.encode(Sha256::digest(inside))
}

#[test]
fn the_page_may_do_what_is_in_it_and_talk_to_this_server() {
    let server = Server::demo();
    for path in ["/tour", "/tour/callback?code=x&state=y&iss=z"] {
        let answer = server.get(path, &[]);
        let (style, script) = (hash_of(&answer.body, "style"), hash_of(&answer.body, "script"));
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.field("Content-Security-Policy").unwrap(),
            format!(
                "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; \
                 connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
            )
        );
        for (name, value) in [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("X-Frame-Options", "DENY"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
        ] {
            assert_eq!(answer.field(name), Some(value));
        }
    }
}

#[test]
fn nothing_in_the_page_comes_from_elsewhere() {
    let page = Server::demo().get("/tour", &[]).body;
    for word in ["src=", "@import", ": url(", "<link", "<iframe", "style=", "{style}", "{script}"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("this page needs JavaScript"));
}

#[test]
fn the_page_is_read_and_nothing_else() {
    let server = Server::demo();
    let head = server.request("HEAD", "/tour", &[], "");
    assert_eq!((head.status, &*head.body), (200, ""));
    let answer = server.request("POST", "/tour", &[], "");
    assert_eq!((answer.status, answer.field("Allow")), (405, Some("GET, HEAD")));
}

#[test]
fn a_server_with_a_configuration_has_no_tour() {
    let server = Server::clients();
    for (method, path) in [("GET", "/tour"), ("POST", "/tour"), ("GET", "/tour/callback")] {
        assert_eq!(server.request(method, path, &[], "").error(), (404, "not_found".into()));
    }
}
