use super::script::{Around, Step, run};
use super::*;
use proptest::prelude::*;

/// What is written, write by write, when these pieces arrive, one at each read.
fn writes(pieces: &[&[u8]]) -> Vec<String> {
    writes_among(&Around::default(), pieces)
}

fn writes_among(around: &Around, pieces: &[&[u8]]) -> Vec<String> {
    // However slow this machine is, answers are sent together.
    let limits = Limits { answer_wait: Duration::from_secs(3600), ..Limits::DEFAULT };
    writes_within(&limits, around, pieces)
}

fn writes_within(limits: &Limits, around: &Around, pieces: &[&[u8]]) -> Vec<String> {
    let sends = pieces.iter().map(|piece| Step::Send(piece.to_vec())).collect();
    let seen = run(around, limits, sends, Vec::new());
    let writes = seen.writes.borrow();
    writes.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
}

/// Status codes and echoes, in order, of everything that is written.
fn answers(pieces: &[&[u8]]) -> String {
    let text = writes(pieces).concat().replace("HTTP/1.1 ", "\r\nHTTP/1.1 ");
    let told = |line: &str| match line.strip_prefix("HTTP/1.1 ") {
        Some(status) => Some(String::from(&status[..3])),
        None => line.starts_with('[').then(|| String::from(line)),
    };
    text.split("\r\n").filter_map(told).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_arrives_together_is_answered_together() {
    let request = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n".repeat(50);
    let writes = writes(&[&request]);
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].matches("[GET /a ]").count(), 50);
}

#[test]
fn an_answer_waits_only_so_long_for_those_behind_it() {
    let request = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n".repeat(50);
    let limits = Limits { answer_wait: Duration::ZERO, ..Limits::DEFAULT };
    let writes = writes_within(&limits, &Around::default(), &[&request]);
    assert_eq!(writes.len(), 50);
}

#[test]
fn bodies_of_both_framings_and_the_request_behind_them() {
    let text = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi\
        POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyou\r\n0\r\n\r\n\
        GET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n";
    assert_eq!(answers(&[text]), "200 [POST /a hi] 200 [POST /b you] 200 [GET /c ]");
}

#[test]
fn continue_is_said_once_and_only_while_the_body_is_missing() {
    let head = b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let waited = writes(&[head, b"h", b"i"]);
    assert_eq!(waited[0], "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(waited[1].ends_with("[POST /a hi]"));
    let sent = [&head[..], b"hi"].concat();
    assert!(writes(&[&sent])[0].starts_with("HTTP/1.1 200"));
}

#[test]
fn a_connection_lets_others_run_between_two_requests_and_not_within_one() {
    let around = Around::default();
    let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let (head, rest) = request.split_at(20);
    assert_eq!(writes_among(&around, &[request, head, rest, request]).len(), 3);
    assert_eq!(around.steps.get(), 3);
}

#[test]
fn an_answer_that_needs_no_body_does_not_wait_for_it() {
    let head = b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n";
    let text = writes(&[head, b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"]).concat();
    assert!(text.contains("Connection: close") && text.ends_with("[POST /early ]"), "{text}");
}

#[test]
fn a_panic_is_a_500_and_the_end_of_its_connection_alone() {
    let text = writes(&[b"GET /panic HTTP/1.1\r\nHost: h\r\n\r\n"]).concat();
    assert!(text.starts_with("HTTP/1.1 500 ") && text.contains("Connection: close"), "{text}");
}

#[test]
fn a_request_that_ends_in_its_middle_is_refused() {
    assert!(writes(&[b"GET / HT"]).concat().starts_with("HTTP/1.1 400 "));
    assert!(
        writes(&[b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhi"])
            .concat()
            .starts_with("HTTP/1.1 400 ")
    );
    assert!(writes(&[]).is_empty());
}

proptest! {
    #[test]
    fn requests_are_the_same_however_they_are_cut(cuts in proptest::collection::vec(1usize..40, 0..40)) {
        let text = b"\r\nPOST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\
            POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nyou\r\n2\r\n!!\r\n0\r\nX: y\r\n\r\n\
            GET /c HTTP/1.1\r\nHost: h\r\n\r\nGET\t/d HTTP/1.1\r\n\r\n";
        let strip_dates = |text: String| text.split("\r\n").filter(|line| !line.starts_with("Date")).collect::<Vec<_>>().join("\n");
        let whole = strip_dates(writes(&[text]).concat());
        let mut pieces = Vec::new();
        let mut rest = &text[..];
        for cut in cuts {
            let (piece, behind) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        pieces.push(rest);
        let pieces: Vec<_> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        prop_assert_eq!(strip_dates(writes(&pieces).concat()), whole);
    }

    #[test]
    fn any_bytes_end_without_a_panic(pieces in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).filter(|piece| !piece.is_empty()).collect();
        let _ = writes(&pieces);
    }
}
