//! What set-up tools set on a stream: encryption, mode, monitoring, warm throughput and a policy.

use super::tags::check_tags;
use crate::kinesis::simulator::InMemoryKinesis;
use crate::kinesis::simulator::account_region::Home;
use crate::kinesis::simulator::errors::{error, invalid};
use crate::kinesis::simulator::state::settings::{ShardMetric, Tags};
use crate::kinesis::simulator::state::stream::{NewStream, Stream, StreamMode, StreamState};
use crate::kinesis::{ApiError, ApiResult, Operation, RecordDistribution};
use crate::model::{StreamIdentity, StreamName};

/// The settings that descriptions of a stream show.
#[derive(Debug)]
pub(in crate::kinesis) struct DescribedSettings {
    pub(in crate::kinesis) kms_key: Option<String>,
    pub(in crate::kinesis) metrics: Vec<ShardMetric>,
    pub(in crate::kinesis) warm_mib_per_second: Option<u32>,
}

/// The metrics of a stream before and after a change.
#[derive(Debug)]
pub(in crate::kinesis) struct MetricsChange {
    pub(in crate::kinesis) stream: StreamIdentity,
    pub(in crate::kinesis) before: Vec<ShardMetric>,
    pub(in crate::kinesis) after: Vec<ShardMetric>,
}

impl InMemoryKinesis {
    /// CreateStream with all that can be set on a stream from its start.
    pub(in crate::kinesis) async fn create_with(
        &self,
        home: &Home,
        name: &StreamName,
        new: &NewStream,
        tags: Tags,
        warm_mib_per_second: Option<u32>,
    ) -> ApiResult<()> {
        const OPERATION: Operation = Operation::CreateStream;
        let stream = home.stream(name);
        check_tags(OPERATION, &stream, &tags)?;
        self.check_warm_throughput(OPERATION, &stream, new.mode, warm_mib_per_second)?;
        self.create(home, name, new).await?;
        let stream = self.any_stream(OPERATION, &stream)?;
        let mut state = stream.write();
        state.settings.tags = tags;
        state.settings.warm_mib_per_second = warm_mib_per_second;
        Ok(())
    }

    /// StartStreamEncryption. The key is not looked for, and records are kept as they are.
    pub(in crate::kinesis) async fn start_encryption(
        &self,
        stream: &StreamIdentity,
        key: String,
    ) -> ApiResult<()> {
        self.change(Operation::StartStreamEncryption, stream, |_, state, now| {
            state.settings.kms_key = Some(key);
            state.encryption.set(true, now);
            Ok(())
        })
        .await
    }

    /// StopStreamEncryption.
    pub(in crate::kinesis) async fn stop_encryption(
        &self,
        stream: &StreamIdentity,
    ) -> ApiResult<()> {
        self.change(Operation::StopStreamEncryption, stream, |_, state, now| {
            state.settings.kms_key = None;
            state.encryption.set(false, now);
            Ok(())
        })
        .await
    }

    /// Whether records that are written now are encrypted.
    pub(in crate::kinesis) fn is_encrypted(&self, stream: &StreamIdentity) -> bool {
        let stream = self.any_stream(Operation::PutRecords, stream);
        stream.is_ok_and(|stream| stream.read().settings.kms_key.is_some())
    }

    /// UpdateStreamMode. The stream keeps its shards; the two changes a day of AWS are not counted.
    pub(in crate::kinesis) async fn set_mode(
        &self,
        stream: &StreamIdentity,
        mode: StreamMode,
        warm_mib_per_second: Option<u32>,
    ) -> ApiResult<()> {
        const OPERATION: Operation = Operation::UpdateStreamMode;
        self.any_stream(OPERATION, stream)?;
        self.check_warm_throughput(OPERATION, stream, mode, warm_mib_per_second)?;
        self.change(OPERATION, stream, |stream, state, _| {
            let spreads = state.distribution == RecordDistribution::Service;
            if mode == StreamMode::Provisioned && spreads {
                let message = format!(
                    "Stream {} has the AUTO strategy, which needs ON_DEMAND mode.",
                    stream.name()
                );
                return Err(invalid(OPERATION, message));
            }
            state.mode = mode;
            state.settings.warm_mib_per_second = warm_mib_per_second;
            Ok(())
        })
        .await
    }

    /// UpdateStreamWarmThroughput. It is only remembered: the shards stay as they are.
    pub(in crate::kinesis) async fn set_warm_throughput(
        &self,
        stream: &StreamIdentity,
        mib_per_second: u32,
    ) -> ApiResult<StreamIdentity> {
        const OPERATION: Operation = Operation::UpdateStreamWarmThroughput;
        let found = self.any_stream(OPERATION, stream)?;
        let mode = found.read().mode;
        self.check_warm_throughput(OPERATION, stream, mode, Some(mib_per_second))?;
        self.change(OPERATION, stream, |_, state, _| {
            state.settings.warm_mib_per_second = Some(mib_per_second);
            Ok(())
        })
        .await?;
        Ok(found.identity.clone())
    }

    /// EnableEnhancedMonitoring and DisableEnhancedMonitoring.
    pub(in crate::kinesis) async fn set_metrics(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
        metrics: &[ShardMetric],
    ) -> ApiResult<MetricsChange> {
        self.adjust(operation, stream, |stream, state| {
            let current = &mut state.settings.metrics;
            let before = current.iter().copied().collect();
            if operation == Operation::EnableEnhancedMonitoring {
                current.extend(metrics);
            } else {
                current.retain(|metric| !metrics.contains(metric));
            }
            Ok(MetricsChange {
                stream: stream.identity.clone(),
                before,
                after: current.iter().copied().collect(),
            })
        })
        .await
    }

    /// PutResourcePolicy. The policy allows and denies nothing here.
    pub(in crate::kinesis) async fn put_policy(
        &self,
        stream: &StreamIdentity,
        policy: String,
    ) -> ApiResult<()> {
        self.adjust(Operation::PutResourcePolicy, stream, |_, state| {
            state.settings.policy = Some(policy);
            Ok(())
        })
        .await
    }

    /// GetResourcePolicy.
    pub(in crate::kinesis) async fn policy(&self, stream: &StreamIdentity) -> ApiResult<String> {
        const OPERATION: Operation = Operation::GetResourcePolicy;
        self.inspect(OPERATION, stream, |stream, state| {
            let policy = state.settings.policy.clone();
            policy.ok_or_else(|| no_policy(OPERATION, stream))
        })
        .await
    }

    /// DeleteResourcePolicy.
    pub(in crate::kinesis) async fn delete_policy(&self, stream: &StreamIdentity) -> ApiResult<()> {
        const OPERATION: Operation = Operation::DeleteResourcePolicy;
        self.adjust(OPERATION, stream, |stream, state| {
            let policy = state.settings.policy.take();
            policy.map(drop).ok_or_else(|| no_policy(OPERATION, stream))
        })
        .await
    }

    /// What descriptions of a stream say of its settings.
    pub(in crate::kinesis) fn described_settings(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
    ) -> ApiResult<DescribedSettings> {
        let stream = self.any_stream(operation, stream)?;
        let state = stream.read();
        let settings = &state.settings;
        Ok(DescribedSettings {
            kms_key: settings.kms_key.clone(),
            metrics: settings.metrics.iter().copied().collect(),
            warm_mib_per_second: settings.warm_mib_per_second,
        })
    }

    /// Changes what neither readers nor writers see; the status of the stream stays as it is.
    pub(in crate::kinesis) async fn adjust<T>(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
        apply: impl FnOnce(&Stream, &mut StreamState) -> ApiResult<T> + Send,
    ) -> ApiResult<T> {
        let verdict = self.faults.admit(operation).await?;
        let stream = self.ready_stream(operation, stream)?;
        let done = apply(&stream, &mut stream.write())?;
        self.answer(operation, &verdict, done)
    }

    /// Reads what [`adjust`](Self::adjust) changes, in any state of the stream.
    pub(in crate::kinesis) async fn inspect<T>(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
        look: impl FnOnce(&Stream, &StreamState) -> ApiResult<T> + Send,
    ) -> ApiResult<T> {
        let verdict = self.faults.admit(operation).await?;
        let stream = self.any_stream(operation, stream)?;
        let seen = look(&stream, &stream.read())?;
        self.answer(operation, &verdict, seen)
    }
}

fn no_policy(operation: Operation, stream: &Stream) -> ApiError {
    let arn = stream.identity.arn().unwrap_or_default();
    let message = format!("{arn} has no resource policy.");
    error(operation, "ResourceNotFoundException", message)
}
