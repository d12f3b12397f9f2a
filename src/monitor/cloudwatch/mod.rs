//! Publishes a few figures of the queries of a session to CloudWatch.

mod figures;
mod request;

use std::collections::BTreeMap;
use std::time::Duration;

use datafusion::prelude::SessionContext;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use self::figures::{Datum, METRICS_PER_QUERY, METRICS_PER_STREAM, datums};
use self::request::{CloudWatch, MAX_DATUMS};
use super::failures::Failures;
use super::metrics::{Metrics, Series, ShardMetrics, Value};
use crate::aws::AwsAccess;
use crate::error::{Error, Result};
use crate::model::{Clock, ConnectionSettings, SystemClock};
use crate::options::{HOURS_PER_MONTH, Price, PriceList};
use crate::query::StreamingQueries;
use crate::sql::StreamingSettings;

/// CloudWatch keeps one value per minute.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long the last values may take.
const LAST_TIMEOUT: Duration = Duration::from_secs(5);

/// Publishes figures of the queries of a session to CloudWatch once a minute, with the dimensions `query` and
/// `stream`: `MillisBehindLatest`, `RecordsProcessed`, `BytesProcessed` and `ThrottledCalls` for each stream,
/// `CommitSuccess` and `CommitFailure` for each query.
///
/// A failure to publish is logged and never affects a query. Counts go with the next request that succeeds.
///
/// ```no_run
/// # use datafusion::prelude::SessionContext;
/// use datafusion_kinesis::monitor::CloudWatchPublisher;
///
/// # async fn run(ctx: &SessionContext) -> datafusion_kinesis::Result<()> {
/// // Before queries start:
/// let publishing = CloudWatchPublisher::new("MyCompany/Streams")?.start(ctx).await?;
/// println!("{}", publishing.cost());
/// // At the end, to publish the last minute:
/// publishing.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct CloudWatchPublisher {
    namespace: String,
    connection: ConnectionSettings,
    interval: Duration,
}

impl CloudWatchPublisher {
    /// Publishes in `namespace`.
    ///
    /// # Errors
    /// CloudWatch does not take the namespace.
    pub fn new(namespace: impl Into<String>) -> Result<Self> {
        let namespace = namespace.into();
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-/#: ".contains(c);
        let is_valid = (1..=255).contains(&namespace.len())
            && namespace.chars().all(is_allowed)
            && !namespace.trim().is_empty()
            && !namespace.starts_with(':')
            && !namespace.starts_with("AWS/");
        match is_valid {
            true => Ok(Self {
                namespace,
                connection: ConnectionSettings::default(),
                interval: INTERVAL,
            }),
            false => Err(Error::invalid_option(format!(
                "the namespace {namespace:?} of CloudWatch: expected 1 to 255 letters, digits, spaces and . _ - / # \
                 that do not begin with AWS/"
            ))),
        }
    }

    /// Sets the region, the credentials, the proxy and the endpoint. The defaults are those of the environment.
    #[must_use]
    pub fn with_connection(mut self, connection: ConnectionSettings) -> Self {
        self.connection = connection;
        self
    }

    /// Sets how often values are published, instead of once a minute.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_secs(1));
        self
    }

    /// Starts to publish in the background. Counts what queries do that start from now on.
    ///
    /// # Errors
    /// No region is configured, or an endpoint is refused. Credentials are not checked.
    pub async fn start(self, ctx: &SessionContext) -> Result<CloudWatchPublishing> {
        let service = CloudWatch::connect(&AwsAccess::new(), &self.connection).await?;
        let settings = StreamingSettings::of(ctx.state_ref().read().config_options());
        let prices = settings.prices();
        let cost = cost(&self.namespace, service.region(), self.interval, &prices);
        let queries = StreamingQueries::of(ctx);
        queries.set_published_metrics(METRICS_PER_QUERY, METRICS_PER_STREAM);
        let task = PublishTask {
            metrics: Metrics::of(ctx),
            queries,
            namespace: self.namespace,
            service,
            published: BTreeMap::new(),
            failures: Failures::new("CloudWatch"),
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(task.run(self.interval, stopped));
        Ok(CloudWatchPublishing { cost, stop, task })
    }
}

/// Publishes until it is stopped or dropped.
#[derive(Debug)]
pub struct CloudWatchPublishing {
    cost: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl CloudWatchPublishing {
    /// Where the metrics go, and what that costs a month by the prices of the session, as a sentence.
    pub fn cost(&self) -> &str {
        &self.cost
    }

    /// Publishes the values since the last time, for up to five seconds, and ends.
    pub async fn stop(self) {
        // It cannot have ended before.
        let _ = self.stop.send(());
        // A panic is already logged.
        let _ = self.task.await;
    }
}

/// What publishing costs a month.
fn cost(namespace: &str, region: &str, interval: Duration, prices: &PriceList) -> String {
    let month = Duration::from_secs_f64(HOURS_PER_MONTH * 3_600.0);
    let requests = month.as_secs_f64() / interval.as_secs_f64();
    let metrics = METRICS_PER_QUERY + METRICS_PER_STREAM;
    format!(
        "CloudWatch: metrics go to the namespace '{namespace}' in {region}. An estimate from {prices}: ${:.2} a \
         month for each query over one stream ({metrics} metrics), ${:.2} for {requests:.0} requests",
        prices.cost(Price::CloudWatchMetricMonth, f64::from(metrics)),
        prices.cost(Price::PutMetricData, requests),
    )
}

struct PublishTask {
    metrics: Metrics,
    queries: StreamingQueries,
    namespace: String,
    service: CloudWatch,
    /// The values at the last request that succeeded.
    published: BTreeMap<Series, Value>,
    failures: Failures,
}

impl PublishTask {
    async fn run(mut self, interval: Duration, mut stopped: oneshot::Receiver<()>) {
        let mut ticks = interval_at(Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.publish().await,
                result = &mut stopped => {
                    // Dropped without a call of `stop`: nobody waits for the last values.
                    if result.is_ok() && timeout(LAST_TIMEOUT, self.publish()).await.is_err() {
                        tracing::warn!("the last metrics were not published in time");
                    }
                    self.queries.set_published_metrics(0, 0);
                    return;
                }
            }
        }
    }

    async fn publish(&mut self) {
        let values = self.metrics.values(ShardMetrics::UpTo100);
        let datums: Vec<(&Series, Datum)> = datums(&values, &self.published);
        let time = SystemClock.now();
        for part in datums.chunks(MAX_DATUMS) {
            let sent = self.service.put(&self.namespace, time, part).await;
            let failed = sent.is_err();
            self.failures.note(sent);
            if failed {
                return;
            }
            for (series, _) in part {
                self.published
                    .insert((*series).clone(), values[*series].clone());
            }
        }
        // Of queries that are forgotten.
        self.published
            .retain(|series, _| values.contains_key(series));
    }
}
