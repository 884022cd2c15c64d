//! `/tour`: each grant, one message at a time, in a browser; only with the demo data.
//!
//! The page is put together once: `tour.html` with `tour.css` and the scripts in it, which the
//! policy allows by their hashes. It sends real requests to this server, with `Explain: yes`, and
//! nothing to anyone else. `/tour/callback`, the redirect URI of its application, is the same page.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Call, reply};
use crate::crypto::sha256;
use crate::http::{Response, Status};
use crate::oauth::Outcome;

const STYLE: &str = include_str!("tour.css");

/// What all stories share, the stories themselves, the picture, and what makes them run.
const SCRIPT: &str = concat!(
    include_str!("messages.js"),
    include_str!("stories.js"),
    include_str!("more_stories.js"),
    include_str!("picture.js"),
    include_str!("tour.js"),
);

static PAGE: LazyLock<String> = LazyLock::new(|| {
    include_str!("tour.html").replace("{style}", STYLE).replace("{script}", SCRIPT)
});

/// What the page may load: its own style and scripts, and requests to its own origin.
static SOURCES: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(sha256::digest(text.as_bytes()));
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    format!("style-src 'sha256-{style}'; script-src 'sha256-{script}'; connect-src 'self'")
});

/// The page; 404 unless the demo data are served.
pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    match call.request.head.method {
        _ if !call.settings.is_demo => reply::not_found(outcome),
        "GET" | "HEAD" => reply::page(Status::Ok, PAGE.as_str(), &SOURCES),
        _ => reply::method_not_allowed("GET, HEAD", outcome),
    }
}
