//! Accounts and regions, each with streams of its own.

use std::sync::Arc;

use super::{InMemoryKinesis, InMemoryOptions};
use crate::model::{StreamIdentity, StreamName};

/// The region of requests that name none.
const DEFAULT_REGION: &str = "us-east-1";

const DEFAULT_ACCOUNT: &str = "000000000000";

/// An account in a region, where streams are made and where they are found by name alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kinesis) struct Home {
    /// What the ARNs of its streams begin with.
    prefix: Arc<str>,
}

impl Home {
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

    /// The stream of this name.
    pub(in crate::kinesis) fn stream(&self, name: &StreamName) -> StreamIdentity {
        // The parts were checked, so that an ARN is what comes out; a name alone would be found too.
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

/// The partition of AWS that a region is in, as far as ARNs tell them apart.
fn partition_of(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

impl InMemoryKinesis {
    /// Where a caller is at home who says so or not; the options come first.
    #[cfg(feature = "simulator")]
    pub(in crate::kinesis) fn home_of(&self, account: Option<&str>, region: Option<&str>) -> Home {
        home_of(&self.options, account, region)
    }

    /// A stream with its ARN.
    pub(super) fn located(&self, stream: &StreamIdentity) -> StreamIdentity {
        match stream.arn() {
            Some(_) => stream.clone(),
            None => self.home.stream(stream.name()),
        }
    }

    /// Why there can be no stream with this ARN, where the options allow only other accounts or regions.
    pub(super) fn out_of_reach(&self, stream: &StreamIdentity) -> Option<String> {
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
            "Stream {arn} not found: only {served} is served here."
        ))
    }
}

/// Where a caller is at home who says so or not; the options come first.
pub(super) fn home_of(
    options: &InMemoryOptions,
    account: Option<&str>,
    region: Option<&str>,
) -> Home {
    let account = options.account.as_deref().or(account);
    let region = options.region.as_deref().or(region);
    Home::new(
        account.unwrap_or(DEFAULT_ACCOUNT),
        region.unwrap_or(DEFAULT_REGION),
    )
}
