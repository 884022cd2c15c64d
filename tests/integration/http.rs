//! Contract section 5: HTTP, as raw bytes.

use std::io::Read;
use std::net::Shutdown;

use crate::support::*;

/// The status for these bytes, and whether the connection stays open.
fn outcome(server: &Server, bytes: impl AsRef<[u8]>) -> (u16, bool) {
    let mut connection = server.connect();
    connection.send(bytes);
    let answer = connection.answer();
    match answer.field("Connection") {
        Some("close") => {
            assert!(connection.is_over(), "something follows the last answer");
            (answer.status, false)
        }
        _ => (answer.status, connection.is_alive()),
    }
}

const CLOSED: (u16, bool) = (400, false);

#[test]
fn requests_that_are_answered() {
    let server = Server::demo();
    for text in [
        "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
        "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /healthz?x=%zz HTTP/1.1\r\nhOsT:h\r\n\r\n",
        "GET http://h/healthz HTTP/1.1\r\nHost: other\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: [::1]:80\r\nX: \t a \u{e9} \t\r\nEmpty:\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
        "GET /healthz HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n000\r\nT: x\r\n\r\n",
        "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    ] {
        assert_eq!(
            outcome(&server, text.chars().map(|c| c as u8).collect::<Vec<_>>()),
            (200, true),
            "{text:?}"
        );
    }
    for text in [
        "GET /healthz HTTP/1.0\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n",
    ] {
        assert_eq!(outcome(&server, text), (200, false), "{text:?}");
    }
}

#[test]
fn what_is_malformed_or_ambiguous_is_refused_and_closed() {
    let server = Server::demo();
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    for text in [
        "GET\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
        "G@T / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / http/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
        "GET /\r\n\r\n",
        "GET x HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /#x HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a%zz\r\n\r\n",
        "GET http://a%zz/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n",
        "GET / HTTP/1.1\nHost: h\n\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n X: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\n: y\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        assert_eq!(outcome(&server, text), CLOSED, "{text:?}");
    }
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: chunked;x",
    ] {
        let text = format!(
            "POST /oauth/token HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n0\r\n\r\n{smuggled}"
        );
        assert_eq!(outcome(&server, text), CLOSED, "{framing:?}");
    }
    for chunks in [
        "x\r\n",
        "5\r\nhello!\r\n",
        "-1\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5 x\r\nhello\r\n",
        "0\r\nX y\r\n\r\n",
        "\r\n",
        "5\r\nhello\n0\r\n\r\n",
    ] {
        let text = format!(
            "POST /oauth/token HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{smuggled}"
        );
        assert_eq!(outcome(&server, text), CLOSED, "{chunks:?}");
    }
}

#[test]
fn a_refusal_is_json() {
    let server = Server::demo();
    let mut connection = server.connect();
    connection.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(
        connection.answer().whole(),
        "400\nContent-Type: application/json\nContent-Length: 74\nConnection: close\n\n\
         {\"error\":\"bad_request\",\"error_description\":\"there must be one Host field\"}"
    );
}

#[test]
fn limits() {
    let server = Server::demo();
    let head = |extra: usize| {
        let start = "GET /healthz HTTP/1.1\r\nHost: h\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(16 * 1024 + extra - start.len() - 4))
    };
    assert_eq!(outcome(&server, head(0)), (200, true));
    assert_eq!(outcome(&server, head(1)), (431, false));
    let fields =
        |n: usize| format!("GET /healthz HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: y\r\n".repeat(n - 1));
    assert_eq!(outcome(&server, fields(100)), (200, true));
    assert_eq!(outcome(&server, fields(101)), (431, false));
    assert_eq!(
        outcome(&server, format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(17_000))),
        (414, false)
    );
    let body = |length: usize, sent: usize| {
        format!(
            "GET /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{}",
            "x".repeat(sent)
        )
    };
    assert_eq!(outcome(&server, body(65_536, 65_536)), (200, true));
    assert_eq!(outcome(&server, body(65_537, 0)), (413, false));
    assert_eq!(outcome(&server, body(99_999_999, 300_000)), (413, false));
    let uncountable =
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n";
    assert_eq!(outcome(&server, uncountable), (413, false));
    let chunks = |n| {
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
        format!(
            "GET /healthz HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
            chunk.repeat(n)
        )
    };
    assert_eq!(outcome(&server, chunks(16)), (200, true));
    assert_eq!(outcome(&server, chunks(17)), (413, false));
}

#[test]
fn known_paths_have_their_methods_and_unknown_paths_nothing() {
    let server = Server::demo();
    for (method, target, status, allow) in [
        ("GET", "/oauth/token", 405, Some("POST")),
        ("POST", "/", 405, Some("GET, HEAD")),
        ("DELETE", "/oauth/authorize", 405, Some("GET, HEAD, POST")),
        ("BREW", "/healthz", 405, Some("GET, HEAD")),
        ("CONNECT", "h:443", 405, Some("GET, HEAD, POST, OPTIONS")),
        ("OPTIONS", "*", 204, Some("GET, HEAD, POST, OPTIONS")),
        ("GET", "/nothing", 404, None),
        ("get", "/healthz", 405, Some("GET, HEAD")),
    ] {
        let answer = server.request(method, target, &[], "");
        assert_eq!((answer.status, answer.field("Allow")), (status, allow), "{method} {target}");
    }
    assert_eq!(
        server.get("/nothing", &[]).body,
        "{\"error\":\"not_found\",\"error_description\":\"there is nothing at this path\"}"
    );
    assert_eq!(
        server.get("/healthz", &[]).whole(),
        "200\nContent-Type: text/plain; charset=utf-8\nContent-Length: 2\n\nok"
    );
}

#[test]
fn head_is_get_without_a_body() {
    let server = Server::demo();
    for target in
        ["/healthz", "/", "/nothing", "/oauth/device", "/.well-known/oauth-authorization-server"]
    {
        let mut connection = server.connect();
        connection.send(format!("HEAD {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let head = connection.answer_to("HEAD");
        let get = server.get(target, &[]);
        assert_eq!(
            (head.status, head.field("Content-Length")),
            (get.status, get.field("Content-Length")),
            "{target}"
        );
        assert!(connection.is_alive());
        assert!(get.field("Date").is_some_and(|date| date.ends_with(" GMT") && date.len() == 29));
    }
}

#[test]
fn fifty_requests_in_one_segment_are_answered_in_order() {
    let server = Server::demo();
    let mut connection = server.connect();
    let texts: Vec<String> = (0..50)
        .map(|i| {
            format!(
                "GET {} HTTP/1.1\r\nHost: h\r\nX-Padding: {}\r\n\r\n",
                if i % 2 == 0 { "/healthz" } else { "/x" },
                "p".repeat(200)
            )
        })
        .collect();
    connection.send(texts.concat());
    for i in 0..50 {
        assert_eq!(connection.answer().status, if i % 2 == 0 { 200 } else { 404 });
    }
    assert!(connection.is_alive());
}

#[test]
fn a_body_that_is_waited_for_is_asked_for_once() {
    let server = Server::demo();
    let text = message(
        "POST",
        "/oauth/token",
        &[APPLICATION, "Content-Type: application/x-www-form-urlencoded", "Expect: 100-Continue"],
        PASSWORD_GRANT,
    );
    let (head, body) = text.split_at(text.find("\r\n\r\n").unwrap() + 4);
    let mut connection = server.connect();
    connection.send(head);
    let mut word = [0; 25];
    connection.stream.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
    for byte in body.as_bytes() {
        connection.send([*byte]);
    }
    assert_eq!(connection.answer().status, 200);
    assert!(connection.is_alive());
    assert_eq!(
        outcome(&server, "POST / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\nContent-Length: 0\r\n\r\n"),
        (417, false)
    );
    // What is too large is refused before it is sent.
    assert_eq!(
        outcome(
            &server,
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 70000\r\n\r\n"
        ),
        (413, false)
    );
}

#[test]
fn a_client_that_ends_its_side_still_gets_its_answer() {
    let server = Server::demo();
    let mut connection = server.connect();
    connection.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    connection.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(connection.answer().body, "ok");
    assert!(connection.is_over());
    let mut connection = server.connect();
    connection.send("GET /heal");
    connection.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(connection.answer().status, 400);
}

#[test]
fn a_head_in_single_bytes_is_the_same_head() {
    let server = Server::demo();
    let mut connection = server.connect();
    for byte in b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n" {
        connection.send([*byte]);
    }
    assert_eq!((connection.answer().status, connection.answer().status), (200, 404));
}
