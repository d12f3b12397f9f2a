//! Making, changing and deleting streams.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use crate::kinesis::limits::{
    DEFAULT_MAX_RECORD_BYTES, FIRST_ON_DEMAND_SHARDS, LARGEST_MAX_RECORD_BYTES, MAX_RETENTION,
    MIN_RETENTION, SHARDS_PER_ACCOUNT,
};
use crate::kinesis::simulator::account_region::Home;
use crate::kinesis::simulator::errors::{error, invalid};
use crate::kinesis::simulator::state::stream::{NewStream, Stream, StreamMode, StreamState};
use crate::kinesis::simulator::{InMemoryKinesis, Streams};
use crate::kinesis::{ApiResult, Operation, RecordDistribution, StreamStatus};
use crate::model::{StreamIdentity, StreamName, UnixMillis};

impl InMemoryKinesis {
    /// Creates a stream whose shards the service manages; it begins with four (CreateStream with
    /// mode `ON_DEMAND`). The simulator never reshards it by itself: use
    /// [`split_shard`](Self::split_shard).
    pub async fn create_on_demand_stream(&self, name: &StreamName) -> ApiResult<()> {
        let new = NewStream {
            mode: StreamMode::OnDemand,
            ..NewStream::with_shards(FIRST_ON_DEMAND_SHARDS)
        };
        self.create(&self.home, name, &new).await
    }

    pub(in crate::kinesis) async fn create(
        &self,
        home: &Home,
        name: &StreamName,
        new: &NewStream,
    ) -> ApiResult<()> {
        const OPERATION: Operation = Operation::CreateStream;
        let verdict = self.faults.admit(OPERATION).await?;
        if new.shard_count == 0 {
            let message = "1 validation error detected: Value '0' at 'shardCount' failed to satisfy \
                           constraint: Member must have value greater than or equal to 1";
            return Err(error(OPERATION, "ValidationException", message));
        }
        check_max_record(OPERATION, new.max_record_bytes)?;
        check_distribution(OPERATION, new.mode, new.distribution)?;
        let now = self.clock.now();
        let identity = home.stream(name);
        let arn = identity.arn().ok_or_else(|| {
            let message = format!("account and region of the simulator make no ARN: {home:?}");
            error(OPERATION, "InternalFailure", message)
        })?;
        let arn: Arc<str> = arn.into();
        let mut streams = self.streams_mut();
        if streams
            .get(&arn)
            .is_some_and(|old| !old.read().is_gone(now))
        {
            let message = format!(
                "Stream {name} under account {} already exists.",
                home.account()
            );
            return Err(error(OPERATION, "ResourceInUseException", message));
        }
        check_shard_limit(&streams, home, new)?;
        let second = self.creation_seconds.next(now);
        let stream = Stream::new(identity, new, second, now);
        self.enter(&mut stream.write(), StreamStatus::Creating);
        streams.insert(arn, Arc::new(stream));
        drop(streams);
        self.answer(OPERATION, &verdict, ())
    }

    /// Deletes a stream with all its records (DeleteStream).
    pub async fn delete_stream(&self, stream: &StreamIdentity) -> ApiResult<()> {
        const OPERATION: Operation = Operation::DeleteStream;
        let verdict = self.faults.admit(OPERATION).await?;
        let stream = self.any_stream(OPERATION, stream)?;
        self.enter(&mut stream.write(), StreamStatus::Deleting);
        self.drop_streams_that_are_gone();
        self.answer(OPERATION, &verdict, ())
    }

    /// The names of all streams of the account and region that tables name no other than, in order
    /// (ListStreams, all pages of it).
    pub async fn list_streams(&self) -> ApiResult<Vec<StreamName>> {
        const OPERATION: Operation = Operation::ListStreams;
        let verdict = self.faults.admit(OPERATION).await?;
        self.drop_streams_that_are_gone();
        let names = {
            let streams = self.streams();
            let streams = streams_of(&streams, &self.home);
            streams.map(|stream| stream.name().clone()).collect()
        };
        self.answer(OPERATION, &verdict, names)
    }

    /// Keeps records longer, up to 365 days; what was gone stays gone
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

    /// Keeps records for less time, at least for 24 hours (DecreaseStreamRetentionPeriod).
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

    /// Takes records of up to `bytes`, data and partition key together, from 1 MiB to 10 MiB
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

    /// Decides who picks the shard of a record; `Service` (`AUTO`) is for on-demand streams only
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

    /// Runs one change of an active stream, which is then `Updating` for a while.
    pub(in crate::kinesis) async fn change(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
        apply: impl FnOnce(&Stream, &mut StreamState, UnixMillis) -> ApiResult<()> + Send,
    ) -> ApiResult<()> {
        let verdict = self.faults.admit(operation).await?;
        let stream = self.active_stream(operation, stream)?;
        {
            let mut state = stream.write();
            apply(&stream, &mut state, self.clock.now())?;
            self.enter(&mut state, StreamStatus::Updating);
        }
        self.answer(operation, &verdict, ())
    }

    fn enter(&self, state: &mut StreamState, status: StreamStatus) {
        state.enter(status, self.clock.now().plus(self.options.status_delay));
    }

    pub(in crate::kinesis) fn drop_streams_that_are_gone(&self) {
        let now = self.clock.now();
        self.streams_mut()
            .retain(|_, stream| !stream.read().is_gone(now));
    }
}

/// The streams of an account in a region, by name.
pub(in crate::kinesis) fn streams_of<'a>(
    streams: &'a Streams,
    home: &'a Home,
) -> impl Iterator<Item = &'a Arc<Stream>> {
    let prefix = home.arn_prefix();
    let from = streams.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
    from.take_while(move |(arn, _)| arn.starts_with(prefix))
        .map(|(_, stream)| stream)
}

/// An account has so many shards of provisioned streams in a region.
fn check_shard_limit(streams: &Streams, home: &Home, new: &NewStream) -> ApiResult<()> {
    let open = open_shards(streams_of(streams, home));
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
        home.account(),
        home.region()
    );
    Err(error(
        Operation::CreateStream,
        "LimitExceededException",
        message,
    ))
}

/// The open shards of provisioned streams.
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
