//! Exports metrics and spans of the queries of a session by OTLP over HTTP.
//!
//! Messages are built here rather than by the SDK of OpenTelemetry: metrics and spans already exist as plain values,
//! and so both exports show the same numbers as the text for Prometheus.

mod attributes;
mod metrics;
mod settings;
mod spans;

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use datafusion::prelude::SessionContext;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use self::attributes::resource;
use self::settings::{Settings, Target, names_endpoint};
use self::spans::SpanCollector;
use super::failures::Failures;
use super::metrics::{Metrics, ShardMetrics};
use crate::aws::{AwsAccess, Request, RequestSender};
use crate::error::Result;
use crate::model::{Clock, ConnectionSettings, SystemClock, UnixMillis};
use crate::query::StreamingQueries;
use crate::sql::Variables;

/// How long the last export may take.
const LAST_TIMEOUT: Duration = Duration::from_secs(5);

/// Exports metrics and spans of the queries of a session to a receiver of OpenTelemetry, by OTLP in Protobuf over HTTP.
///
/// The standard variables apply: `OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`, `_TIMEOUT` and `_COMPRESSION`, each also for
/// one signal as in `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`; `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
/// `OTEL_METRIC_EXPORT_INTERVAL`, `OTEL_BSP_SCHEDULE_DELAY`, `OTEL_TRACES_SAMPLER`, `OTEL_METRICS_EXPORTER`,
/// `OTEL_TRACES_EXPORTER` and `OTEL_SDK_DISABLED`.
///
/// The metrics are those of [`Metrics`]. Each batch is a trace: a span `batch` with the spans of its phases and an event
/// for each shard that it has read from, linked to the span `query`, which ends with the query. A failure to export is
/// logged and never affects a query.
///
/// ```no_run
/// # use datafusion::prelude::SessionContext;
/// use datafusion_kinesis::monitor::OtlpExporter;
///
/// # async fn run(ctx: &SessionContext) -> datafusion_kinesis::Result<()> {
/// // Before queries start:
/// let exporting = OtlpExporter::new().with_endpoint("http://localhost:4318").start(ctx).await?;
/// // At the end, to export what is left:
/// exporting.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct OtlpExporter {
    endpoint: Option<String>,
}

impl OtlpExporter {
    /// Exports with the settings of the environment.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the receiver for both signals, which get the paths `/v1/metrics` and `/v1/traces`, instead of that of the
    /// environment.
    #[must_use]
    pub fn with_endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Whether the environment names a receiver.
    pub fn is_configured() -> bool {
        names_endpoint(&|name: &str| std::env::var(name).ok())
    }

    /// Starts to export in the background. Counts what queries do that start from now on.
    ///
    /// # Errors
    /// A setting cannot be used. Whether the receiver answers is not checked.
    pub async fn start(self, ctx: &SessionContext) -> Result<OtlpExporting> {
        let variable = |name: &str| std::env::var(name).ok();
        let settings = Settings::of(self.endpoint.as_deref(), &variable)?;
        // The receiver is no endpoint of AWS: only proxies and certificates are used.
        let sender = AwsAccess::new()
            .requests(&ConnectionSettings::default())
            .await?;
        let spans = settings.traces.as_ref().map(|_| {
            let variables = Variables::of(ctx.state_ref().read().config());
            let spans = Arc::new(SpanCollector::new(settings.sampled, variables));
            StreamingQueries::of(ctx).add_listener(Arc::<SpanCollector>::clone(&spans));
            spans
        });
        let task = ExportTask {
            metrics: Metrics::of(ctx),
            spans,
            resource: resource(&settings.resource),
            started: SystemClock.now(),
            settings,
            sender,
            failures: Failures::new("OpenTelemetry"),
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(task.run(stopped));
        Ok(OtlpExporting { stop, task })
    }
}

/// Exports until it is stopped or dropped.
#[derive(Debug)]
pub struct OtlpExporting {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl OtlpExporting {
    /// Exports what is left, for up to five seconds, and ends.
    pub async fn stop(self) {
        // It cannot have ended before.
        let _ = self.stop.send(());
        // A panic is already logged.
        let _ = self.task.await;
    }
}

struct ExportTask {
    metrics: Metrics,
    spans: Option<Arc<SpanCollector>>,
    resource: Resource,
    /// When counting began.
    started: UnixMillis,
    settings: Settings,
    sender: RequestSender,
    failures: Failures,
}

impl ExportTask {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let ticks = |interval| {
            let mut ticks = interval_at(Instant::now() + interval, interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let mut metric_ticks = ticks(self.settings.metric_interval);
        let mut span_ticks = ticks(self.settings.span_interval);
        loop {
            tokio::select! {
                _ = metric_ticks.tick() => self.export_metrics().await,
                _ = span_ticks.tick() => self.export_spans().await,
                result = &mut stopped => {
                    // Dropped without a call of `stop`: nobody waits for the rest.
                    if result.is_ok() {
                        self.export_rest().await;
                    }
                    return;
                }
            }
        }
    }

    async fn export_rest(&mut self) {
        let rest = async {
            self.export_spans().await;
            self.export_metrics().await;
        };
        if timeout(LAST_TIMEOUT, rest).await.is_err() {
            tracing::warn!("the last metrics and spans were not exported in time");
        }
    }

    async fn export_metrics(&mut self) {
        let Some(target) = &self.settings.metrics else {
            return;
        };
        let values = self.metrics.values(ShardMetrics::UpTo100);
        let now = SystemClock.now();
        let request = metrics::request(&values, &self.resource, self.started, now);
        let sent = send(&self.sender, target, request.encode_to_vec()).await;
        self.failures.note(sent);
    }

    async fn export_spans(&mut self) {
        let (Some(target), Some(collector)) = (&self.settings.traces, &self.spans) else {
            return;
        };
        let (spans, dropped) = collector.take();
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "there are more spans than can be exported; OTEL_TRACES_SAMPLER takes a share of the batches"
            );
        }
        if spans.is_empty() {
            return;
        }
        let request = spans::request(spans, &self.resource);
        let sent = send(&self.sender, target, request.encode_to_vec()).await;
        self.failures.note(sent);
    }
}

/// Sends a message.
///
/// # Errors
/// Why it failed.
async fn send(
    sender: &RequestSender,
    target: &Target,
    message: Vec<u8>,
) -> std::result::Result<(), String> {
    let mut headers = vec![(
        Cow::Borrowed("content-type"),
        "application/x-protobuf".to_owned(),
    )];
    for (name, value) in &target.headers {
        headers.push((Cow::Owned(name.clone()), value.reveal().to_owned()));
    }
    let body = match target.is_compressed {
        false => message,
        true => {
            headers.push((Cow::Borrowed("content-encoding"), "gzip".to_owned()));
            compressed(&message).map_err(|error| error.to_string())?
        }
    };
    let request = Request {
        method: "POST",
        url: target.url.as_str(),
        headers,
        body,
        signed_for: None,
    };
    match timeout(target.timeout, sender.send(request)).await {
        Err(_) => Err(format!("no answer within {:?}", target.timeout)),
        Ok(Err(failure)) => Err(failure.to_string()),
        Ok(Ok(answer)) if (200..300).contains(&answer.status) => Ok(()),
        // The answer is not quoted: a server may repeat the headers of a request.
        Ok(Ok(answer)) => Err(format!("status {}", answer.status)),
    }
}

fn compressed(message: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(message)?;
    encoder.finish()
}
