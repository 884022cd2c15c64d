//! The log: one line for each request, on standard error.
//!
//! A thread of its own writes the lines, so that a full pipe holds no request up; what it cannot
//! take is dropped and counted.

use std::io::Write;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::encode::{date, decimal, json};
use crate::http::Status;
use crate::http::listener::UNIX;
use crate::oauth::Timestamp;

/// How many bytes may wait to be written: some thousands of lines.
const WAITING: usize = 1024 * 1024;
/// How much of a path or a method is shown: no honest request has a longer one.
const PATH: usize = 200;
const METHOD: usize = 24;
/// How long the writer pauses after each write, so that a busy server writes many lines at once.
const REST: Duration = Duration::from_millis(5);

/// How a request's line is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LogFormat {
    Text,
    Json,
    /// Text, with what was checked and done below each line.
    Explain,
    Off,
}

/// What the log says about a request.
pub struct Line<'a> {
    pub time: Timestamp,
    pub address: IpAddr,
    pub method: &'a str,
    pub path: &'a str,
    pub status: Status,
    pub duration: Duration,
    pub client: Option<&'a str>,
    /// Which secret the client has used, if that matters.
    pub secret: Option<&'a str>,
    pub user: Option<&'a str>,
    pub error: Option<&'a str>,
    pub reason: Option<&'a str>,
    pub fault: Option<&'a str>,
    /// What was checked and done, each on its own line.
    pub steps: &'a [String],
}

/// How much a notice matters to the operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    Notice,
    Warning,
    Error,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Level::Notice => "notice",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

pub struct Log {
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether notices are JSON, too.
    is_json: AtomicBool,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    dropped: u64,
    /// The writer is asleep, and has to be woken when there is something to write.
    asleep: bool,
    writing: bool,
}

impl Log {
    /// Starts the thread that writes to `out`; if there can be none, nothing is logged.
    pub fn new(mut out: impl Write + Send + 'static) -> Log {
        let queue = Arc::new(Queue::default());
        let own = Arc::clone(&queue);
        let _ = thread::Builder::new().spawn(move || {
            loop {
                let bytes = own.next();
                // A closed descriptor is no reason to stop serving.
                let _ = out.write_all(&bytes).and_then(|()| out.flush());
                let mut state = own.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.writing = false;
                drop(state);
                own.changed.notify_all();
                thread::sleep(REST);
            }
        });
        Log { queue }
    }

    /// Writes a request's line.
    pub fn request(&self, format: LogFormat, line: &Line) {
        match format {
            LogFormat::Text => self.push(&line.text()),
            LogFormat::Json => self.push(&line.json()),
            LogFormat::Explain => self.push(&line.explained()),
            LogFormat::Off => {}
        }
    }

    /// From now on notices have this format; if the log is off they are text.
    pub fn speaks(&self, format: LogFormat) {
        self.queue.is_json.store(format == LogFormat::Json, Relaxed);
    }

    /// Writes a notice for the operator, even if the log is off.
    pub fn tell(&self, level: Level, what: &str) {
        self.push(&self.queue.notice(level, what));
    }

    pub fn notice(&self, what: &str) {
        self.tell(Level::Notice, what);
    }

    /// Waits until everything is written, but no longer than `patience`.
    pub fn finish(&self, patience: Duration) {
        let state = self.queue.state.lock().unwrap_or_else(PoisonError::into_inner);
        let unwritten = |state: &mut State| !state.waiting.is_empty() || state.writing;
        let _ = self.queue.changed.wait_timeout_while(state, patience, unwritten);
    }

    fn push(&self, text: &str) {
        let mut state = self.queue.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.waiting.len() + text.len() > WAITING {
            state.dropped += 1;
            return;
        }
        state.waiting.extend(text.as_bytes());
        if std::mem::take(&mut state.asleep) {
            drop(state);
            self.queue.changed.notify_all();
        }
    }
}

impl Queue {
    fn next(&self) -> Vec<u8> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.waiting.is_empty() {
            state.asleep = true;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.asleep = false;
        state.writing = true;
        let mut bytes = std::mem::take(&mut state.waiting);
        let dropped = std::mem::take(&mut state.dropped);
        if dropped > 0 {
            let what = format!("{dropped} log lines were dropped, since standard error is slow");
            bytes.extend(self.notice(Level::Warning, &what).as_bytes());
        }
        bytes
    }

    /// The line of a notice.
    fn notice(&self, level: Level, what: &str) -> String {
        notice(clock::now(), self.is_json.load(Relaxed), level, what)
    }
}

fn notice(now: Timestamp, is_json: bool, level: Level, what: &str) -> String {
    let mut time = String::new();
    push_time(&mut time, now);
    if !is_json {
        return format!("{time} oauth2d: {what}\n");
    }
    let object = json::Object::new().string("time", &time).string("level", level.as_str());
    object.string("message", what).finish() + "\n"
}

impl Line<'_> {
    fn text(&self) -> String {
        let mut text = String::with_capacity(160);
        push_time(&mut text, self.time);
        text.push(' ');
        push_address(&mut text, self.address);
        text.push(' ');
        push_word(&mut text, cut(self.method, METHOD));
        text.push(' ');
        push_word(&mut text, cut(self.path, PATH));
        text.push(' ');
        decimal::push(&mut text, self.status.code().into());
        text.push(' ');
        push_milliseconds(&mut text, self.duration);
        for (name, value) in self.facts() {
            text.push(' ');
            text.push_str(name);
            text.push('=');
            match name {
                "reason" => json::push_string(&mut text, value),
                _ => push_word(&mut text, value),
            }
        }
        text.push('\n');
        text
    }

    fn explained(&self) -> String {
        let mut text = self.text();
        for step in self.steps {
            text.push_str("    ");
            text.push_str(step);
            text.push('\n');
        }
        text
    }

    fn json(&self) -> String {
        let (mut time, mut address) = (String::new(), String::new());
        push_time(&mut time, self.time);
        push_address(&mut address, self.address);
        let mut object = json::Object::new()
            .string("time", &time)
            .string("address", &address)
            .string("method", cut(self.method, METHOD))
            .string("path", cut(self.path, PATH))
            .number("status", self.status.code().into())
            .number("duration_us", self.duration.as_micros() as u64);
        for (name, value) in self.facts() {
            object = object.string(name, value);
        }
        object.finish() + "\n"
    }

    fn facts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let facts = [
            ("client", self.client),
            ("secret", self.secret),
            ("user", self.user),
            ("error", self.error),
            ("reason", self.reason),
            ("fault", self.fault),
        ];
        facts.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

/// At most `most` bytes of a part of the request line.
fn cut(text: &str, most: usize) -> &str {
    // It is ASCII: anything else would have been refused.
    text.get(..text.len().min(most)).unwrap_or("")
}

/// Appends a value, in quotes unless it cannot be misread without them.
fn push_word(text: &mut String, value: &str) {
    let plain = |b: u8| b.is_ascii_graphic() && !b"\"\\=".contains(&b);
    match !value.is_empty() && value.bytes().all(plain) {
        true => text.push_str(value),
        false => json::push_string(text, value),
    }
}

fn push_time(text: &mut String, time: Timestamp) {
    text.push_str(std::str::from_utf8(&date::rfc3339(time.0)).expect("digits are ASCII"));
}

fn push_address(text: &mut String, address: IpAddr) {
    match address {
        UNIX => text.push_str("unix"),
        IpAddr::V4(address) => {
            for (at, part) in address.octets().into_iter().enumerate() {
                text.push_str(if at == 0 { "" } else { "." });
                decimal::push(text, part.into());
            }
        }
        IpAddr::V6(address) => text.push_str(&address.to_string()),
    }
}

fn push_milliseconds(text: &mut String, duration: Duration) {
    let micros = duration.as_micros() as u64;
    let mut thousandths = *b".000ms";
    decimal::put(&mut thousandths[1..4], micros % 1000);
    decimal::push(text, micros / 1000);
    text.push_str(std::str::from_utf8(&thousandths).expect("digits are ASCII"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(path: &'a str, user: Option<&'a str>) -> Line<'a> {
        Line {
            time: Timestamp(784_111_777_042),
            address: IpAddr::from([127, 0, 0, 1]),
            method: "POST",
            path,
            status: Status::BadRequest,
            duration: Duration::from_micros(1234),
            client: Some("application"),
            secret: None,
            user,
            error: Some("invalid_grant"),
            reason: Some("the code is unknown (RFC 6749, section 4.1.2)"),
            fault: None,
            steps: &[],
        }
    }

    #[test]
    fn lines_of_both_formats() {
        assert_eq!(
            line("/oauth/token", Some("p")).text(),
            "1994-11-06T08:49:37.042Z 127.0.0.1 POST /oauth/token 400 1.234ms client=application \
             user=p error=invalid_grant reason=\"the code is unknown (RFC 6749, section 4.1.2)\"\n"
        );
        assert_eq!(
            line("/oauth/token", None).json(),
            "{\"time\":\"1994-11-06T08:49:37.042Z\",\"address\":\"127.0.0.1\",\"method\":\"POST\",\
             \"path\":\"/oauth/token\",\"status\":400,\"duration_us\":1234,\"client\":\"application\",\
             \"error\":\"invalid_grant\",\"reason\":\"the code is unknown (RFC 6749, section 4.1.2)\"}\n"
        );
    }

    #[test]
    fn notices_have_the_time_and_in_json_their_level() {
        let now = Timestamp(784_111_777_042);
        assert_eq!(
            notice(now, false, Level::Error, "it is \"full\""),
            "1994-11-06T08:49:37.042Z oauth2d: it is \"full\"\n"
        );
        assert_eq!(
            notice(now, true, Level::Error, "it is \"full\""),
            "{\"time\":\"1994-11-06T08:49:37.042Z\",\"level\":\"error\",\
             \"message\":\"it is \\\"full\\\"\"}\n"
        );
    }

    #[test]
    fn who_comes_over_a_unix_socket_is_called_so() {
        let line = Line { address: UNIX, ..line("/", None) };
        assert!(line.text().contains("042Z unix POST / 400 "), "{}", line.text());
        assert!(line.json().contains(",\"address\":\"unix\","), "{}", line.json());
    }

    #[test]
    fn no_value_forges_a_line_or_a_field() {
        let text = line("/", Some("a\n1994 x\" client=root\u{7f}\u{1b}é\u{85}")).text();
        assert_eq!(text.matches('\n').count(), 1);
        assert!(text.contains(r#" user="a\n1994 x\" client=root\u007f\u001bé"#), "{text}");
        assert_eq!(text.matches(" client=").count(), 2);
        assert!(line("/", Some("")).text().contains(" user=\"\" "));
    }

    #[test]
    fn a_long_method_or_path_makes_no_long_line() {
        let (path, method) = ("/a".repeat(PATH), "B".repeat(16_000));
        let line = Line { method: &method, ..line(&path, None) };
        let (shown, start) = ("B".repeat(METHOD), "/a".repeat(PATH / 2));
        assert!(line.text().contains(&format!(" {shown} {start} 400 ")), "{}", line.text());
        let both = format!("\"method\":\"{shown}\",\"path\":\"{start}\",");
        assert!(line.json().contains(&both), "{}", line.json());
    }

    #[test]
    fn a_writer_that_hangs_or_fails_holds_nobody_up() {
        struct Stuck;
        impl Write for Stuck {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                loop {
                    thread::park();
                }
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let log = Log::new(Stuck);
        for _ in 0..50_000 {
            log.notice("a line that nobody reads, as long as lines are in the usual case");
        }
        let state = log.queue.state.lock().unwrap();
        assert!(state.waiting.len() <= WAITING && state.dropped > 0);
    }
}
