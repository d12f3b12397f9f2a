//! Checks the consumer of a table that subscribes to its shards. Registers and subscribes to nothing.

use super::Table;
use crate::cli::requests::{all_consumers, with_retries};
use crate::kinesis::{ApiErrorKind, ConsumerId, ConsumerStatus, FanOut, Kinesis};
use crate::model::ConsumerLifecycle;
use crate::options::FanOutOptions;

const CHECK: &str = "consumer";

/// The most consumers of a stream (API reference, RegisterStreamConsumer).
const MOST: usize = 20;

/// The same in the On-demand Advantage mode.
const MOST_WITH_ADVANTAGE: usize = 50;

impl Table {
    /// Checks the consumer, if a streaming query uses one.
    pub(super) async fn subscribing(&mut self, kinesis: &dyn Kinesis, is_unused: bool) {
        let (Some(options), Some(fan_out)) =
            (self.options.source.fan_out.clone(), kinesis.fan_out())
        else {
            return;
        };
        if !self.uses.follows && !is_unused {
            let detail =
                "not used: only a streaming query that does not end by itself subscribes to shards";
            return self.section.unknown(CHECK, detail);
        }
        let summary = self.stream.as_ref().map(|stream| stream.arn.to_string());
        let arn = summary.or_else(|| self.options.stream.arn().map(str::to_owned));
        let Some(arn) = arn else {
            let detail = "not checked: requires DescribeStreamSummary";
            return self.section.unknown(CHECK, detail);
        };
        let is_registered = self.check_consumer(fan_out, &arn, &options).await;
        self.check_quota(fan_out, &arn, !is_registered).await;
        self.name_unchecked(&arn, options.lifecycle);
        self.name_costs(options.auto_max_lag.is_some());
    }

    /// Checks whether the consumer can be used. Returns whether the start of a query need not register it.
    async fn check_consumer(
        &mut self,
        fan_out: &dyn FanOut,
        stream_arn: &str,
        options: &FanOutOptions,
    ) -> bool {
        let name = &options.consumer;
        let id = match &options.arn {
            Some(arn) => ConsumerId::Arn(arn),
            None => ConsumerId::Name(stream_arn, name),
        };
        let is_external = options.lifecycle == ConsumerLifecycle::External;
        let consumer = match with_retries(|| fan_out.describe_consumer(id)).await {
            Ok(consumer) => consumer,
            Err(error) if error.kind() == ApiErrorKind::NotFound && is_external => {
                let detail = format!(
                    "'{name}' does not exist, and 'kinesis.consumerLifecycle' = 'external' registers none: register \
                     it, or correct the name"
                );
                self.section.failed(CHECK, detail);
                return true;
            }
            Err(error) if error.kind() == ApiErrorKind::NotFound => {
                let by = match options.auto_max_lag {
                    Some(_) => "the query registers it when it has a reason to subscribe",
                    None => "the start of the query registers it",
                };
                let detail =
                    format!("'{name}' does not exist: {by} (kinesis:RegisterStreamConsumer)");
                self.section.unknown(CHECK, detail);
                return false;
            }
            Err(error) => {
                self.section.failed(CHECK, self.explain(&error));
                return true;
            }
        };
        let arn = &consumer.arn;
        match (consumer.status, is_external) {
            (ConsumerStatus::Active, _) => {
                self.section
                    .passed(CHECK, format!("'{name}' is active: {arn}"));
            }
            (ConsumerStatus::Creating, _) => {
                let detail = format!("'{name}' is being created, which a start waits for: {arn}");
                self.section.unknown(CHECK, detail);
            }
            (ConsumerStatus::Deleting, false) => {
                let detail = format!(
                    "'{name}' is being deleted: a start waits until it is gone, and registers it again \
                     (kinesis:RegisterStreamConsumer): {arn}"
                );
                self.section.unknown(CHECK, detail);
            }
            (ConsumerStatus::Deleting, true) => {
                let detail = format!(
                    "'{name}' is being deleted, and 'kinesis.consumerLifecycle' = 'external' registers none: register \
                     it again once it is gone: {arn}"
                );
                self.section.failed(CHECK, detail);
            }
        }
        true
    }

    /// Counts the consumers of the stream. `needs_room` says whether another one has to be registered.
    async fn check_quota(&mut self, fan_out: &dyn FanOut, stream_arn: &str, needs_room: bool) {
        const CHECK: &str = "consumers";
        let count = match all_consumers(fan_out, stream_arn).await {
            Ok(consumers) => consumers.len(),
            // A query does not need this permission.
            Err(error) => {
                let detail = format!("not counted: {}", self.explain(&error));
                return self.section.unknown(CHECK, detail);
            }
        };
        let counted = format!(
            "{count} of at most {MOST} ({MOST_WITH_ADVANTAGE} with the On-demand Advantage mode)"
        );
        // A stream that has more than the usual most has the higher one.
        let is_full = count == MOST || count >= MOST_WITH_ADVANTAGE;
        match needs_room && is_full {
            false => self.section.passed(CHECK, counted),
            true => {
                let detail = format!(
                    "{counted}, and one more is needed: deregister one (kinesis-sql consumers), or set \
                     'kinesis.consumerName' to an existing one that no query uses"
                );
                self.section.failed(CHECK, detail);
            }
        }
    }

    /// Names the permissions that cannot be checked.
    fn name_unchecked(&mut self, stream_arn: &str, lifecycle: ConsumerLifecycle) {
        let (deregister, register) = match lifecycle {
            ConsumerLifecycle::Managed => (
                ", kinesis:DeregisterStreamConsumer, kinesis:TagResource and kinesis:ListTagsForResource",
                true,
            ),
            ConsumerLifecycle::Reuse => ("", true),
            ConsumerLifecycle::External => ("", false),
        };
        let register = match register {
            true => ", and kinesis:RegisterStreamConsumer on the stream",
            false => "",
        };
        let detail = format!(
            "not checked, because there are no dry runs: kinesis:SubscribeToShard{deregister} on \
             {stream_arn}/consumer/*{register}"
        );
        self.section.unknown("SubscribeToShard", detail);
    }

    /// Says what enhanced fan-out costs.
    fn name_costs(&mut self, is_auto: bool) {
        let shards = self.stream.as_ref().map(|stream| stream.open_shards);
        let shards = match shards {
            Some(1) => "its shard".to_owned(),
            Some(shards) => format!("each of its {shards} open shards"),
            None => "each shard".to_owned(),
        };
        let when = match is_auto {
            true => "while the query subscribes, ",
            false => "",
        };
        let detail = format!(
            "{when}the consumer is charged by the hour for {shards}, until it is deregistered, even if no query runs, and \
             by the GB that it receives"
        );
        self.section.unknown("costs", detail);
    }
}
