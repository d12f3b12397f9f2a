//! Looks up streams and shards, and builds the service's errors if they are not found.

use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use super::errors::error;
use super::faults::{CallFaults, connection_lost};
use super::state::shard::ShardState;
use super::state::stream::{Stream, StreamState};
use super::{InMemoryKinesis, Streams};
use crate::kinesis::{ApiError, ApiResult, Operation, StreamStatus};
use crate::model::{ShardId, StreamIdentity};

impl InMemoryKinesis {
    pub(super) fn streams(&self) -> RwLockReadGuard<'_, Streams> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn streams_mut(&self) -> RwLockWriteGuard<'_, Streams> {
        self.streams.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream in any status, until its deletion is complete.
    pub(super) fn any_stream(
        &self,
        operation: Operation,
        wanted: &StreamIdentity,
    ) -> ApiResult<Arc<Stream>> {
        let now = self.clock.now();
        let located = self.located(wanted);
        let found = located
            .arn()
            .and_then(|arn| self.streams().get(arn).cloned());
        found
            .filter(|stream| !stream.read().is_deleted(now))
            .ok_or_else(|| self.stream_not_found(operation, &located))
    }

    /// A stream that can be read and written. A stream that is being created is reported as not
    /// found, as on AWS.
    pub(super) fn open_stream(
        &self,
        operation: Operation,
        wanted: &StreamIdentity,
    ) -> ApiResult<Arc<Stream>> {
        let stream = self.any_stream(operation, wanted)?;
        let status = stream.read().status(self.clock.now());
        match status {
            StreamStatus::Active | StreamStatus::Updating => Ok(stream),
            StreamStatus::Creating | StreamStatus::Deleting => {
                Err(self.stream_not_found(operation, wanted))
            }
        }
    }

    /// A stream whose shards can be listed.
    pub(super) fn ready_stream(
        &self,
        operation: Operation,
        wanted: &StreamIdentity,
    ) -> ApiResult<Arc<Stream>> {
        let ready = [StreamStatus::Active, StreamStatus::Updating];
        self.stream_in(operation, wanted, &ready)
    }

    /// A stream that can be changed.
    pub(super) fn active_stream(
        &self,
        operation: Operation,
        wanted: &StreamIdentity,
    ) -> ApiResult<Arc<Stream>> {
        self.stream_in(operation, wanted, &[StreamStatus::Active])
    }

    fn stream_in(
        &self,
        operation: Operation,
        wanted: &StreamIdentity,
        allowed: &[StreamStatus],
    ) -> ApiResult<Arc<Stream>> {
        let stream = self.any_stream(operation, wanted)?;
        let status = stream.read().status(self.clock.now());
        if allowed.contains(&status) {
            return Ok(stream);
        }
        let message = format!(
            "Stream {} under account {} is in state {status:?}, not in {allowed:?}.",
            stream.name(),
            stream.account()
        );
        Err(error(operation, "ResourceInUseException", message))
    }

    pub(super) fn shard(
        &self,
        operation: Operation,
        stream: &Stream,
        state: &StreamState,
        id: &ShardId,
    ) -> ApiResult<Arc<ShardState>> {
        let found = state.shard(id, self.clock.now()).cloned();
        found.ok_or_else(|| {
            let message = format!(
                "Shard {id} in stream {} under account {} does not exist",
                stream.name(),
                stream.account()
            );
            error(operation, "ResourceNotFoundException", message)
        })
    }

    pub(super) fn throttled(
        &self,
        operation: Operation,
        stream: &Stream,
        shard: &ShardState,
    ) -> ApiError {
        let code = "ProvisionedThroughputExceededException";
        error(operation, code, self.rate_exceeded(stream, shard))
    }

    pub(super) fn rate_exceeded(&self, stream: &Stream, shard: &ShardState) -> String {
        format!(
            "Rate exceeded for shard {} in stream {} under account {}.",
            shard.id,
            stream.name(),
            stream.account()
        )
    }

    /// Returns the response, unless a fault loses it.
    pub(super) fn answer<T>(
        &self,
        operation: Operation,
        faults: &CallFaults,
        answer: T,
    ) -> ApiResult<T> {
        if faults.answer_lost {
            Err(connection_lost(operation))
        } else {
            Ok(answer)
        }
    }

    fn stream_not_found(&self, operation: Operation, wanted: &StreamIdentity) -> ApiError {
        let located = self.located(wanted);
        let message = self.not_served(&located).unwrap_or_else(|| {
            let account = located.arn_account().unwrap_or_default();
            format!(
                "Stream {} under account {account} not found.",
                located.name()
            )
        });
        error(operation, "ResourceNotFoundException", message)
    }
}
