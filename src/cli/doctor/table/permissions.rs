//! Checks whether the calls that statements need are allowed.

use std::ffi::OsStr;

use super::Table;
use crate::cli::requests::with_retries;
use crate::kinesis::{
    ApiErrorKind, ApiResult, DryRun, DryRunAnswer, IteratorPosition, Kinesis, ListShardsFrom,
    ShardFilter,
};
use crate::model::{ShardId, StreamIdentity, is_aws_host};

impl Table {
    /// Checks the permission for each call that the statements need.
    pub(in crate::cli::doctor) async fn permissions(&mut self) {
        let Some(kinesis) = self.kinesis.clone() else {
            return;
        };
        let Some(shard) = self.list(&*kinesis).await else {
            return;
        };
        // A table that no statement uses is checked for all that it can do.
        let unused = !self.uses.reads && !self.uses.writes;
        if self.uses.reads || unused {
            self.reading(&*kinesis, &shard).await;
            self.subscribing(&*kinesis, unused).await;
            self.writing_dead_letters(&*kinesis).await;
        }
        let format = self.options.format.as_ref();
        let is_read_only = format.is_some_and(|format| format.read_only_by().is_some());
        if self.uses.writes || (unused && !is_read_only) {
            self.writing(&*kinesis, &shard).await;
        }
        if let (true, Some(why)) = (unused, &self.unreadable) {
            let detail = format!("writing works, reading fails: {why}");
            self.section.unknown("format", detail);
        }
    }

    /// Lists the shards, and returns an open one, which the other checks need.
    async fn list(&mut self, kinesis: &dyn Kinesis) -> Option<ShardId> {
        const CHECK: &str = "ListShards";
        match Self::open_shard(kinesis, &self.options.stream).await {
            Ok(Some(shard)) => {
                self.section.passed(CHECK, "");
                return Some(shard);
            }
            Ok(None) => self.section.failed(CHECK, "the stream has no open shard"),
            Err(error) => self.section.failed(CHECK, self.explain(&error)),
        }
        None
    }

    /// The first open shard of `stream`.
    pub(super) async fn open_shard(
        kinesis: &dyn Kinesis,
        stream: &StreamIdentity,
    ) -> ApiResult<Option<ShardId>> {
        let filter = ShardFilter::AtLatest;
        let from = ListShardsFrom::Start { stream, filter };
        let page = with_retries(|| kinesis.list_shards(from)).await?;
        Ok(page.shards.into_iter().next().map(|shard| shard.id))
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
        let answer = self.may_put(kinesis, &self.options.stream, shard).await;
        self.report_dry_run("PutRecords", answer);
    }

    /// Whether the caller may write to `stream`, which has the shard `shard`.
    pub(super) async fn may_put(
        &self,
        kinesis: &dyn Kinesis,
        stream: &StreamIdentity,
        shard: &ShardId,
    ) -> ApiResult<DryRunAnswer> {
        // A service that does not support dry runs would write the record, so another call tests
        // for support first.
        let call = DryRun::GetShardIterator(shard);
        let known = match with_retries(|| kinesis.dry_run(stream, call)).await {
            Ok(answer) => answer == DryRunAnswer::Allowed,
            Err(error) => error.kind() == ApiErrorKind::AccessDenied && self.is_aws(),
        };
        match known {
            true => with_retries(|| kinesis.dry_run(stream, DryRun::PutRecords)).await,
            false => Ok(DryRunAnswer::Unknown),
        }
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
}
