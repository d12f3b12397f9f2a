//! CreateStream, DeleteStream, and changes of retention, record size and record distribution.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use crate::kinesis::limits::{
    DEFAULT_MAX_RECORD_BYTES, FIRST_ON_DEMAND_SHARDS, LARGEST_MAX_RECORD_BYTES, MAX_RETENTION,
    MIN_RETENTION, SHARDS_PER_ACCOUNT,
};
use crate::kinesis::simulator::account_region::AccountRegion;
use crate::kinesis::simulator::errors::{error, invalid};
use crate::kinesis::simulator::state::stream::{NewStream, Stream, StreamState};
use crate::kinesis::simulator::{InMemoryKinesis, Streams};
use crate::kinesis::{ApiResult, Operation, RecordDistribution, StreamMode, StreamStatus};
use crate::model::{StreamIdentity, StreamName, UnixMillis};

impl InMemoryKinesis {
    /// Creates an on-demand stream, which starts with four shards (CreateStream with mode
    /// `ON_DEMAND`). The simulator never reshards it by itself; use
    /// [`split_shard`](Self::split_shard).
    pub async fn create_on_demand_stream(&self, name: &StreamName) -> ApiResult<()> {
        let new = NewStream {
            mode: StreamMode::OnDemand,
            ..NewStream::with_shards(FIRST_ON_DEMAND_SHARDS)
        };
        self.create(&self.account_region, name, &new).await
    }

    pub(in crate::kinesis) async fn create(
        &self,
        account_region: &AccountRegion,
        name: &StreamName,
        new: &NewStream,
    ) -> ApiResult<()> {
        const OPERATION: Operation = Operation::CreateStream;
        let faults = self.faults.admit(OPERATION).await?;
        if new.shard_count == 0 {
            let message = "1 validation error detected: Value '0' at 'shardCount' failed to satisfy \
                           constraint: Member must have value greater than or equal to 1";
            return Err(error(OPERATION, "ValidationException", message));
        }
        check_max_record(OPERATION, new.max_record_bytes)?;
        check_distribution(OPERATION, new.mode, new.distribution)?;
        let now = self.clock.now();
        let identity = account_region.stream(name);
        let arn = identity.arn().ok_or_else(|| {
            let message = format!("cannot build an ARN from {account_region:?}");
            error(OPERATION, "InternalFailure", message)
        })?;
        let arn: Arc<str> = arn.into();
        let mut streams = self.streams_mut();
        if streams
            .get(&arn)
            .is_some_and(|old| !old.read().is_deleted(now))
        {
            let message = format!(
                "Stream {name} under account {} already exists.",
                account_region.account()
            );
            return Err(error(OPERATION, "ResourceInUseException", message));
        }
        check_shard_limit(&streams, account_region, new)?;
        let second = self.creation_seconds.next(now);
        let stream = Stream::new(identity, new, second, now);
        self.enter(&mut stream.write(), StreamStatus::Creating);
        streams.insert(arn, Arc::new(stream));
        drop(streams);
        self.answer(OPERATION, &faults, ())
    }

    /// Deletes a stream and all its records (DeleteStream). Fails if the stream has consumers.
    pub async fn delete_stream(&self, stream: &StreamIdentity) -> ApiResult<()> {
        self.delete(stream, false).await
    }

    /// Deletes a stream with all its records and consumers, whose subscriptions end (DeleteStream with
    /// `EnforceConsumerDeletion`).
    pub async fn delete_stream_and_consumers(&self, stream: &StreamIdentity) -> ApiResult<()> {
        self.delete(stream, true).await
    }

    pub(in crate::kinesis) async fn delete(
        &self,
        stream: &StreamIdentity,
        enforce_consumer_deletion: bool,
    ) -> ApiResult<()> {
        const OPERATION: Operation = Operation::DeleteStream;
        let faults = self.faults.admit(OPERATION).await?;
        let stream = self.any_stream(OPERATION, stream)?;
        {
            let mut consumers = self.consumers(&stream);
            if consumers.len() > 0 && !enforce_consumer_deletion {
                let message = format!(
                    "Stream {} under account {} has consumers. Deregister them first, or set \
                     EnforceConsumerDeletion.",
                    stream.name(),
                    stream.account()
                );
                return Err(error(OPERATION, "ResourceInUseException", message));
            }
            consumers.delete_all();
            self.enter(&mut stream.write(), StreamStatus::Deleting);
        }
        self.drop_deleted_streams();
        self.answer(OPERATION, &faults, ())
    }

    /// The names of all streams in the default account and region, in order (ListStreams, all
    /// pages).
    pub async fn list_streams(&self) -> ApiResult<Vec<StreamName>> {
        const OPERATION: Operation = Operation::ListStreams;
        let faults = self.faults.admit(OPERATION).await?;
        self.drop_deleted_streams();
        let names = {
            let streams = self.streams();
            let streams = streams_of(&streams, &self.account_region);
            streams.map(|stream| stream.name().clone()).collect()
        };
        self.answer(OPERATION, &faults, names)
    }

    /// Increases the retention period, up to 365 days. Records that have expired are not restored
    /// (IncreaseStreamRetentionPeriod).
    pub async fn increase_retention(
        &self,
        stream: &StreamIdentity,
        retention: Duration,
    ) -> ApiResult<()> {
        const OPERATION: Operation = Operation::IncreaseStreamRetentionPeriod;
        self.change(OPERATION, stream, |_, state, now| {
            check_retention(OPERATION, retention, state.retention..=MAX_RETENTION)?;
            for shard in &state.shards {
                shard.write().expire(now, state.retention);
            }
            state.retention = retention;
            Ok(())
        })
        .await
    }

    /// Decreases the retention period, down to 24 hours (DecreaseStreamRetentionPeriod).
    pub async fn decrease_retention(
        &self,
        stream: &StreamIdentity,
        retention: Duration,
    ) -> ApiResult<()> {
        const OPERATION: Operation = Operation::DecreaseStreamRetentionPeriod;
        self.change(OPERATION, stream, |_, state, _| {
            check_retention(OPERATION, retention, MIN_RETENTION..=state.retention)?;
            state.retention = retention;
            Ok(())
        })
        .await
    }

    /// Sets the largest record to `bytes`, data and partition key together, from 1 MiB to 10 MiB
    /// (UpdateMaxRecordSize).
    pub async fn update_max_record_size(
        &self,
        stream: &StreamIdentity,
        bytes: usize,
    ) -> ApiResult<()> {
        const OPERATION: Operation = Operation::UpdateMaxRecordSize;
        self.change(OPERATION, stream, |_, state, _| {
            check_max_record(OPERATION, bytes)?;
            state.max_record_bytes = bytes;
            Ok(())
        })
        .await
    }

    /// Sets how the shard of a record is chosen; `Service` (`AUTO`) is for on-demand streams only
    /// (UpdateStreamRecordDistributionStrategy).
    pub async fn set_record_distribution(
        &self,
        stream: &StreamIdentity,
        distribution: RecordDistribution,
    ) -> ApiResult<()> {
        const OPERATION: Operation = Operation::UpdateStreamRecordDistributionStrategy;
        self.change(OPERATION, stream, |_, state, _| {
            check_distribution(OPERATION, state.mode, distribution)?;
            state.distribution = distribution;
            Ok(())
        })
        .await
    }

    /// Applies a change to an active stream, which is `Updating` for a while afterwards.
    pub(in crate::kinesis) async fn change(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
        apply: impl FnOnce(&Stream, &mut StreamState, UnixMillis) -> ApiResult<()> + Send,
    ) -> ApiResult<()> {
        let faults = self.faults.admit(operation).await?;
        let stream = self.active_stream(operation, stream)?;
        {
            let mut state = stream.write();
            apply(&stream, &mut state, self.clock.now())?;
            self.enter(&mut state, StreamStatus::Updating);
        }
        self.answer(operation, &faults, ())
    }

    fn enter(&self, state: &mut StreamState, status: StreamStatus) {
        state.enter(status, self.clock.now().plus(self.options.status_delay));
    }

    pub(in crate::kinesis) fn drop_deleted_streams(&self) {
        let now = self.clock.now();
        self.streams_mut()
            .retain(|_, stream| !stream.read().is_deleted(now));
    }
}

/// The streams of an account and region, by name.
pub(in crate::kinesis) fn streams_of<'a>(
    streams: &'a Streams,
    account_region: &'a AccountRegion,
) -> impl Iterator<Item = &'a Arc<Stream>> {
    let prefix = account_region.arn_prefix();
    let from = streams.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
    from.take_while(move |(arn, _)| arn.starts_with(prefix))
        .map(|(_, stream)| stream)
}

/// Checks the limit of provisioned shards per account and region.
fn check_shard_limit(
    streams: &Streams,
    account_region: &AccountRegion,
    new: &NewStream,
) -> ApiResult<()> {
    let open = open_shards(streams_of(streams, account_region));
    let more = match new.mode {
        StreamMode::Provisioned => new.shard_count as usize,
        StreamMode::OnDemand => 0,
    };
    if open + more <= SHARDS_PER_ACCOUNT {
        return Ok(());
    }
    let message = format!(
        "This request would exceed the shard limit for the account {} in {}. Current shard count \
         for the account: {open}. Limit: {SHARDS_PER_ACCOUNT}. Number of additional shards that \
         would have resulted from this request: {more}.",
        account_region.account(),
        account_region.region()
    );
    Err(error(
        Operation::CreateStream,
        "LimitExceededException",
        message,
    ))
}

/// The number of open shards of provisioned streams.
pub(in crate::kinesis) fn open_shards<'a>(streams: impl Iterator<Item = &'a Arc<Stream>>) -> usize {
    let open = streams.map(|stream| {
        let state = stream.read();
        match state.mode {
            StreamMode::Provisioned => state.open.len(),
            StreamMode::OnDemand => 0,
        }
    });
    open.sum()
}

fn check_retention(
    operation: Operation,
    wanted: Duration,
    allowed: std::ops::RangeInclusive<Duration>,
) -> ApiResult<()> {
    const HOUR_SECONDS: u64 = 3_600;
    if allowed.contains(&wanted) && wanted.as_secs().is_multiple_of(HOUR_SECONDS) {
        return Ok(());
    }
    let hours = |span: &Duration| span.as_secs() / HOUR_SECONDS;
    let message = format!(
        "Requested retention period ({} hours): expected whole hours from {} to {}.",
        hours(&wanted),
        hours(allowed.start()),
        hours(allowed.end())
    );
    Err(invalid(operation, message))
}

fn check_max_record(operation: Operation, bytes: usize) -> ApiResult<()> {
    if (DEFAULT_MAX_RECORD_BYTES..=LARGEST_MAX_RECORD_BYTES).contains(&bytes) {
        return Ok(());
    }
    let message = format!("MaxRecordSizeInKiB of {bytes} bytes: expected 1024 to 10240 KiB.");
    Err(invalid(operation, message))
}

fn check_distribution(
    operation: Operation,
    mode: StreamMode,
    distribution: RecordDistribution,
) -> ApiResult<()> {
    if mode == StreamMode::Provisioned && distribution == RecordDistribution::Service {
        let message = "The AUTO strategy needs a stream in ON_DEMAND mode.";
        return Err(invalid(operation, message));
    }
    Ok(())
}
