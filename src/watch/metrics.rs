//! The metrics, in Prometheus' text format. Counting is one atomic addition.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::process;
use crate::http::Status;
use crate::oauth::{ErrorCode, GrantType, Outcome};
use crate::store::{Counts, Durations, EngineStatus, FileStatus};

/// Upper bounds of the histogram, in microseconds.
const BUCKETS: [u64; 13] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 10_000_000,
];

pub struct Metrics {
    /// The last one is for everything else.
    endpoints: Vec<Endpoint>,
    issued: [AtomicU64; GrantType::ALL.len()],
    refused: [AtomicU64; ErrorCode::ALL.len()],
}

/// The counters of one endpoint. Those that a usual answer changes, a fast one with status 200, are
/// next to one another, on one cache line. So it moves from one processor to another once an answer
/// and not three times, at some 80 ns each.
#[derive(Default)]
#[repr(C, align(64))]
struct Endpoint {
    /// By bucket, the longest first.
    durations: [AtomicU64; BUCKETS.len() + 1],
    /// In nanoseconds.
    total_duration: AtomicU64,
    statuses: [AtomicU64; Status::ALL.len()],
    name: &'static str,
}

/// What is not counted, but looked up when the metrics are asked for.
pub struct Gauges {
    pub live: Vec<LiveTokens>,
    pub counts: Counts,
    pub connections: usize,
    pub throttled: u64,
    /// `None` without a state file.
    pub file: Option<FileStatus>,
    /// `None` without an engine, which alone knows what it stores.
    pub engine: Option<EngineStatus>,
    pub vitals: Vitals,
}

/// The number of live tokens of one client and one kind.
pub struct LiveTokens {
    pub client: Arc<str>,
    pub kind: &'static str,
    pub count: usize,
}

/// What the server remembers about itself; times are in seconds since 1970.
#[derive(Clone, Copy, Default)]
pub struct Vitals {
    pub started: u64,
    /// When the configuration in force was read.
    pub loaded: u64,
    /// Whether the last reload failed.
    pub reload_failed: bool,
    /// When the state file was last synced.
    pub synced: u64,
}

impl Metrics {
    /// Counters for the endpoints with these names, and for everything else.
    pub fn new(names: impl IntoIterator<Item = &'static str>) -> Metrics {
        let named = |name| Endpoint { name, ..Endpoint::default() };
        Metrics {
            endpoints: names.into_iter().chain(["other"]).map(named).collect(),
            issued: Default::default(),
            refused: Default::default(),
        }
    }

    /// Counts an answer of the endpoint at this position among the names; `None` for everything
    /// else.
    pub fn answered(&self, endpoint: Option<usize>, status: Status, duration: Duration) {
        let endpoint = &self.endpoints[endpoint.unwrap_or(self.endpoints.len() - 1)];
        if let Some(status) = Status::ALL.iter().position(|&known| known == status) {
            add(&endpoint.statuses[status], 1);
        }
        let nanos = duration.as_nanos() as u64;
        let bucket = BUCKETS.iter().position(|&bound| nanos <= 1000 * bound);
        add(&endpoint.durations[BUCKETS.len() - bucket.unwrap_or(BUCKETS.len())], 1);
        add(&endpoint.total_duration, nanos);
    }

    /// Counts tokens, refusals and the like of a request.
    pub fn outcome(&self, outcome: &Outcome) {
        if let Some(grant) = outcome.issued {
            add(&self.issued[grant as usize], 1);
        }
        if let Some(refusal) = &outcome.refusal {
            add(&self.refused[refusal.code as usize], 1);
        }
    }

    /// Everything in the text exposition format, version 0.0.4.
    pub fn text(&self, gauges: &Gauges) -> String {
        let mut text = Text(String::with_capacity(4096));
        text.head("requests_total", "counter", "Answers, by endpoint and status.");
        for endpoint in &self.endpoints {
            for (status, counter) in Status::ALL.iter().zip(&endpoint.statuses) {
                let count = read(counter);
                if count > 0 {
                    let name = endpoint.name;
                    let code = status.code();
                    let labels = format!("{{endpoint=\"{name}\",status=\"{code}\"}}");
                    text.sample("requests_total", &labels, count);
                }
            }
        }
        text.head("tokens_issued_total", "counter", "Successful token requests, by grant.");
        for (grant, counter) in GrantType::ALL.iter().zip(&self.issued) {
            text.sample("tokens_issued_total", &format!("{{grant=\"{grant}\"}}"), read(counter));
        }
        text.head("refusals_total", "counter", "Refused requests, by OAuth error.");
        for (error, counter) in ErrorCode::ALL.iter().zip(&self.refused) {
            let labels = format!("{{error=\"{}\"}}", error.as_str());
            text.sample("refusals_total", &labels, read(counter));
        }
        match &gauges.engine {
            None => text.tokens(gauges),
            Some(engine) => text.engine(engine),
        }
        text.head("open_connections", "gauge", "Open connections.");
        text.sample("open_connections", "", gauges.connections as u64);
        let help = "Attempts refused because too many had failed.";
        text.head("throttled_attempts_total", "counter", help);
        text.sample("throttled_attempts_total", "", gauges.throttled);
        self.histogram(&mut text);
        text.vitals(gauges);
        text.0
    }

    fn histogram(&self, text: &mut Text) {
        const NAME: &str = "request_duration_seconds";
        text.head(NAME, "histogram", "Time from a complete request to its answer.");
        let in_bucket = |at: usize| -> u64 {
            self.endpoints.iter().map(|e| read(&e.durations[BUCKETS.len() - at])).sum()
        };
        let mut count = 0;
        let mut counted = |at| {
            count += in_bucket(at);
            count
        };
        let bounds = BUCKETS.iter().map(|&bound| bound as f64 / 1e6);
        let buckets: Vec<_> = bounds.enumerate().map(|(at, le)| (le, counted(at))).collect();
        counted(BUCKETS.len());
        let nanos: u64 = self.endpoints.iter().map(|e| read(&e.total_duration)).sum();
        text.buckets(NAME, &buckets, (count, nanos as f64 / 1e9));
    }
}

struct Text(String);

impl Text {
    /// Adds what was issued and is still valid.
    fn tokens(&mut self, gauges: &Gauges) {
        self.head("live_tokens", "gauge", "Live tokens, by client and kind.");
        for LiveTokens { client, kind, count } in &gauges.live {
            let labels = format!("{{client=\"{}\",kind=\"{kind}\"}}", escaped(client));
            self.sample("live_tokens", &labels, *count as u64);
        }
        self.head(
            "pending_grants",
            "gauge",
            "Codes and devices that wait to be redeemed, by kind.",
        );
        for (kind, count) in
            [("authorization_code", gauges.counts.codes), ("device_code", gauges.counts.devices)]
        {
            self.sample("pending_grants", &format!("{{kind=\"{kind}\"}}"), count as u64);
        }
    }

    /// Adds what is known about the engine.
    fn engine(&mut self, engine: &EngineStatus) {
        self.head("store_connections", "gauge", "Connections to the engine.");
        self.sample("store_connections", "", engine.connections as u64);
        self.head("store_errors_total", "counter", "What the engine could not do.");
        self.sample("store_errors_total", "", engine.errors);
        const NAME: &str = "store_duration_seconds";
        self.head(NAME, "histogram", "Time that the engine took, waiting and retries included.");
        let Durations { buckets, count, sum } = &engine.durations;
        self.buckets(NAME, buckets, (*count, *sum));
    }

    /// A histogram's samples: how many took no longer than so many seconds, then all of them.
    fn buckets(&mut self, name: &str, buckets: &[(f64, u64)], (count, sum): (u64, f64)) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in buckets {
            self.sample(&bucket, &format!("{{le=\"{bound}\"}}"), *count);
        }
        self.sample(&bucket, "{le=\"+Inf\"}", count);
        let _ = writeln!(self.0, "oauth2d_{name}_sum {sum}");
        self.sample(&format!("{name}_count"), "", count);
    }

    /// Adds what is known about the server itself.
    fn vitals(&mut self, gauges: &Gauges) {
        let vitals = &gauges.vitals;
        self.head("build_info", "gauge", "Always 1; the version is in the label.");
        self.sample("build_info", concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1);
        let name = "config_last_reload_successful";
        self.head(name, "gauge", "Whether the last reload succeeded.");
        self.sample(name, "", u64::from(!vitals.reload_failed));
        let name = "config_last_reload_success_timestamp_seconds";
        self.head(name, "gauge", "When the configuration in force was read.");
        self.sample(name, "", vitals.loaded);
        if let Some(FileStatus { bytes, errors, .. }) = gauges.file {
            self.head("state_file_bytes", "gauge", "The size of the state file.");
            self.sample("state_file_bytes", "", bytes);
            let name = "state_file_last_sync_timestamp_seconds";
            self.head(name, "gauge", "When the state file was last synced.");
            self.sample(name, "", vitals.synced);
            let name = "state_file_errors_total";
            self.head(name, "counter", "Writes and syncs that failed.");
            self.sample(name, "", errors);
        }
        for (name, kind, help, value) in process::metrics(vitals.started) {
            let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP oauth2d_{name} {help}\n# TYPE oauth2d_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: u64) {
        let _ = writeln!(self.0, "oauth2d_{name}{labels} {value}");
    }
}

/// A label's value, for between quotes. Names have no control characters.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
