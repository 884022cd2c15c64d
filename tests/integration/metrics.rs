//! Contract section 7: what Prometheus reads.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::support::*;

const RIGHT: &str = "grant_type=password&username=ann&password=password";

/// What `/metrics` says, as a function of a sample's name and labels.
fn scrape(address: SocketAddr) -> impl Fn(&str, &[(&str, &str)]) -> f64 {
    let mut connection = Connection::to(address);
    connection.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = connection.answer();
    assert_eq!(answer.field("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let lines = answer.body.lines().map(|line| Ok(line.to_string()));
    let scrape = prometheus_parse::Scrape::parse(lines).unwrap();
    move |name, labels| {
        let sample = scrape.samples.iter().find(|sample| {
            let own: HashMap<&str, &str> =
                sample.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            sample.metric == name && labels.iter().all(|(k, v)| own.get(k) == Some(v))
        });
        match &sample.unwrap_or_else(|| panic!("{name} {labels:?}")).value {
            prometheus_parse::Value::Counter(v)
            | prometheus_parse::Value::Gauge(v)
            | prometheus_parse::Value::Untyped(v) => *v,
            prometheus_parse::Value::Histogram(buckets) => buckets.last().unwrap().count,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn metrics_are_what_prometheus_reads_and_only_there() {
    let server = Server::with("metrics_listen = 127.0.0.1:0");
    let metrics = metrics_of(&server);
    server.token(APP, RIGHT);
    server.token(APP, "grant_type=password&username=ann&password=wrong");
    server.get("/nothing", &[]);
    assert_eq!(server.get("/metrics", &[]).status, 404);
    let value = scrape(metrics);
    let token = ("endpoint", "/oauth/token");
    assert_eq!(value("oauth2d_requests_total", &[token, ("status", "200")]), 1.0);
    assert_eq!(value("oauth2d_requests_total", &[token, ("status", "400")]), 1.0);
    assert_eq!(value("oauth2d_requests_total", &[("endpoint", "other"), ("status", "404")]), 2.0);
    assert_eq!(value("oauth2d_tokens_issued_total", &[("grant", "password")]), 1.0);
    assert_eq!(value("oauth2d_refusals_total", &[("error", "invalid_grant")]), 1.0);
    let live = |client, kind| value("oauth2d_live_tokens", &[("client", client), ("kind", kind)]);
    assert_eq!((live("app", "access"), live("app", "refresh")), (1.0, 1.0));
    assert_eq!((live("other", "access"), live("other", "refresh")), (0.0, 0.0));
    assert_eq!(value("oauth2d_pending_grants", &[("kind", "device_code")]), 0.0);
    assert_eq!(value("oauth2d_throttled_attempts_total", &[]), 0.0);
    assert_eq!(value("oauth2d_request_duration_seconds", &[]), 4.0);
    let held = [server.connect(), server.connect()];
    let open = || scrape(metrics)("oauth2d_open_connections", &[]);
    eventually(|| open() == 2.0, "the two are open, and those before have ended");
    drop(held);
    eventually(|| open() == 0.0, "all have ended");
}

/// The address of a server's metrics.
fn metrics_of(server: &Server) -> SocketAddr {
    let line = server.notice(|what| what.starts_with("metrics on http://"));
    let place = line.strip_prefix("metrics on http://").unwrap();
    place.strip_suffix("/metrics").unwrap().parse().unwrap()
}

#[test]
fn metrics_tell_how_the_server_is() {
    let server = Server::with("metrics_listen = 127.0.0.1:0\nstate_file = state");
    let metrics = metrics_of(&server);
    server.token(APP, RIGHT);
    let synced = || scrape(metrics)("oauth2d_state_file_last_sync_timestamp_seconds", &[]);
    eventually(|| synced() > 0.0, "the disk has it");
    let value = scrape(metrics);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(value("oauth2d_build_info", &[("version", version)]), 1.0);
    assert_eq!(value("oauth2d_state_file_errors_total", &[]), 0.0);
    assert!(value("oauth2d_state_file_bytes", &[]) > 100.0);
    let started = value("process_start_time_seconds", &[]);
    assert!(value("oauth2d_config_last_reload_success_timestamp_seconds", &[]) >= started);
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
    ] {
        assert!(value(name, &[]).is_finite(), "{name}");
    }
    let successful = || scrape(metrics)("oauth2d_config_last_reload_successful", &[]);
    assert_eq!(successful(), 1.0);
    let file = server.folder.path().join("oauth2d.conf");
    let text = std::fs::read_to_string(&file).unwrap();
    for (text, expected) in [("nonsense", 0.0), (&*text, 1.0)] {
        std::fs::write(&file, text).unwrap();
        server.signal("HUP");
        eventually(|| successful() == expected, "the reload is told");
    }
}
