//! Options of enhanced fan-out and their checks.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::{ConsumerArn, ConsumerLifecycle, ConsumerName, StreamIdentity};
use crate::options::{ConsumerType, FanOutOptions};

const TYPE: &str = "kinesis.consumerType";
const NAME: &str = "kinesis.consumerName";
const ARN: &str = "kinesis.consumerArn";
const LIFECYCLE: &str = "kinesis.consumerLifecycle";
const MAX_LAG: &str = "kinesis.auto.maxLag";

/// The options that need `kinesis.consumerType` = `SubscribeToShard` or `auto`.
const DEPENDENT: [&str; 5] = [
    NAME,
    ARN,
    LIFECYCLE,
    "kinesis.subscribeToShard.timeoutSec",
    "kinesis.subscribeToShard.maxRetries",
];

/// The options of enhanced fan-out.
#[derive(Debug, Clone, Default)]
pub(in crate::options) struct FanOutDraft {
    pub(in crate::options) consumer_type: ConsumerType,
    pub(in crate::options) name: Option<ConsumerName>,
    pub(in crate::options) arn: Option<ConsumerArn>,
    pub(in crate::options) lifecycle: ConsumerLifecycle,
    pub(in crate::options) timeout: Duration,
    pub(in crate::options) max_retries: u32,
    pub(in crate::options) auto_max_lag: Duration,
}

impl FanOutDraft {
    /// Checks the options together. `given` lists the names of the options that were set.
    pub(super) fn finish(
        &self,
        given: &[&'static str],
        stream: &StreamIdentity,
    ) -> Result<Option<FanOutOptions>> {
        let is_auto = self.consumer_type == ConsumerType::Auto;
        if !is_auto && given.contains(&MAX_LAG) {
            return Err(Error::invalid_option(format!(
                "option '{MAX_LAG}': expected only together with '{TYPE}' = 'auto'"
            )));
        }
        let chosen = match self.consumer_type {
            ConsumerType::GetRecords => {
                return match given.iter().find(|name| DEPENDENT.contains(name)) {
                    None => Ok(None),
                    Some(name) => Err(Error::invalid_option(format!(
                        "option '{name}': expected only together with '{TYPE}' = 'SubscribeToShard' or 'auto'"
                    ))),
                };
            }
            chosen => chosen.name(),
        };
        let (consumer, lifecycle) = match (&self.arn, &self.name) {
            (None, None) => {
                return Err(Error::invalid_option(format!(
                    "option '{TYPE}' = '{chosen}': expected '{NAME}', the name of a consumer of its own for \
                     each query, or '{ARN}'"
                )));
            }
            (None, Some(name)) => (name.clone(), self.lifecycle),
            (Some(arn), name) => {
                self.check_arn(arn, name.as_ref(), given, stream)?;
                (arn.name(), ConsumerLifecycle::External)
            }
        };
        Ok(Some(FanOutOptions {
            consumer,
            arn: self.arn.clone(),
            lifecycle,
            timeout: self.timeout,
            max_retries: self.max_retries,
            auto_max_lag: is_auto.then_some(self.auto_max_lag),
        }))
    }

    /// Checks what must agree with the ARN of an existing consumer.
    fn check_arn(
        &self,
        arn: &ConsumerArn,
        name: Option<&ConsumerName>,
        given: &[&'static str],
        stream: &StreamIdentity,
    ) -> Result<()> {
        let is_other_stream = match stream.arn() {
            Some(stream_arn) => stream_arn != arn.stream_arn(),
            None => {
                let named = StreamIdentity::parse(arn.stream_arn());
                named.is_ok_and(|named| named.name() != stream.name())
            }
        };
        if is_other_stream {
            let stream = stream.arn().unwrap_or(stream.name().as_str());
            return Err(Error::invalid_option(format!(
                "option '{ARN}' = '{arn}': expected a consumer of stream '{stream}'"
            )));
        }
        if let Some(name) = name
            && *name != arn.name()
        {
            return Err(Error::invalid_option(format!(
                "option '{NAME}' = '{name}': expected the name in '{ARN}', which is '{}', or no name",
                arn.name()
            )));
        }
        if given.contains(&LIFECYCLE) && self.lifecycle != ConsumerLifecycle::External {
            return Err(Error::invalid_option(format!(
                "option '{LIFECYCLE}': expected 'external' together with '{ARN}', because that consumer must exist"
            )));
        }
        Ok(())
    }
}
