//! The server's life: start, reload, stop.
//!
//! The main thread only waits for signals. Whatever may hang has its own thread: reading the
//! configuration, which may be a pipe that nobody writes to, and standard output, which may be one
//! that nobody reads. So SIGTERM always ends the program.

use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::{Failure, Options};
use crate::config;
use crate::control::ControlSocket;
use crate::endpoints::metrics::MetricsService;
use crate::endpoints::{App, Settings};
use crate::http::server::Server;
use crate::http::{Limits, Service};
use crate::listen::{self, HostPort, Open, Place, SocketPath};
use crate::load::{self, Loaded};
use crate::notify;
use crate::oauth::token;
use crate::os::{self, Event, Signals};
use crate::store::{Counts, EngineConfig, Store, SyncPolicy};
use crate::watch::log::{Level, Log};

/// How long requests in progress may take to finish at a stop: a little less than the ten seconds
/// after which supervisors lose patience.
const DRAIN: Duration = Duration::from_millis(9_300);
/// How long the log may take to write its last lines.
const LAST_LINES: Duration = Duration::from_millis(500);
/// File descriptors besides the open connections': those of connections that are ending or find no
/// room, listeners and standard streams.
const OTHER_FILES: u64 = 64;
/// Connections to `metrics_listen`, enough for a few scrapers.
const METRICS_CONNECTIONS: usize = 16;
/// How often what has expired is freed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// A server that has been started.
struct Running {
    server: Arc<Server<App>>,
    /// Where clients find it.
    places: Vec<String>,
    /// The paths of its Unix sockets, which are removed at a stop.
    paths: Vec<SocketPath>,
    started_with: Fixed,
}

/// Its sockets, which are bound but do not accept yet.
struct Listeners {
    service: Vec<Open>,
    metrics: Vec<Open>,
}

/// What only a restart can change.
struct Fixed {
    listen: Vec<Place>,
    listen_mode: u32,
    metrics_listen: Option<HostPort>,
    max_connections: usize,
    state_file: Option<PathBuf>,
    state_sync: SyncPolicy,
    store: Option<EngineConfig>,
    control: Option<PathBuf>,
}

/// Serves until a signal says to stop.
pub fn serve(options: Options) -> Result<(), Failure> {
    let signals = Signals::block();
    silence_panics(|what| {
        let _ = writeln!(io::stderr(), "oauth2d: {what}");
    });
    let running = Arc::new(OnceLock::new());
    // A signal during a reload asks for another reload; further signals ask for that same one.
    let (ask, asked) = sync_channel(1);
    let own = Arc::clone(&running);
    spawn(move || match catch_unwind(AssertUnwindSafe(|| start(&options, &own))) {
        Ok(Ok(running)) => {
            for () in asked {
                running.reload_and_say_so(&options);
            }
        }
        Ok(Err(failure)) => std::process::exit(failure.tell().into()),
        // The panic hook has reported it.
        Err(_panic) => std::process::exit(1),
    })?;
    let signal = loop {
        match signals.wait() {
            Event::Reload => _ = ask.try_send(()),
            Event::Stop(signal) => break signal,
        }
    };
    running.get().map_or(Ok(()), |running| running.stop(signal))
}

/// Prepares, accepts connections and says so. `running` is set before the first request is
/// answered, so that a stop finds it.
fn start<'a>(options: &Options, running: &'a OnceLock<Running>) -> Result<&'a Running, Failure> {
    let (ready, listeners) = prepare(options)?;
    let running = running.get_or_init(|| ready);
    accept(&running.server, listeners)?;
    let swept = Arc::clone(&running.server);
    spawn(move || {
        // A state file may have tokens of clients and users that have left the configuration.
        swept.service().free_unknown();
        loop {
            thread::sleep(SWEEP_INTERVAL);
            swept.service().sweep();
        }
    })?;
    announce(options, running);
    notify::ready("serving");
    Ok(running)
}

/// Reads the configuration, opens the store and binds the sockets; no connection is accepted yet.
fn prepare(options: &Options) -> Result<(Running, Listeners), Failure> {
    if !token::has_randomness() {
        return Err(Failure::failed("the operating system gives no random bytes"));
    }
    let Loaded { config, warnings } = load::load(options).map_err(Failure::first_wrong)?;
    let log = Arc::new(Log::new(io::stderr()));
    log.speaks(config.server.log);
    let own = Arc::clone(&log);
    silence_panics(move |what| own.tell(Level::Error, what));
    for warning in warnings {
        log.tell(Level::Warning, &warning);
    }
    let (places, mode) = (&config.server.listen, config.server.listen_mode);
    let (mut service, first) =
        listen::open(places, load::beside(options), mode).map_err(Failure::failed)?;
    let metrics = match &config.server.metrics_listen {
        Some(place) => {
            listen::bind(place, "set another metrics_listen").map_err(Failure::failed)?
        }
        None => Vec::new(),
    };
    let issuer = config.server.issuer.clone().unwrap_or(first);
    let connections = affordable_connections(&config.server, &log);
    let limits = Limits { connections, ..Limits::DEFAULT };
    let started_with = Fixed::of(&config.server);
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let store = open_store(options, &config.server, &log)?;
    let control = config.server.control.as_ref();
    let control = control.map(|path| ControlSocket::bind(&load::beside(options).join(path)));
    let control = control.transpose().map_err(Failure::failed)?;
    let settings = Settings::new(config, issuer);
    let app = App::new(settings, store, Arc::clone(&log), (processors - 1).max(1));
    let server = Server::new(app, limits).map_err(no_descriptor)?;
    let places = service.iter().map(|open| open.shown.clone()).collect();
    let mut paths: Vec<_> = service.iter_mut().filter_map(|open| open.path.take()).collect();
    if let Some(control) = control {
        paths.push(control.serve(&server).map_err(no_thread)?);
    }
    let running = Running { server, places, paths, started_with };
    Ok((running, Listeners { service, metrics }))
}

/// Opens the store, with what was issued before if there is a state file.
fn open_store(options: &Options, server: &config::Server, log: &Log) -> Result<Store, Failure> {
    if let Some(engine) = &server.store {
        return Store::shared(engine.beside(load::beside(options))).map_err(Failure::failed);
    }
    let Some(file) = &server.state_file else { return Ok(Store::new()) };
    let path = load::beside(options).join(file);
    let began = Instant::now();
    let store = Store::open(&path, server.state_sync).map_err(Failure::failed)?;
    let Counts { access_tokens, refresh_tokens, .. } = store.counts();
    log.notice(&format!(
        "{}: read {access_tokens} access and {refresh_tokens} refresh tokens in {} ms",
        path.display(),
        began.elapsed().as_millis()
    ));
    Ok(store)
}

fn accept(server: &Arc<Server<App>>, listeners: Listeners) -> Result<(), Failure> {
    for open in listeners.service {
        accept_at(server, open)?;
    }
    let limits = Limits { connections: METRICS_CONNECTIONS, ..Limits::DEFAULT };
    let metrics = Server::new(MetricsService(Arc::clone(server)), limits);
    let metrics = metrics.map_err(no_descriptor)?;
    for open in listeners.metrics {
        server.service().log.notice(&format!("metrics on {}/metrics", open.shown));
        accept_at(&metrics, open)?;
    }
    Ok(())
}

fn accept_at<S: Service>(server: &Arc<Server<S>>, open: Open) -> Result<(), Failure> {
    open.listener
        .never_wait()
        .map_err(|error| format!("{}: {error}", open.shown))
        .map_err(Failure::failed)?;
    let server = Arc::clone(server);
    spawn(move || server.accept(open.listener))
}

/// Prints what it is and where it listens. Nothing waits for this, since perhaps nobody reads it.
fn announce(options: &Options, running: &Running) {
    let app = running.server.service();
    for line in introduction(options, running) {
        app.log.notice(&line);
    }
    let mut lines = String::new();
    for place in &running.places {
        lines.push_str(&format!("listening on {place}\n"));
    }
    let written = spawn(move || {
        let mut out = io::stdout();
        let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
    });
    if written.is_err() {
        app.log.tell(Level::Error, "no thread can be started to print where it listens");
    }
}

/// What the operator wants to know about a server that has just started.
fn introduction(options: &Options, running: &Running) -> Vec<String> {
    let app = running.server.service();
    let settings = app.settings.get();
    let Fixed { state_file, store, .. } = &running.started_with;
    let kept = match (state_file, store) {
        (Some(file), _) => load::beside(options).join(file).display().to_string(),
        (None, Some(engine)) => engine.place.to_string(),
        (None, None) => "memory alone, and ends with the process".into(),
    };
    let tokens = match store {
        Some(_) => "tokens in the engine".into(),
        None => format!("{} tokens", app.live_tokens()),
    };
    let mut lines = vec![
        format!("version {}", env!("CARGO_PKG_VERSION")),
        format!("issuer {}", settings.issuer),
        format!("{}, {tokens}", load::size(&settings.registry)),
        format!("the state is kept in {kept}"),
    ];
    if options.config.is_none() {
        lines.push(load::DEMO_NAMES.into());
        let base = settings.issuer.trim_end_matches('/');
        lines.push(format!("a tour of every grant: {base}/tour"));
    }
    lines
}

impl Running {
    /// Lets requests in progress finish, and says why it stops.
    fn stop(&self, signal: &str) -> Result<(), Failure> {
        notify::stopping();
        let app = self.server.service();
        app.begins_to_stop();
        // The paths go first: connections that have been made by then are still served.
        self.paths.iter().for_each(SocketPath::remove);
        self.server.stop(DRAIN);
        let finished = app.finish();
        app.log.notice(&format!("stopped by {signal}"));
        app.log.finish(LAST_LINES);
        finished.map_err(Failure::failed)
    }

    fn reload_and_say_so(&self, options: &Options) {
        notify::reloading();
        // A panic must not be the end of reloads: the next file may be another.
        let done = catch_unwind(AssertUnwindSafe(|| self.reload(options)));
        match done.unwrap_or_else(|_| Err("a bug in this program".into())) {
            Ok(()) => {
                notify::ready("serving");
                self.server.service().free_unknown();
            }
            Err(what) => notify::ready(&format!("reload failed: {what}")),
        }
    }

    /// Puts the file's new configuration into force, as a whole or not at all; an error says why
    /// not.
    fn reload(&self, options: &Options) -> Result<(), String> {
        let app = self.server.service();
        let Loaded { config, warnings } = match load::load(options) {
            Ok(loaded) => loaded,
            Err(faults) => {
                let first = faults.into_iter().next().unwrap_or_default();
                let what = format!("{first}; the configuration stays as it was");
                app.log.tell(Level::Error, &what);
                app.reload_failed();
                return Err(first);
            }
        };
        for warning in warnings {
            app.log.tell(Level::Warning, &warning);
        }
        for key in self.started_with.changed(&Fixed::of(&config.server)) {
            let what = format!("{key} has changed in the file; that needs a restart");
            app.log.tell(Level::Warning, &what);
        }
        let issuer = config.server.issuer.clone();
        let issuer = issuer.unwrap_or_else(|| app.settings.get().issuer.clone());
        let changes = config::changes(&app.settings.get().registry, &config.registry);
        app.replace_settings(Settings::new(config, issuer));
        app.log.notice("the configuration was read again");
        for change in changes {
            app.log.notice(&change);
        }
        Ok(())
    }
}

impl Fixed {
    fn of(server: &config::Server) -> Fixed {
        Fixed {
            listen: server.listen.clone(),
            listen_mode: server.listen_mode,
            metrics_listen: server.metrics_listen.clone(),
            max_connections: server.max_connections,
            state_file: server.state_file.clone(),
            state_sync: server.state_sync,
            store: server.store.clone(),
            control: server.control.clone(),
        }
    }

    /// The keys whose values have changed.
    fn changed(&self, now: &Fixed) -> impl Iterator<Item = &'static str> {
        let keys = [
            (self.listen != now.listen, "listen"),
            (self.listen_mode != now.listen_mode, "listen_mode"),
            (self.metrics_listen != now.metrics_listen, "metrics_listen"),
            (self.max_connections != now.max_connections, "max_connections"),
            (self.state_file != now.state_file, "state_file"),
            (self.state_sync != now.state_sync, "state_sync"),
            (self.store != now.store, "store"),
            (self.control != now.control, "control"),
        ];
        keys.into_iter().filter_map(|(has_changed, key)| has_changed.then_some(key))
    }
}

/// As many connections as wanted, or as many as there can be file descriptors for.
fn affordable_connections(server: &config::Server, log: &Log) -> usize {
    let wanted = server.max_connections;
    let of_engine = server.store.as_ref().map_or(0, |_| EngineConfig::CONNECTIONS as u64);
    let others = OTHER_FILES + of_engine;
    let files = os::allow_files(wanted as u64 + others);
    let affordable = files.saturating_sub(others).max(1) as usize;
    if affordable < wanted {
        let what = format!(
            "max_connections is {wanted}, but the limit of {files} open files leaves room for \
             {affordable}; raise it with ulimit -n"
        );
        log.tell(Level::Warning, &what);
    }
    affordable.min(wanted)
}

fn no_descriptor(error: io::Error) -> Failure {
    Failure::failed(format_args!("no file descriptor is left: {error}"))
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    match thread::Builder::new().spawn(work) {
        Ok(_) => Ok(()),
        Err(error) => Err(no_thread(error)),
    }
}

fn no_thread(error: io::Error) -> Failure {
    Failure::failed(format_args!("no thread can be started: {error}"))
}

/// Reports a panic by its place alone, since its message may contain anything.
fn silence_panics(tell: impl Fn(&str) + Send + Sync + 'static) {
    panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map_or(String::new(), ToString::to_string);
        tell(&format!("a bug in this program at {place}"));
    }));
}
