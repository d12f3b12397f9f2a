//! Checks one table: credentials, clock, stream, and permissions.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use super::report::Section;
use crate::aws::ClockSkew;
use crate::kinesis::{
    ApiError, ApiErrorKind, ApiResult, Backoff, DryRun, DryRunAnswer, IteratorPosition, Kinesis,
    ListShardsFrom, ShardFilter, StreamStatus, StreamSummary,
};
use crate::model::{RetryPolicy, ShardId, is_aws_host};
use crate::options::CheckedOptions;
use crate::table::Services;

/// Enough for brief failures; a person is waiting for the result.
const RETRIES: RetryPolicy = RetryPolicy {
    max_retries: 2,
    first_interval: Duration::from_millis(200),
    max_interval: Duration::from_secs(1),
};

/// Whether the statements of the files read or write a table.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Uses {
    pub(super) reads: bool,
    pub(super) writes: bool,
}

/// A table with valid options.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) options: CheckedOptions,
    pub(super) uses: Uses,
    pub(super) section: Section,
    kinesis: Option<Arc<dyn Kinesis>>,
    stream: Option<StreamSummary>,
}

impl Table {
    pub(super) fn new(name: String, options: CheckedOptions, section: Section) -> Self {
        Self {
            name,
            options,
            uses: Uses::default(),
            section,
            kinesis: None,
            stream: None,
        }
    }

    /// Whether the stream's status allows reading and writing.
    pub(super) fn is_accessible(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| {
            matches!(stream.status, StreamStatus::Active | StreamStatus::Updating)
        })
    }

    /// Checks network, credentials, clock and stream.
    pub(super) async fn check_access(&mut self, services: &Services) {
        match services
            .access()
            .describe_network(&self.options.connection)
            .await
        {
            Ok(None) => {}
            Ok(Some(way)) => self.section.passed("network", way),
            Err(error) => return self.section.failed("network", error),
        }
        if !self.credentials(services).await {
            return;
        }
        let kinesis = match services.connect(&self.options.connection).await {
            Ok(kinesis) => kinesis,
            Err(error) => return self.section.failed("endpoint", error),
        };
        let stream = &self.options.stream;
        let found = with_retries(|| kinesis.describe_stream(stream)).await;
        match found {
            Ok(found) => {
                self.kinesis = Some(kinesis);
                self.section.passed("stream", described(&found));
                self.stream = Some(found);
            }
            Err(error) if error.kind() == ApiErrorKind::NotFound => self.missing(),
            Err(error) => {
                self.section.failed("stream", self.explain(&error));
                // Other required calls may still be allowed.
                if error.kind() == ApiErrorKind::AccessDenied {
                    self.kinesis = Some(kinesis);
                }
            }
        }
    }

    async fn credentials(&mut self, services: &Services) -> bool {
        match services.access().caller(&self.options.connection).await {
            Ok(caller) => {
                let by = caller.identity;
                match caller.arn {
                    Some(Ok(arn)) => self
                        .section
                        .passed("credentials", format!("{arn}, by {by}")),
                    None => self.section.passed("credentials", by),
                    Some(Err(why)) => {
                        let detail = format!(
                            "{by}; the caller is unknown because STS cannot be reached: {why}"
                        );
                        self.section.unknown("credentials", detail);
                    }
                }
                match caller.skew.map(ClockSkew::problem) {
                    Some(Some(problem)) => self.section.failed("clock", problem),
                    Some(None) => self.section.passed("clock", "agrees with AWS"),
                    None => {}
                }
                true
            }
            Err(error) => {
                self.section.failed("credentials", error);
                false
            }
        }
    }

    fn missing(&mut self) {
        let stream = &self.options.stream;
        let region = match &self.options.connection.region {
            Some(region) => format!("region '{region}'"),
            None => "the region of the environment".to_owned(),
        };
        if self.options.create_with_shards.is_some() {
            let detail = format!("'{stream}' does not exist in {region}; CREATE TABLE creates it");
            return self.section.unknown("stream", detail);
        }
        self.section.failed(
            "stream",
            format!(
                "'{stream}' does not exist in {region} for this caller: create it, or correct LOCATION \
                 or 'kinesis.kinesisRegion'"
            ),
        );
    }

    /// Checks the permission for each call that the statements need.
    pub(super) async fn permissions(&mut self) {
        let Some(kinesis) = self.kinesis.clone() else {
            return;
        };
        let Some(shard) = self.list(&*kinesis).await else {
            return;
        };
        // A table that no statement uses is checked for both.
        let unused = !self.uses.reads && !self.uses.writes;
        if self.uses.reads || unused {
            self.reading(&*kinesis, &shard).await;
        }
        if self.uses.writes || unused {
            self.writing(&*kinesis, &shard).await;
        }
    }

    /// Lists the shards, and returns an open one, which the other checks need.
    async fn list(&mut self, kinesis: &dyn Kinesis) -> Option<ShardId> {
        let from = ListShardsFrom::Start {
            stream: &self.options.stream,
            filter: ShardFilter::AtLatest,
        };
        let page = with_retries(|| kinesis.list_shards(from)).await;
        match page {
            Ok(page) => {
                let first = page.shards.into_iter().next();
                match &first {
                    Some(_) => self.section.passed("ListShards", ""),
                    None => self
                        .section
                        .failed("ListShards", "the stream has no open shard"),
                }
                first.map(|shard| shard.id)
            }
            Err(error) => {
                self.section.failed("ListShards", self.explain(&error));
                None
            }
        }
    }

    async fn reading(&mut self, kinesis: &dyn Kinesis, shard: &ShardId) {
        const LATEST: IteratorPosition = IteratorPosition::Latest;
        let stream = &self.options.stream;
        let iterator = with_retries(|| kinesis.get_shard_iterator(stream, shard, &LATEST)).await;
        let iterator = match iterator {
            Ok(iterator) => iterator,
            Err(error) => {
                self.section
                    .failed("GetShardIterator", self.explain(&error));
                return self
                    .section
                    .unknown("GetRecords", "not checked: requires GetShardIterator");
            }
        };
        self.section.passed("GetShardIterator", "");
        let call = DryRun::GetRecords(&iterator);
        let answer = with_retries(|| kinesis.dry_run(stream, call)).await;
        self.report_dry_run("GetRecords", answer);
    }

    async fn writing(&mut self, kinesis: &dyn Kinesis, shard: &ShardId) {
        let stream = &self.options.stream;
        // A service that does not support dry runs would write the record, so another call tests
        // for support first.
        let call = DryRun::GetShardIterator(shard);
        let known = match with_retries(|| kinesis.dry_run(stream, call)).await {
            Ok(answer) => answer == DryRunAnswer::Allowed,
            Err(error) => error.kind() == ApiErrorKind::AccessDenied && self.is_aws(),
        };
        let answer = match known {
            true => with_retries(|| kinesis.dry_run(stream, DryRun::PutRecords)).await,
            false => Ok(DryRunAnswer::Unknown),
        };
        self.report_dry_run("PutRecords", answer);
    }

    /// Whether the service is certainly AWS itself.
    fn is_aws(&self) -> bool {
        let mut variables = std::env::vars_os();
        let elsewhere = |name: &OsStr| name.to_string_lossy().starts_with("AWS_ENDPOINT_URL");
        match &self.options.connection.endpoint_url {
            Some(url) => is_aws_host(url),
            None => !variables.any(|(name, _)| elsewhere(&name)),
        }
    }

    fn report_dry_run(&mut self, check: &'static str, answer: ApiResult<DryRunAnswer>) {
        match answer {
            Ok(DryRunAnswer::Allowed) => self.section.passed(check, "allowed (dry run)"),
            Ok(DryRunAnswer::Unknown) => {
                let detail = "not checked: the server does not support dry runs";
                self.section.unknown(check, detail);
            }
            Err(error) => self.section.failed(check, self.explain(&error)),
        }
    }

    /// The error message, with advice.
    fn explain(&self, error: &ApiError) -> String {
        let region = self.options.connection.region.as_deref();
        match (error.kind(), region) {
            (ApiErrorKind::Unavailable, Some(region)) => format!(
                "{error}; check that region '{region}' is correct and its endpoint reachable from this host"
            ),
            _ => error.to_string(),
        }
    }
}

/// Describes a stream.
fn described(stream: &StreamSummary) -> String {
    let status = match stream.status {
        StreamStatus::Creating => "is being created and cannot be used yet",
        StreamStatus::Active => "is active",
        StreamStatus::Updating => "is being updated and can be used",
        StreamStatus::Deleting => "is being deleted",
    };
    let hours = stream.retention.as_secs() / 3_600;
    format!(
        "{status}; open shards: {}, retention: {hours} h",
        stream.open_shards
    )
}

/// Calls with retries.
async fn with_retries<T, F, Fut>(call: F) -> ApiResult<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = ApiResult<T>>,
{
    let mut backoff = Backoff::new(RETRIES, fastrand::Rng::new());
    loop {
        match call().await {
            Err(error) if error.is_retryable() => match backoff.next_wait() {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            },
            answer => return answer,
        }
    }
}
