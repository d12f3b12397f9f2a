//! What operators look at: the status page, metrics, health.
//!
//! Everything is derived from what [`query`](crate::query) shows of its queries, when somebody asks for it.
//!
//! With feature `ui`, [`StatusServer`] serves a page and a JSON API:
//!
//! ```text
//!  server ─▶ page, api ─▶ look ─▶ query
//! ```
//!
//! | folder | what it does |
//! |---|---|
//! | `cloudwatch`, `otlp` | send metrics to receivers |
//! | `look` | what there is to see: queries, shards, charts, settings, without secrets |
//! | `metrics` | metrics of all queries: counters, gauges, histograms; their text for Prometheus |
//! | `page` | HTML |
//! | `server` | HTTP: who may ask, routes, limits; JSON |

#[cfg(feature = "cloudwatch")]
mod cloudwatch;
#[cfg(any(feature = "cloudwatch", feature = "otlp"))]
mod failures;
#[cfg(feature = "ui")]
mod look;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "ui")]
mod page;
#[cfg(feature = "ui")]
mod server;

#[cfg(feature = "cloudwatch")]
pub use cloudwatch::{CloudWatchPublisher, CloudWatchPublishing};
#[cfg(feature = "metrics")]
pub use metrics::{Metrics, ShardMetrics};
#[cfg(feature = "otlp")]
pub use otlp::{OtlpExporter, OtlpExporting};
#[cfg(feature = "ui")]
pub use server::{StatusServer, StatusServerBuilder};
