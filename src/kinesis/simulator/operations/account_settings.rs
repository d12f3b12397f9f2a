//! DescribeAccountSettings and UpdateAccountSettings.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::kinesis::simulator::InMemoryKinesis;
use crate::kinesis::simulator::account_region::AccountRegion;
use crate::kinesis::simulator::errors::{error, invalid};
use crate::kinesis::{ApiResult, Operation, StreamMode};
use crate::model::{StreamIdentity, UnixMillis};

/// The minimum duration of a commitment (API reference, UpdateAccountSettings).
const COMMITMENT: Duration = Duration::from_secs(24 * 3_600);

/// An account's commitment to a minimum billed throughput. The simulator bills nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::kinesis) struct Commitment {
    pub(in crate::kinesis) started_at: Option<UnixMillis>,
    /// When it ends; set once it is disabled.
    pub(in crate::kinesis) ends_at: Option<UnixMillis>,
}

impl Commitment {
    pub(in crate::kinesis) fn is_on(&self, now: UnixMillis) -> bool {
        self.started_at.is_some() && self.ends_at.is_none_or(|end| now < end)
    }

    /// The earliest time it may end.
    pub(in crate::kinesis) fn earliest_end(&self) -> Option<UnixMillis> {
        self.started_at.map(|start| start.plus(COMMITMENT))
    }
}

/// The commitments of all accounts and regions, by the common prefix of their stream ARNs.
#[derive(Debug, Default)]
pub(in crate::kinesis) struct Commitments(Mutex<BTreeMap<String, Commitment>>);

impl InMemoryKinesis {
    /// DescribeAccountSettings; also returns the current time.
    pub(in crate::kinesis) async fn account_settings(
        &self,
        account_region: &AccountRegion,
    ) -> ApiResult<(Commitment, UnixMillis)> {
        const OPERATION: Operation = Operation::DescribeAccountSettings;
        let faults = self.faults.admit(OPERATION).await?;
        let found = self.commitment(account_region.arn_prefix());
        self.answer(OPERATION, &faults, (found, self.clock.now()))
    }

    /// UpdateAccountSettings.
    pub(in crate::kinesis) async fn set_commitment(
        &self,
        account_region: &AccountRegion,
        enabled: bool,
    ) -> ApiResult<(Commitment, UnixMillis)> {
        const OPERATION: Operation = Operation::UpdateAccountSettings;
        let faults = self.faults.admit(OPERATION).await?;
        let now = self.clock.now();
        let before = self.commitment(account_region.arn_prefix());
        let after = match (enabled, before.is_on(now)) {
            (true, true) => Commitment {
                ends_at: None,
                ..before
            },
            (true, false) => Commitment {
                started_at: Some(now),
                ends_at: None,
            },
            (false, true) => Commitment {
                ends_at: before.earliest_end().map(|end| end.max(now)),
                ..before
            },
            (false, false) => before,
        };
        self.commitments
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(account_region.arn_prefix().to_owned(), after);
        self.answer(OPERATION, &faults, (after, now))
    }

    fn commitment(&self, prefix: &str) -> Commitment {
        let commitments = &self.commitments.0;
        let commitments = commitments.lock().unwrap_or_else(PoisonError::into_inner);
        commitments.get(prefix).copied().unwrap_or_default()
    }

    /// Checks that warm throughput is set only on on-demand streams of accounts with a commitment.
    pub(in crate::kinesis) fn check_warm_throughput(
        &self,
        operation: Operation,
        stream: &StreamIdentity,
        mode: StreamMode,
        mib_per_second: Option<u32>,
    ) -> ApiResult<()> {
        if mib_per_second.is_none() {
            return Ok(());
        }
        if mode == StreamMode::Provisioned {
            let message = format!(
                "WarmThroughputMiBps is for streams in ON_DEMAND mode; stream {stream} is in \
                 PROVISIONED mode."
            );
            return Err(error(operation, "ValidationException", message));
        }
        let located = self.located(stream);
        let arn = located.arn().unwrap_or_default();
        let prefix = arn.strip_suffix(stream.name().as_str()).unwrap_or(arn);
        if !self.commitment(prefix).is_on(self.clock.now()) {
            let message = "WarmThroughputMiBps needs an account whose \
                           MinimumThroughputBillingCommitment is ENABLED.";
            return Err(invalid(operation, message));
        }
        Ok(())
    }
}
