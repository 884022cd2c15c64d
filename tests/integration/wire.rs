//! Requests and answers as bytes on a connection.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::support::PATIENCE;

/// A request as bytes.
pub fn message(method: &str, target: &str, fields: &[&str], body: &str) -> String {
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n");
    for field in fields {
        write!(text, "{field}\r\n").unwrap();
    }
    if method != "GET" || !body.is_empty() {
        write!(text, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    text + "\r\n" + body
}

/// A connection, on which requests are sent as raw bytes.
pub struct Connection {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub fn to(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection::on(stream)
    }

    /// Connects to a Unix socket.
    pub fn to_path(path: &Path) -> Connection {
        // The system calls are the same for both kinds of stream.
        Connection::on(OwnedFd::from(UnixStream::connect(path).unwrap()).into())
    }

    fn on(stream: TcpStream) -> Connection {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection { stream, read: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    pub fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// The next answer, which has no body if the request was a HEAD.
    pub fn answer_to(&mut self, method: &str) -> Answer {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(self.more(), "the connection ends: {:?}", String::from_utf8_lossy(&self.read));
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        let fields: Vec<String> = lines.map(String::from).collect();
        let mut answer = Answer { status, fields, body: String::new() };
        let length = match (method, answer.field("Content-Length")) {
            ("HEAD", _) | (_, None) => 0,
            (_, Some(length)) => length.parse().unwrap(),
        };
        while self.read.len() < length {
            assert!(self.more(), "the connection ends within a body");
        }
        answer.body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        answer
    }

    /// Whether the server has closed the connection without saying any more. A reset, which can
    /// destroy what was on its way, is a failure.
    pub fn is_over(&mut self) -> bool {
        self.read.is_empty() && !self.more()
    }

    /// Everything that is sent until the server closes the connection.
    pub fn rest(&mut self) -> String {
        while self.more() {}
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }

    /// Whether another request is answered on this connection.
    pub fn is_alive(&mut self) -> bool {
        self.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        self.answer().body == "ok"
    }

    fn more(&mut self) -> bool {
        let mut piece = [0; 65536];
        match self.stream.read(&mut piece) {
            Ok(n) => {
                self.read.extend(&piece[..n]);
                n > 0
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => self.more(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    fields: Vec<String>,
    pub body: String,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find_map(|field| {
            let (own, value) = field.split_once(": ")?;
            own.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The values of all fields with this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let pairs = self.fields.iter().filter_map(|field| field.split_once(": "));
        pairs.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    /// Everything except `Date`, with `TOKEN` for new tokens, one line each.
    pub fn whole(&self) -> String {
        let mut text = format!("{}\n", self.status);
        for field in self.fields.iter().filter(|field| !field.starts_with("Date: ")) {
            text.push_str(field);
            text.push('\n');
        }
        without_tokens(&format!("{text}\n{}", self.body))
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A member of a JSON object, which is a string.
    pub fn member(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("{name}: {self:?}")).into()
    }

    /// The status and the `error`.
    pub fn error(&self) -> (u16, String) {
        (self.status, self.member("error"))
    }

    /// A parameter of the `Location`.
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        let location = self.field("Location")?;
        let (_, query) = location.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (own, value) = pair.split_once('=')?;
            (own == name).then(|| value.into())
        })
    }
}

/// The text with `TOKEN` for every 40 or 64 digits.
pub fn without_tokens(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let mut out = String::new();
    for (i, piece) in text.split('"').enumerate() {
        if i > 0 {
            out.push('"');
        }
        let is_token = matches!(piece.len(), 40 | 64) && piece.chars().all(is_digit);
        out.push_str(if is_token { "TOKEN" } else { piece });
    }
    out
}
