//! How much of the server's time a client may take, with limits that a test can wait for. Only what
//! has to come late is measured, so that a slow machine makes no difference.

use super::script::{Around, Seen, Step::*, run};
use super::slow_client::{AT_ONCE, LINGER_BYTES};
use super::*;
use std::rc::Rc;

const MS: Duration = Duration::from_millis(1);
/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(60);
const LIMITS: Limits = Limits {
    head_time: LONG,
    answer_wait: LONG,
    body_time: LONG,
    idle_time: LONG,
    write_time: LONG,
    ..Limits::DEFAULT
};
const HEAD: &[u8] = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n";
const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

/// What a client sees that sends `start` and then a byte every five milliseconds, and how long it
/// is served.
fn trickle(start: &[u8], limits: &Limits) -> (Rc<Seen>, Duration) {
    let mut sends = vec![Send(start.to_vec())];
    for _ in 0..50 {
        sends.extend([Rest(5 * MS), Send(b"x".to_vec())]);
    }
    let began = Instant::now();
    (run(&Around::default(), limits, sends, Vec::new()), began.elapsed())
}

#[test]
fn a_head_and_a_body_have_their_time_however_they_trickle() {
    let limits = Limits { head_time: 60 * MS, ..LIMITS };
    let (seen, served) = trickle(b"GET / HTTP/1.1\r\nX: ", &limits);
    let text = seen.text();
    assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("Connection: close"), "{text}");
    assert!(served >= limits.head_time, "{served:?}");
    let limits = Limits { body_time: 60 * MS, ..LIMITS };
    let (seen, served) = trickle(HEAD, &limits);
    assert!(seen.text().starts_with("HTTP/1.1 408 "), "{}", seen.text());
    assert!(served >= limits.body_time, "{served:?}");
}

#[test]
fn silence_within_a_request_is_told_and_between_requests_it_is_not() {
    let limits = Limits { head_time: 30 * MS, body_time: 30 * MS, idle_time: 30 * MS, ..LIMITS };
    for (sent, expected) in
        [(&b""[..], ""), (b"GET / HT", "HTTP/1.1 408 "), (HEAD, "HTTP/1.1 408 ")]
    {
        let began = Instant::now();
        let mut sends = vec![Hang];
        if !sent.is_empty() {
            sends.insert(0, Send(sent.to_vec()));
        }
        let seen = run(&Around::default(), &limits, sends, Vec::new());
        assert!(began.elapsed() >= 30 * MS);
        assert!(seen.text().starts_with(expected), "{}", seen.text());
        assert_eq!(seen.text().is_empty(), expected.is_empty());
        assert_eq!(seen.ended.get(), !expected.is_empty());
    }
    let sends = vec![Send(GET.to_vec()), Hang, Send(GET.to_vec())];
    let text = run(&Around::default(), &limits, sends, Vec::new()).text();
    assert_eq!(text.matches("HTTP/1.1 200 ").count(), 1, "{text}");
}

#[test]
fn a_connection_says_that_it_sleeps_and_answers_what_comes_later() {
    let get = || Send(GET.to_vec());
    // The first wait is not between requests, and the second is short.
    let sends = vec![Rest(AWAKE / 10), get(), Rest(AWAKE / 10), get(), Rest(AWAKE), get()];
    let around = Around::default();
    let text = run(&around, &LIMITS, sends, Vec::new()).text();
    assert_eq!(text.matches("HTTP/1.1 200 ").count(), 3, "{text}");
    assert_eq!(around.sleeps.get(), 1);
    // Asleep or not, it has its idle time and no more.
    let limits = Limits { idle_time: AWAKE + 30 * MS, ..LIMITS };
    let began = Instant::now();
    let text = run(&around, &limits, vec![get(), Hang, Hang, get()], Vec::new()).text();
    assert_eq!(text.matches("HTTP/1.1 200 ").count(), 1, "{text}");
    assert!(began.elapsed() >= limits.idle_time);
    assert_eq!(around.sleeps.get(), 2);
}

#[test]
fn a_request_behind_a_slow_one_has_its_own_time() {
    let limits = Limits { head_time: 1000 * MS, ..LIMITS };
    let head = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell".to_vec();
    // Longer than a head may take, but not a body.
    let late = Rest(1100 * MS);
    let sends = vec![Send(head), late, Send(b"oGET /b".to_vec()), Send(GET[6..].to_vec())];
    let text = run(&Around::default(), &limits, sends, Vec::new()).text();
    assert!(text.contains("[POST /a hello]") && text.ends_with("[GET /b ]"), "{text}");
}

#[test]
fn answers_that_leave_in_pieces_are_whole() {
    let requests = GET.repeat(3);
    let whole = run(&Around::default(), &LIMITS, vec![Send(requests.clone())], Vec::new()).text();
    for piece in [1, 7, whole.len() - 1] {
        let takes = vec![Take(piece); whole.len() / piece];
        let seen = run(&Around::default(), &LIMITS, vec![Send(requests.clone())], takes);
        assert_eq!(seen.text().len(), whole.len());
        assert_eq!(seen.text().matches("[GET /a ]").count(), 3);
    }
}

#[test]
fn a_client_that_does_not_read_is_left_after_the_write_time() {
    let limits = Limits { write_time: 500 * MS, ..LIMITS };
    // It reads nothing at all, or a byte now and then.
    for takes in [vec![Hang; 9], vec![Hang, Take(1), Take(1), Hang], vec![Late(30 * MS, 1); 400]] {
        let began = Instant::now();
        let seen = run(&Around::default(), &limits, vec![Send(GET.to_vec())], takes);
        assert!(!seen.text().ends_with("[GET /a ]"), "{}", seen.text());
        // What is sent in pieces counts as late from its beginning.
        assert!(began.elapsed() >= limits.write_time - AT_ONCE, "{:?}", began.elapsed());
        assert!(seen.waited.get() <= limits.write_time, "{:?}", seen.waited);
        assert!(!seen.ended.get(), "nobody waits for it any more");
    }
}

#[test]
fn the_write_time_counts_from_the_first_byte_that_did_not_leave_at_once() {
    let limits = Limits { write_time: 2000 * MS, ..LIMITS };
    let large = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(15_000));
    let sends = vec![Send(large.repeat(12).into())];
    // Each takes a third of the time: one alone is in time, the third in a row is too late.
    let slow = [Hang, Late(500 * MS, usize::MAX)];
    let takes = vec![slow.clone(); 20].concat();
    let seen = run(&Around::default(), &limits, sends.clone(), takes);
    assert!(seen.text().matches("[GET ").count() < 12);
    // An answer that is sent at once ends the count.
    let takes = vec![[&slow[..], &[Take(usize::MAX)]].concat(); 20].concat();
    let seen = run(&Around::default(), &limits, sends, takes);
    assert_eq!(seen.text().matches("[GET ").count(), 12);
}

#[test]
fn a_connection_that_was_ended_writes_nothing_more_slowly() {
    let around = Around { ends_after: Some(1), ..Around::default() };
    let seen = run(&around, &LIMITS, vec![Send(GET.to_vec())], vec![Take(7)]);
    assert_eq!(seen.text(), "HTTP/1.");
}

#[test]
fn a_connection_that_was_ended_answers_nothing_more() {
    let around = Around { ends_after: Some(1), ..Around::default() };
    let sends = vec![Send(GET.to_vec()), Send(GET.to_vec())];
    let seen = run(&around, &LIMITS, sends, Vec::new());
    assert_eq!(seen.text().matches("[GET /a ]").count(), 1);
    assert!(!seen.ended.get());
}

#[test]
fn the_last_answer_is_followed_by_the_end_and_what_comes_is_read_for_a_while() {
    let last = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".to_vec();
    let sends = vec![Send(last.clone()), Send(vec![b'x'; 3000])];
    let seen = run(&Around::default(), &LIMITS, sends, Vec::new());
    assert!(seen.text().ends_with("[GET /a ]") && seen.ended.get());
    assert_eq!(seen.read.get(), last.len() + 3000);
    let sends =
        [vec![Send(last.clone())], vec![Send(vec![b'x'; 512]); LINGER_BYTES / 256]].concat();
    let seen = run(&Around::default(), &LIMITS, sends, Vec::new());
    assert_eq!(seen.read.get(), last.len() + LINGER_BYTES);
}

#[test]
fn a_server_that_stops_answers_what_has_begun() {
    let around = Around { draining: true, ..Around::default() };
    let rest = GET[8..].to_vec();
    for sends in [
        vec![Send(GET.to_vec()), Hang],
        vec![Send(GET[..8].to_vec()), Send(rest.clone())],
        // The server has stopped reading, so that what is still to come looks like the end.
        vec![Send(GET[..8].to_vec()), SeemOver, SeemOver, Send(rest)],
    ] {
        let text = run(&around, &LIMITS, sends, Vec::new()).text();
        assert!(text.contains("Connection: close") && text.ends_with("[GET /a ]"), "{text}");
    }
    let limits = Limits { head_time: 20 * MS, ..LIMITS };
    let sends = [vec![Send(GET[..8].to_vec())], vec![SeemOver; 900]].concat();
    let text = run(&around, &limits, sends, Vec::new()).text();
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
}

#[test]
fn a_server_that_stops_ends_a_connection_at_rest_and_gives_a_new_one_a_second() {
    let around = Around { draining: true, ..Around::default() };
    let began = Instant::now();
    let seen = run(&around, &LIMITS, vec![Hang], Vec::new());
    assert!(began.elapsed() >= FIRST_REQUEST && seen.text().is_empty());
}
