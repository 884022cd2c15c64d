//! What operators see of each answer: a line in the log, and the metrics.

use std::net::IpAddr;
use std::time::Duration;

use super::{App, Call, ready};
use crate::clock;
use crate::http::{Refusal, Status};
use crate::oauth::Outcome;
use crate::watch::log::{Level, Line, LogFormat};

impl App {
    /// Tells the operator about a proxy whose users all count as one.
    #[cold]
    fn tell_of_untrusted_proxy(&self) {
        if let Some(address) = self.throttle.untrusted_proxy() {
            let what = format!(
                "more than 100 users or clients failed from {address}, which sends \
                 X-Forwarded-For; if it is your proxy, put it into trusted_proxies, or its users \
                 are refused together"
            );
            self.log.tell(Level::Warning, &what);
        }
    }

    /// Counts and logs an answer. Not inlined, so that its stack is not part of the endpoints':
    /// that would cost every connection at rest a page.
    #[inline(never)]
    pub(super) fn record(
        &self,
        call: &Call,
        route: Option<usize>,
        answered: (Status, &[String]),
        outcome: &Outcome,
    ) {
        let (status, steps) = answered;
        let duration = call.request.arrived.elapsed();
        self.metrics.answered(route, status, duration);
        self.metrics.outcome(outcome);
        if call.origin.relays && outcome.refusal.is_some() {
            self.tell_of_untrusted_proxy();
        }
        let format = call.settings.log_format;
        let is_quiet = format == LogFormat::Text && ready::is_good(route, status);
        if format == LogFormat::Off || is_quiet {
            return;
        }
        let reason = outcome.refusal.as_ref().map(|refusal| refusal.reason());
        let line = Line {
            time: call.origin.now,
            address: call.origin.address,
            method: call.request.head.method,
            path: call.request.head.path,
            status,
            duration,
            client: outcome.client.map(|client| &*client.id),
            secret: outcome.by_previous_secret.then_some("previous"),
            user: outcome.user.map(|user| &*user.name),
            error: outcome.refusal.as_ref().map(|refusal| refusal.code.as_str()),
            reason: reason.as_deref(),
            fault: outcome.fault,
            steps,
        };
        self.log.request(format, &line);
    }

    /// The same for what never became a request.
    pub(super) fn record_refusal(&self, connection: IpAddr, refusal: Refusal) {
        self.metrics.answered(None, refusal.status(), Duration::ZERO);
        let line = Line {
            time: clock::now(),
            address: connection,
            method: "-",
            path: "-",
            status: refusal.status(),
            duration: Duration::ZERO,
            client: None,
            secret: None,
            user: None,
            error: Some(refusal.words().0),
            reason: Some(&refusal.reason()),
            fault: None,
            steps: &[],
        };
        self.log.request(self.settings.get().log_format, &line);
    }
}
