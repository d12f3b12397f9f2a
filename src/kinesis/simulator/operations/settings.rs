//! Stream settings: encryption, mode, monitoring, warm throughput, and resource policy.

use super::tags::check_tags;
use crate::kinesis::simulator::InMemoryKinesis;
use crate::kinesis::simulator::account_region::AccountRegion;
use crate::kinesis::simulator::errors::{error, invalid};
use crate::kinesis::simulator::state::settings::{ShardMetric, Tags};
use crate::kinesis::simulator::state::stream::{NewStream, Stream, StreamState};
use crate::kinesis::{ApiError, ApiResult, Operation, RecordDistribution, StreamMode};
use crate::model::{StreamIdentity, StreamName};

/// The settings that stream descriptions show.
#[derive(Debug)]
pub(in crate::kinesis) struct DescribedSettings {
    pub(in crate::kinesis) kms_key: Option<String>,
    pub(in crate::kinesis) metrics: Vec<ShardMetric>,
    pub(in crate::kinesis) warm_mib_per_second: Option<u32>,
    pub(in crate::kinesis) consumers: usize,
}

/// The metrics of a stream before and after a change.
#[derive(Debug)]
pub(in crate::kinesis) struct MetricsChange {
    pub(in crate::kinesis) stream: StreamIdentity,
    pub(in crate::kinesis) before: Vec<ShardMetric>,
    pub(in crate::kinesis) after: Vec<ShardMetric>,
}

impl InMemoryKinesis {
    /// CreateStream with tags and warm throughput.
    pub(in crate::kinesis) async fn create_with(
        &self,
        account_region: &AccountRegion,
        name: &StreamName,
        new: &NewStream,
        tags: Tags,
        warm_mib_per_second: Option<u32>,
    ) -> ApiResult<()> {
        const OPERATION: Operation = Operation::CreateStream;
        let stream = account_region.stream(name);
        check_tags(OPERATION, &stream, &tags)?;
        self.check_warm_throughput(OPERATION, &stream, new.mode, warm_mib_per_second)?;
        self.create(account_region, name, new).await?;
        let stream = self.any_stream(OPERATION, &stream)?;
        let mut state = stream.write();
        state.settings.tags = tags;
        state.settings.warm_mib_per_second = warm_mib_per_second;
        Ok(())
    }

    /// StartStreamEncryption. The key is not checked, and records are stored unencrypted.
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

    /// Whether records written now are encrypted.
    pub(in crate::kinesis) fn is_encrypted(&self, stream: &StreamIdentity) -> bool {
        let stream = self.any_stream(Operation::PutRecords, stream);
        stream.is_ok_and(|stream| stream.read().settings.kms_key.is_some())
    }

    /// UpdateStreamMode. The shards do not change. AWS's limit of two changes per day is not
    /// simulated.
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

    /// UpdateStreamWarmThroughput. The value is only stored; the shards do not change.
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
        self.update_settings(operation, stream, |stream, state| {
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

    /// PutResourcePolicy. The policy has no effect.
    pub(in crate::kinesis) async fn put_policy(
        &self,
        stream: &StreamIdentity,
        policy: String,
    ) -> ApiResult<()> {
        self.update_settings(Operation::PutResourcePolicy, stream, |_, state| {
            state.settings.policy = Some(policy);
            Ok(())
        })
        .await
    }

    /// GetResourcePolicy.
    pub(in crate::kinesis) async fn policy(&self, stream: &StreamIdentity) -> ApiResult<String> {
        const OPERATION: Operation = Operation::GetResourcePolicy;
        self.read_settings(OPERATION, stream, |stream, state| {
            let policy = state.settings.policy.clone();
            policy.ok_or_else(|| no_policy(OPERATION, stream))
        })
        .await
    }

    /// DeleteResourcePolicy.
    pub(in crate::kinesis) async fn delete_policy(&self, stream: &StreamIdentity) -> ApiResult<()> {
        const OPERATION: Operation = Operation::DeleteResourcePolicy;
        self.update_settings(OPERATION, stream, |stream, state| {
            let policy = state.settings.policy.take();
            policy.map(drop).ok_or_else(|| no_policy(OPERATION, stream))
        })
        .await
    }

    /// The settings that stream descriptions show.
    pub(in crate::kinesis) fn described_settings(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
    ) -> ApiResult<DescribedSettings> {
        let stream = self.any_stream(operation, stream)?;
        let consumers = self.consumers(&stream).len();
        let state = stream.read();
        let settings = &state.settings;
        Ok(DescribedSettings {
            kms_key: settings.kms_key.clone(),
            metrics: settings.metrics.iter().copied().collect(),
            warm_mib_per_second: settings.warm_mib_per_second,
            consumers,
        })
    }

    /// Changes settings that readers and writers do not see; the status of the stream does not
    /// change.
    pub(in crate::kinesis) async fn update_settings<T>(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
        apply: impl FnOnce(&Stream, &mut StreamState) -> ApiResult<T> + Send,
    ) -> ApiResult<T> {
        let faults = self.faults.admit(operation).await?;
        let stream = self.ready_stream(operation, stream)?;
        let done = apply(&stream, &mut stream.write())?;
        self.answer(operation, &faults, done)
    }

    /// Reads these settings in any status of the stream.
    pub(in crate::kinesis) async fn read_settings<T>(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
        look: impl FnOnce(&Stream, &StreamState) -> ApiResult<T> + Send,
    ) -> ApiResult<T> {
        let faults = self.faults.admit(operation).await?;
        let stream = self.any_stream(operation, stream)?;
        let seen = look(&stream, &stream.read())?;
        self.answer(operation, &faults, seen)
    }
}

fn no_policy(operation: Operation, stream: &Stream) -> ApiError {
    let arn = stream.identity.arn().unwrap_or_default();
    let message = format!("{arn} has no resource policy.");
    error(operation, "ResourceNotFoundException", message)
}
