//! Whether a query is healthy: rates, alarms with limits, and what a query tells about itself.
//!
//! ```text
//!  status of the run ──observation, once per second──▶ rules ──▶ rates, raised alarms
//!                                                        │
//!                                                        ╰──change──▶ log, listeners, webhook
//! ```

mod change;
mod probe;
mod report;
mod rules;
mod webhook;

pub(super) use self::change::HealthChange;
pub use self::change::StreamingQueryHealthChange;
pub use self::probe::{ProbeReason, ProbeReport, QueryProbe};
pub use self::report::{Alarm, HealthRates, HealthReason, HealthState, QueryHealth};
pub(super) use self::rules::{HealthRules, Limits, Observation, Requests};
pub(super) use self::webhook::Webhook;
