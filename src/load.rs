//! From the options to a configuration: the file, what it names, and its faults as lines.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::cli::{Failure, Options};
use crate::clock;
use crate::config::{self, Config, Context, DEFAULT_LISTEN, Finding, Outside};
use crate::listen::Place;
use crate::oauth::Registry;
use crate::os;

const DEMO: &[u8] = include_bytes!("demo.conf");
/// Its names and passwords, for whoever has just started it.
pub const DEMO_NAMES: &str = "demo data: clients application (secret), confidentialApplication \
                              (topSecret) and publicApplication (no secret), user pedroetb \
                              (password)";
/// The permission for everyone who is neither the owner nor in the group.
const OTHERS_READ: u32 = 0o004;

/// A configuration and its warnings.
pub struct Loaded {
    pub config: Config,
    /// `FILE:LINE: warning: what`.
    pub warnings: Vec<String>,
}

/// Reads the configuration that the options name, or returns all its faults, as `FILE:LINE: what`.
pub fn load(options: &Options) -> Result<Loaded, Vec<String>> {
    let path = options.config.as_deref();
    let text = text(options).map_err(|what| vec![what])?;
    let beside = beside(options);
    let outside = Outside {
        file: &|name| fs::read(beside.join(name)).map_err(|error| error.to_string()),
        is_open: &|name| match name {
            Some(name) => is_open(&beside.join(name)),
            None => path.is_some_and(is_open),
        },
        environment: &|name| std::env::var(name).ok(),
        folder: &|name| folder_fault(&beside.join(name)),
    };
    let is_demo = path.is_none();
    let context = Context { listen: options.listen.clone(), is_demo, now: clock::now() };
    let place = name(options);
    let mut config = config::parse(&text, &context, &outside)
        .map_err(|faults| faults.iter().map(|fault| line(&place, "", fault)).collect::<Vec<_>>())?;
    if context.is_demo && !options.demo {
        stay_on_loopback(&config).map_err(|what| vec![what])?;
    }
    let warnings = std::mem::take(&mut config.warnings);
    let warnings = warnings.iter().map(|it| line(&place, "warning: ", it)).collect();
    Ok(Loaded { config, warnings })
}

/// The text of the configuration. An error is a line for the operator.
fn text(options: &Options) -> Result<Vec<u8>, String> {
    match &options.config {
        Some(path) => {
            fs::read(path).map_err(|error| format!("{}: cannot be read: {error}", path.display()))
        }
        None => Ok(DEMO.to_vec()),
    }
}

/// The folder of the configuration, to which paths in it are relative.
pub fn beside(options: &Options) -> &Path {
    options.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
}

/// The control socket of this configuration. Other faults of the file do not matter: whoever has to
/// end a token has no time for them.
pub fn control(options: &Options) -> Result<PathBuf, Failure> {
    let none = "there is no control in [server]; write control = PATH and restart the server";
    let control = only(options, "control")?;
    let control =
        control.ok_or_else(|| Failure::failed(format_args!("{}: {none}", name(options))))?;
    Ok(beside(options).join(control))
}

/// Where the server of this configuration listens.
pub fn listen(options: &Options) -> Result<Vec<Place>, Failure> {
    if !options.listen.is_empty() {
        return Ok(options.listen.clone());
    }
    let text = only(options, "listen")?;
    let words = text.as_deref().unwrap_or(DEFAULT_LISTEN).split_ascii_whitespace();
    let wrong = |what| Failure::failed(format_args!("{}: listen {what}", name(options)));
    words.map(|word| Place::parse(word).map_err(wrong)).collect()
}

/// One key of `[server]`, whatever else is wrong.
fn only(options: &Options, key: &str) -> Result<Option<String>, Failure> {
    let text = text(options).map_err(Failure::failed)?;
    config::only(&text, key).map_err(|fault| Failure::failed(line(&name(options), "", &fault)))
}

/// How many clients, users and resources there are.
pub fn size(registry: &Registry) -> String {
    let (clients, users) = registry.size();
    let resources = registry.resources.len();
    format!("{clients} clients, {users} users, {resources} resources")
}

/// The name of the configuration in messages.
pub fn name(options: &Options) -> String {
    let path: Option<&PathBuf> = options.config.as_ref();
    path.map_or("demo data".into(), |path| path.display().to_string())
}

fn line(place: &str, kind: &str, finding: &Finding) -> String {
    let Finding { line, what } = finding;
    match line {
        Some(line) => format!("{place}:{line}: {kind}{what}"),
        None => format!("{place}: {kind}{what}"),
    }
}

/// Whether every user of the machine can read the file.
fn is_open(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.permissions().mode() & OTHERS_READ != 0)
}

/// Why no file can be created at this path: its folder, and the end of a sentence about that.
fn folder_fault(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let what = match fs::metadata(folder) {
        Ok(data) if data.is_dir() && os::may_write(folder) => return None,
        Ok(data) if !data.is_dir() => "is a file; write another path",
        Err(error) if error.kind() == ErrorKind::NotFound => "is missing; make it",
        _ => "cannot be written by this user; give it to the one who runs the server",
    };
    Some(format!("{}, {what}", folder.display()))
}

/// Refuses other addresses, since everyone knows the demo's secrets.
fn stay_on_loopback(config: &Config) -> Result<(), String> {
    for place in &config.server.listen {
        let addresses = place.host_port().and_then(|place| place.resolve().ok());
        let is_local =
            |addresses: Vec<SocketAddr>| addresses.iter().all(|it| it.ip().is_loopback());
        if !addresses.map_or(place.host_port().is_some(), is_local) {
            return Err(format!(
                "--listen {place}: the demo data stays on loopback addresses; write --config \
                 FILE, or --demo if everyone may use it"
            ));
        }
    }
    Ok(())
}
