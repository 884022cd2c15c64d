//! oauth2d: a small OAuth 2.0 server.
//!
//! Read it in this order, with the RFCs beside:
//!
//! 1. [`oauth`], the protocol, as functions of plain values. Start with `oauth/grants/`, one file
//!    for each `grant_type`, then `store/`, which makes "works once" true.
//! 2. [`endpoints`], the table of paths and, behind each, a request in and a response out.
//! 3. [`http`], HTTP/1.1 over TCP: how bytes become requests, and what a stranger may cost.
//! 4. [`config`], [`cli`] and this file: from the command line to listening sockets.
//! 5. [`encode`], [`crypto`], [`os`] and [`watch`], which the others use.
//!
//! `oauth` and `http` do not know each other; `endpoints` is where they meet.

mod cli;
mod config;
mod crypto;
mod encode;
mod endpoints;
mod http;
mod oauth;
mod os;
mod store;
mod watch;

use std::fmt::Display;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use cli::{Command, Options};
use config::{Config, Context, HostPort, Outside};
use endpoints::metrics::MetricsService;
use endpoints::{App, Settings};
use http::Limits;
use http::server::Server;
use oauth::secret::{ITERATIONS, StoredSecret};
use os::{Event, Signals};
use watch::log::Log;

/// A wrong argument or configuration.
const WRONG: u8 = 2;
/// Any other failure.
const FAILED: u8 = 1;
/// How long requests in hand may take to finish at a stop: a little less than the ten seconds
/// after which supervisors lose patience.
const DRAIN: Duration = Duration::from_millis(9_300);
/// File descriptors beside those of connections: of connections that leave, of those for which
/// there is no room, listeners and standard streams.
const OTHER_FILES: u64 = 64;
/// Connections of the metrics' listener: a few scrapers.
const METRICS_CONNECTIONS: usize = 16;

fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(what) => return fail(WRONG, what),
    };
    let result = match command {
        Command::Help => print(cli::HELP),
        Command::Version => print(concat!("oauth2d ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Hash => hash_password(),
        Command::NewSecret => new_secret(),
        Command::Check(options) => check(&options),
        Command::Health(options) => health(&options),
        Command::Serve(options) => serve(&options),
    };
    result.unwrap_or_else(|code| code)
}

/// Says what is wrong, and with which code the program ends.
fn fail(code: u8, what: impl Display) -> ExitCode {
    // Standard error may be closed; there is nobody else to tell.
    let _ = writeln!(std::io::stderr(), "oauth2d: {what}");
    ExitCode::from(code)
}

fn print(text: &str) -> Result<ExitCode, ExitCode> {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(fail(FAILED, format_args!("standard output: {error}"))),
    }
}

fn hash_password() -> Result<ExitCode, ExitCode> {
    let mut secret = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut secret) {
        return Err(fail(FAILED, format_args!("standard input: {error}")));
    }
    let secret = secret.strip_suffix('\n').unwrap_or(&secret);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(fail(WRONG, "the secret on standard input is empty; write one"));
    }
    let salt: [u8; 16] = oauth::token::random_bytes();
    let hash = StoredSecret::hash_password(secret, &salt, ITERATIONS);
    print(&format!("password_hash = {hash}\n"))
}

fn new_secret() -> Result<ExitCode, ExitCode> {
    let secret = oauth::Token::random().reveal();
    let hash = StoredSecret::hash_random(&secret);
    print(&format!("{}\nsecret_hash = {hash}\n", &*secret))
}

fn check(options: &Options) -> Result<ExitCode, ExitCode> {
    load(options, true).map(|_| ExitCode::SUCCESS)
}

/// Reads the configuration that the options name, or tells its faults.
fn load(options: &Options, tell_all: bool) -> Result<Config, ExitCode> {
    read(options).map_err(|faults| {
        let told = if tell_all { faults.len() } else { 1 };
        for fault in &faults[..told.min(faults.len())] {
            fail(WRONG, fault);
        }
        ExitCode::from(WRONG)
    })
}

/// The same, with its faults as lines.
fn read(options: &Options) -> Result<Config, Vec<String>> {
    let demo = include_bytes!("demo.conf");
    let path = options.config.as_deref();
    let text = match path {
        Some(path) => std::fs::read(path)
            .map_err(|error| vec![format!("{}: cannot be read: {error}", path.display())])?,
        None => demo.to_vec(),
    };
    let beside = path.and_then(Path::parent).unwrap_or(Path::new(""));
    let outside = Outside {
        file: &|name| std::fs::read(beside.join(name)).map_err(|error| error.to_string()),
        environment: &|name| std::env::var(name).ok(),
    };
    let context = Context { listen: options.listen.clone(), is_demo: path.is_none() };
    let config = config::parse(&text, &context, &outside).map_err(|errors| {
        let place = path.map_or("demo.conf".into(), |path| path.display().to_string());
        let line = |error: config::Error| match error.line {
            Some(line) => format!("{place}:{line}: {}", error.what),
            None => format!("{place}: {}", error.what),
        };
        errors.into_iter().map(line).collect::<Vec<_>>()
    })?;
    if path.is_none() && !options.demo {
        for place in &config.listen {
            let addresses = resolve(place).unwrap_or_default();
            if !addresses.iter().all(|address| address.ip().is_loopback()) {
                return Err(vec![format!(
                    "--listen {place}: the demo data stays on loopback addresses; write --config \
                     FILE, or --demo if everyone may use it"
                )]);
            }
        }
    }
    Ok(config)
}

fn serve(options: &Options) -> Result<ExitCode, ExitCode> {
    let signals = Signals::block();
    silence_panics();
    if !oauth::token::has_randomness() {
        return Err(fail(FAILED, "the operating system gives no random bytes"));
    }
    let config = load(options, false)?;
    let log = Arc::new(Log::new(std::io::stderr()));
    warn_of_open_secrets(&config, options, &log);

    let mut listeners = Vec::new();
    let mut issuer = config.issuer.clone();
    for place in &config.listen {
        let bound = bind(place).map_err(|what| fail(FAILED, what))?;
        let port = bound[0].1.port();
        let host = if place.is_wildcard() { "localhost" } else { &place.host };
        issuer.get_or_insert_with(|| format!("http://{host}:{port}"));
        listeners.extend(bound);
    }
    let metrics_listeners = match &config.metrics_listen {
        Some(place) => bind(place).map_err(|what| fail(FAILED, what))?,
        None => Vec::new(),
    };

    let limits = Limits {
        connections: affordable_connections(config.max_connections, &log),
        ..Limits::DEFAULT
    };
    let fixed = Fixed::of(&config);
    let settings = Settings::new(config, issuer.unwrap_or_default());
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let app = App::new(settings, Arc::clone(&log), (processors - 1).max(1));
    let server = Server::new(app, limits);
    let metrics_limits = Limits { connections: METRICS_CONNECTIONS, ..Limits::DEFAULT };
    let metrics = Server::new(MetricsService(Arc::clone(&server)), metrics_limits);

    let addresses: Vec<SocketAddr> = listeners.iter().map(|(_, address)| *address).collect();
    let mut lines = String::new();
    for address in &addresses {
        lines.push_str(&format!("listening on http://{address}\n"));
    }
    let start = || -> std::io::Result<()> {
        for (listener, _) in listeners {
            let server = Arc::clone(&server);
            thread::Builder::new().spawn(move || server.accept(listener))?;
        }
        for (listener, _) in metrics_listeners {
            let metrics = Arc::clone(&metrics);
            thread::Builder::new().spawn(move || metrics.accept(listener))?;
        }
        let swept = Arc::clone(&server);
        thread::Builder::new().spawn(move || {
            loop {
                thread::sleep(Duration::from_secs(1));
                swept.service().sweep();
            }
        })?;
        Ok(())
    };
    start().map_err(|error| fail(FAILED, format_args!("no thread can be started: {error}")))?;
    // Nobody has to listen for this line.
    let mut out = std::io::stdout();
    let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());

    while signals.wait() == Event::Reload {
        reload(options, &fixed, &server);
    }
    server.stop(&addresses, DRAIN);
    log.finish(Duration::from_millis(500));
    Ok(ExitCode::SUCCESS)
}

/// What only a restart changes.
struct Fixed {
    listen: Vec<HostPort>,
    metrics_listen: Option<HostPort>,
    max_connections: usize,
}

impl Fixed {
    fn of(config: &Config) -> Fixed {
        Fixed {
            listen: config.listen.clone(),
            metrics_listen: config.metrics_listen.clone(),
            max_connections: config.max_connections,
        }
    }
}

/// Puts the configuration in place as it is now, whole or not at all.
fn reload(options: &Options, started: &Fixed, server: &Arc<Server<App>>) {
    let app = server.service();
    let config = match read(options) {
        Ok(config) => config,
        Err(faults) => {
            let first = faults.first().map_or("", String::as_str);
            app.log.notice(&format!("{first}; the configuration stays as it was"));
            return;
        }
    };
    warn_of_open_secrets(&config, options, &app.log);
    let issuer = config.issuer.clone().unwrap_or_else(|| app.settings.get().issuer.clone());
    let fixed = Fixed::of(&config);
    for (changed, key) in [
        (fixed.listen != started.listen, "listen"),
        (fixed.metrics_listen != started.metrics_listen, "metrics_listen"),
        (fixed.max_connections != started.max_connections, "max_connections"),
    ] {
        if changed {
            app.log.notice(&format!("{key} has changed in the file; that needs a restart"));
        }
    }
    app.replace_settings(Settings::new(config, issuer));
    app.log.notice("the configuration was read again");
    app.free_unknown();
}

/// The addresses that `place` stands for, each once.
fn resolve(place: &HostPort) -> std::io::Result<Vec<SocketAddr>> {
    if let Some(address) = place.address() {
        return Ok(vec![SocketAddr::new(address, place.port)]);
    }
    if place.host.eq_ignore_ascii_case("localhost") {
        // Loopback by definition (RFC 6761, section 6.3), whatever the system's files say.
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Ok(both.map(|ip| SocketAddr::new(ip, place.port)).to_vec());
    }
    let mut addresses: Vec<SocketAddr> =
        (place.host.as_str(), place.port).to_socket_addrs()?.collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}

/// Listens on every address of `place` that this machine has, all on one port.
fn bind(place: &HostPort) -> Result<Vec<(TcpListener, SocketAddr)>, String> {
    let fault = |error: std::io::Error| format!("{place}: {error}");
    let addresses = resolve(place).map_err(fault)?;
    // A port that is free on one address may be taken on another; then the next free one is tried.
    let mut attempts = if place.port == 0 { 20 } else { 1 };
    loop {
        match bind_all(&addresses) {
            Ok(bound) => return Ok(bound),
            Err(error) if error.kind() == ErrorKind::AddrInUse && attempts > 1 => attempts -= 1,
            Err(error) => return Err(fault(error)),
        }
    }
}

fn bind_all(addresses: &[SocketAddr]) -> std::io::Result<Vec<(TcpListener, SocketAddr)>> {
    let mut bound: Vec<(TcpListener, SocketAddr)> = Vec::new();
    let mut lacking = ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        let mut address = *address;
        if let Some((_, first)) = bound.first() {
            address.set_port(first.port());
        }
        let listener = match TcpListener::bind(address) {
            Ok(listener) => listener,
            Err(error) if is_lacking(&error) => {
                lacking = error;
                continue;
            }
            Err(error) => return Err(error),
        };
        os::widen_backlog(&listener);
        os::bound_send_buffers(&listener);
        let address = listener.local_addr()?;
        bound.push((listener, address));
    }
    match bound.is_empty() {
        true => Err(lacking),
        false => Ok(bound),
    }
}

/// Whether this machine has no such address, or not even its family (EAFNOSUPPORT).
fn is_lacking(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable || matches!(error.raw_os_error(), Some(47 | 97))
}

/// As many connections as are wanted, or as there can be file descriptors for.
fn affordable_connections(wanted: usize, log: &Log) -> usize {
    let files = os::allow_files(wanted as u64 + OTHER_FILES);
    let affordable = files.saturating_sub(OTHER_FILES).max(1) as usize;
    if affordable < wanted {
        log.notice(&format!(
            "max_connections is {wanted}, but the limit of {files} open files leaves room for \
             {affordable}; raise it with ulimit -n"
        ));
    }
    affordable.min(wanted)
}

/// Tells of files with secrets in the open that every user of the machine can read.
fn warn_of_open_secrets(config: &Config, options: &Options, log: &Log) {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS_READ: u32 = 0o004;
    let Some(path) = &options.config else { return };
    let beside = path.parent().unwrap_or(Path::new(""));
    let mut files: Vec<PathBuf> = config.secret_files.iter().map(|f| beside.join(f)).collect();
    if config.has_plain_secrets {
        files.insert(0, path.clone());
    }
    for file in files {
        let mode = std::fs::metadata(&file).map_or(0, |data| data.permissions().mode());
        if mode & OTHERS_READ != 0 {
            log.notice(&format!(
                "{}: warning: there are secrets in it, and every user of this machine can read \
                 it; chmod o-r it, or keep hashes (oauth2d --hash)",
                file.display()
            ));
        }
    }
}

/// Asks the server of this configuration whether it is well.
fn health(options: &Options) -> Result<ExitCode, ExitCode> {
    let config = load(options, false)?;
    let place = &config.listen[0];
    let mut what = String::from("no address");
    for mut address in resolve(place).map_err(|error| fail(FAILED, error))? {
        if place.is_wildcard() {
            address.set_ip(match address.is_ipv4() {
                true => Ipv4Addr::LOCALHOST.into(),
                false => Ipv6Addr::LOCALHOST.into(),
            });
        }
        match ask_health(address) {
            Ok(true) => return Ok(ExitCode::SUCCESS),
            Ok(false) => what = format!("{address}: it does not answer ok"),
            Err(error) => what = format!("{address}: {error}"),
        }
    }
    Err(fail(FAILED, what))
}

fn ask_health(address: SocketAddr) -> std::io::Result<bool> {
    let patience = Duration::from_secs(3);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}

/// A panic is a fault of ours, and its message may hold anything: only its place is told.
fn silence_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or(String::new(), ToString::to_string);
        let _ = writeln!(std::io::stderr(), "oauth2d: a fault in this program at {place}");
    }));
}
