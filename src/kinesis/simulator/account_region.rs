//! Accounts and regions: each pair has its own streams.

use std::sync::Arc;

use super::{InMemoryKinesis, InMemoryOptions};
use crate::model::{StreamIdentity, StreamName};

/// The region of requests that name none.
const DEFAULT_REGION: &str = "us-east-1";

const DEFAULT_ACCOUNT: &str = "000000000000";

/// An account and region, in which streams are created and looked up by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kinesis) struct AccountRegion {
    /// The common prefix of its stream ARNs.
    prefix: Arc<str>,
}

impl AccountRegion {
    fn new(account: &str, region: &str) -> Self {
        let partition = partition_of(region);
        let prefix = format!("arn:{partition}:kinesis:{region}:{account}:stream/");
        Self {
            prefix: prefix.into(),
        }
    }

    pub(super) fn arn_prefix(&self) -> &str {
        &self.prefix
    }

    /// The stream with this name in this account and region.
    pub(in crate::kinesis) fn stream(&self, name: &StreamName) -> StreamIdentity {
        // Account and region were validated, so this parses as an ARN. If it did not, the bare name
        // would also work.
        StreamIdentity::parse(&format!("{}{name}", self.prefix))
            .unwrap_or_else(|_| StreamIdentity::named(name.clone()))
    }

    pub(super) fn region(&self) -> &str {
        self.prefix.split(':').nth(3).unwrap_or_default()
    }

    pub(super) fn account(&self) -> &str {
        self.prefix.split(':').nth(4).unwrap_or_default()
    }
}

/// The AWS partition that the ARNs of a region name.
fn partition_of(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

impl InMemoryKinesis {
    /// The account and region of a caller; the options take precedence, then the given values.
    #[cfg(feature = "simulator")]
    pub(in crate::kinesis) fn account_region_of(
        &self,
        account: Option<&str>,
        region: Option<&str>,
    ) -> AccountRegion {
        account_region_of(&self.options, account, region)
    }

    /// Adds the ARN to a stream that has none.
    pub(super) fn located(&self, stream: &StreamIdentity) -> StreamIdentity {
        match stream.arn() {
            Some(_) => stream.clone(),
            None => self.account_region.stream(stream.name()),
        }
    }

    /// The error message if the options exclude the account or region of this ARN.
    pub(super) fn not_served(&self, stream: &StreamIdentity) -> Option<String> {
        let differs = |only: &Option<String>, found: Option<&str>| {
            let found = found.unwrap_or_default();
            only.as_deref()
                .filter(|only| *only != found)
                .map(str::to_owned)
        };
        let account = differs(&self.options.account, stream.arn_account());
        let region = differs(&self.options.region, stream.arn_region());
        let served = match (account, region) {
            (None, None) => return None,
            (Some(account), None) => format!("account {account}"),
            (None, Some(region)) => format!("region {region}"),
            (Some(account), Some(region)) => format!("account {account} in region {region}"),
        };
        let arn = stream.arn().unwrap_or_default();
        Some(format!(
            "Stream {arn} not found: this simulator serves only {served}."
        ))
    }
}

/// The account and region of a caller; the options take precedence, then the given values.
pub(super) fn account_region_of(
    options: &InMemoryOptions,
    account: Option<&str>,
    region: Option<&str>,
) -> AccountRegion {
    let account = options.account.as_deref().or(account);
    let region = options.region.as_deref().or(region);
    AccountRegion::new(
        account.unwrap_or(DEFAULT_ACCOUNT),
        region.unwrap_or(DEFAULT_REGION),
    )
}
