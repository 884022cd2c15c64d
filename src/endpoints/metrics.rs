//! `/metrics`, on an address of its own, since it is for operators alone.

use std::net::IpAddr;
use std::sync::Arc;

use super::{App, reply};
use crate::http::server::Server;
use crate::http::{self, Head, Request, Response, Service};
use crate::oauth::Outcome;
use crate::watch::metrics::Gauges;

/// The service of `metrics_listen`.
pub struct MetricsService(pub Arc<Server<App>>);

impl Service for MetricsService {
    fn wants_body(&self, _: &Head) -> bool {
        true
    }

    fn answer(&self, request: &Request) -> Response {
        match (request.head.path, request.head.method) {
            ("/metrics", "GET" | "HEAD") => {
                let app = self.0.service();
                let text = app.metrics.text(&Gauges {
                    live: app.live_tokens_by_client(),
                    counts: app.store.counts(),
                    connections: self.0.connections(),
                    throttled: app.throttle.refused(),
                    file: app.store.file_status(),
                    engine: app.store.engine_status(),
                    vitals: *app.vitals(),
                });
                reply::metrics(text)
            }
            ("/metrics", _) => reply::method_not_allowed("GET, HEAD", &mut Outcome::default()),
            _ => reply::not_found(&mut Outcome::default()),
        }
    }

    fn refused(&self, _: IpAddr, _: http::Refusal) {}

    fn notice(&self, what: &str) {
        self.0.service().notice(what);
    }
}
