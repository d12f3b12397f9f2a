//! RegisterStreamConsumer, DescribeStreamConsumer, ListStreamConsumers and DeregisterStreamConsumer.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::kinesis::limits::NEXT_TOKEN_LIFETIME;
use crate::kinesis::simulator::InMemoryKinesis;
use crate::kinesis::simulator::errors::{error, invalid};
use crate::kinesis::simulator::state::consumers::{Consumer, Consumers};
use crate::kinesis::simulator::state::stream::Stream;
use crate::kinesis::simulator::state::tokens::ConsumersToken;
use crate::kinesis::{
    ApiError, ApiResult, ConsumerId, ConsumerStatus, ConsumerSummary, ConsumersPage, NextToken,
    Operation,
};
use crate::model::{ConsumerArn, ConsumerName, StreamIdentity, UnixMillis};

/// The most consumers of a stream (API reference, RegisterStreamConsumer).
const CONSUMERS_PER_STREAM: usize = 20;

/// The most consumers of a stream that are being created at a time (API reference, RegisterStreamConsumer).
const CREATING_PER_STREAM: usize = 5;

/// The shortest time in which a consumer is created or deleted, so that clients have to wait for it.
const LEAST_DELAY: Duration = Duration::from_millis(100);

/// The consumers on a page of ListStreamConsumers unless the request says otherwise (API reference).
pub(in crate::kinesis) const DEFAULT_CONSUMERS_PER_PAGE: usize = 100;

/// The times of creation in the ARNs of consumers, so that a consumer that is registered again has another ARN. The
/// key is the ARN without the time.
#[derive(Debug, Default)]
pub(in crate::kinesis) struct ConsumerTimes(Mutex<HashMap<String, i64>>);

impl ConsumerTimes {
    /// The second in which a consumer is created: that of the clock, but later than the previous time.
    fn next(&self, key: &str, now: UnixMillis) -> i64 {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.0.div_euclid(1_000).max(0);
        let next = times.get(key).map_or(now, |last| now.max(last + 1));
        times.insert(key.to_owned(), next);
        next
    }
}

impl InMemoryKinesis {
    /// RegisterStreamConsumer. The tags are only stored.
    pub(in crate::kinesis) async fn register(
        &self,
        stream_arn: &str,
        name: &ConsumerName,
        tags: BTreeMap<String, String>,
    ) -> ApiResult<ConsumerSummary> {
        const OPERATION: Operation = Operation::RegisterStreamConsumer;
        let faults = self.faults.admit(OPERATION).await?;
        let stream = self.ready_stream(OPERATION, &stream_of_arn(OPERATION, stream_arn)?)?;
        let now = self.clock.now();
        let summary = {
            let mut consumers = self.consumers(&stream);
            check_room(&stream, &consumers, name, now)?;
            let consumer = self.new_consumer(&stream, name, tags, now)?;
            let summary = consumer.summary(now);
            consumers.insert(consumer);
            summary
        };
        self.answer(OPERATION, &faults, summary)
    }

    fn new_consumer(
        &self,
        stream: &Stream,
        name: &ConsumerName,
        tags: BTreeMap<String, String>,
        now: UnixMillis,
    ) -> ApiResult<Consumer> {
        let stream_arn = stream.identity.arn().unwrap_or_default();
        let prefix = format!("{stream_arn}/consumer/{name}");
        let second = self.consumer_times.next(&prefix, now);
        let arn = ConsumerArn::new(&format!("{prefix}:{second}")).map_err(|why| {
            let operation = Operation::RegisterStreamConsumer;
            error(operation, "InternalFailure", why.to_string())
        })?;
        let created_at = now.max(UnixMillis(second * 1_000));
        let active_from = now.plus(self.consumer_delay());
        let consumer = Consumer::new(name.clone(), arn, created_at, active_from);
        Ok(consumer.with_tags(tags))
    }

    fn consumer_delay(&self) -> Duration {
        self.options.status_delay.max(LEAST_DELAY)
    }

    /// DescribeStreamConsumer.
    pub(in crate::kinesis) async fn consumer(
        &self,
        wanted: ConsumerId<'_>,
    ) -> ApiResult<ConsumerSummary> {
        const OPERATION: Operation = Operation::DescribeStreamConsumer;
        let faults = self.faults.admit(OPERATION).await?;
        let now = self.clock.now();
        let summary =
            self.with_consumer(OPERATION, wanted, |consumer| Ok(consumer.summary(now)))?;
        self.answer(OPERATION, &faults, summary)
    }

    /// DeregisterStreamConsumer.
    pub(in crate::kinesis) async fn deregister(&self, wanted: ConsumerId<'_>) -> ApiResult<()> {
        const OPERATION: Operation = Operation::DeregisterStreamConsumer;
        let faults = self.faults.admit(OPERATION).await?;
        let now = self.clock.now();
        self.with_consumer(OPERATION, wanted, |consumer| {
            if consumer.status(now) == ConsumerStatus::Deleting {
                return Err(consumer_not_found(OPERATION, wanted));
            }
            consumer.deregister(now.plus(self.consumer_delay()));
            Ok(())
        })?;
        self.answer(OPERATION, &faults, ())
    }

    /// One page of ListStreamConsumers, further limited by the options.
    pub(in crate::kinesis) async fn consumers_page(
        &self,
        stream_arn: &str,
        next: Option<&NextToken>,
        max_results: usize,
    ) -> ApiResult<ConsumersPage> {
        const OPERATION: Operation = Operation::ListStreamConsumers;
        let faults = self.faults.admit(OPERATION).await?;
        let stream = self.any_stream(OPERATION, &stream_of_arn(OPERATION, stream_arn)?)?;
        let now = self.clock.now();
        let after = next
            .map(|token| last_of_page(&stream, token, now))
            .transpose()?;
        let size = max_results.min(self.options.max_shards_per_page);
        let page = {
            let consumers = self.consumers(&stream);
            let mut listed = consumers.after(after.as_ref());
            let page: Vec<_> = listed.by_ref().take(size).collect();
            let page: Vec<_> = page.iter().map(|consumer| consumer.summary(now)).collect();
            let last = page.last().filter(|_| listed.next().is_some());
            let next = last.map(|last| ConsumersToken {
                stream: stream.identity.clone(),
                stream_id: stream.id,
                after: last.name.clone(),
                issued_at: now,
            });
            ConsumersPage {
                next: next.map(|token| NextToken(token.encode())),
                consumers: page,
            }
        };
        self.answer(OPERATION, &faults, page)
    }

    /// The consumers of a stream that are not gone.
    pub(in crate::kinesis) fn consumers<'a>(
        &self,
        stream: &'a Stream,
    ) -> MutexGuard<'a, Consumers> {
        let mut consumers = stream.consumers();
        consumers.drop_deregistered(self.clock.now());
        consumers
    }

    /// Applies `with` to a consumer.
    pub(in crate::kinesis) fn with_consumer<T>(
        &self,
        operation: Operation,
        wanted: ConsumerId<'_>,
        with: impl FnOnce(&mut Consumer) -> ApiResult<T>,
    ) -> ApiResult<T> {
        let stream = self.stream_of_consumer(operation, wanted)?;
        let mut consumers = self.consumers(&stream);
        let found = consumers.find(wanted);
        with(found.ok_or_else(|| consumer_not_found(operation, wanted))?)
    }

    fn stream_of_consumer(
        &self,
        operation: Operation,
        wanted: ConsumerId<'_>,
    ) -> ApiResult<Arc<Stream>> {
        let stream_arn = match wanted {
            ConsumerId::Arn(arn) => arn.stream_arn(),
            ConsumerId::Name(stream_arn, _) => stream_arn,
        };
        self.any_stream(operation, &stream_of_arn(operation, stream_arn)?)
    }
}

/// The stream with this ARN; a name alone is not enough.
pub(in crate::kinesis) fn stream_of_arn(
    operation: Operation,
    arn: &str,
) -> ApiResult<StreamIdentity> {
    let parsed = StreamIdentity::parse(arn).ok();
    parsed
        .filter(|stream| stream.arn().is_some())
        .ok_or_else(|| invalid(operation, format!("'{arn}' is not the ARN of a stream.")))
}

/// Checks that a consumer with this name can be registered.
fn check_room(
    stream: &Stream,
    consumers: &Consumers,
    name: &ConsumerName,
    now: UnixMillis,
) -> ApiResult<()> {
    const OPERATION: Operation = Operation::RegisterStreamConsumer;
    let refused = |code, why: String| {
        let account = stream.account();
        let stream = stream.name();
        let message = format!("Stream {stream} under account {account} {why}.");
        Err(error(OPERATION, code, message))
    };
    if consumers.contains(name) {
        let why = format!("already has a consumer with the name {name}");
        return refused("ResourceInUseException", why);
    }
    if consumers.len() >= CONSUMERS_PER_STREAM {
        let why = format!("already has {CONSUMERS_PER_STREAM} consumers, the most it can have");
        return refused("LimitExceededException", why);
    }
    if consumers.creating(now) >= CREATING_PER_STREAM {
        let why = format!(
            "already has {CREATING_PER_STREAM} consumers in the status CREATING, the most it can have"
        );
        return refused("LimitExceededException", why);
    }
    Ok(())
}

fn last_of_page(stream: &Stream, token: &NextToken, now: UnixMillis) -> ApiResult<ConsumerName> {
    const OPERATION: Operation = Operation::ListStreamConsumers;
    let token = ConsumersToken::decode(&token.0)
        .filter(|token| token.stream == stream.identity && token.stream_id == stream.id)
        .ok_or_else(|| invalid(OPERATION, "NextToken is invalid."))?;
    if now.since(token.issued_at) > NEXT_TOKEN_LIFETIME {
        let message = "The pagination token has expired.";
        return Err(error(OPERATION, "ExpiredNextTokenException", message));
    }
    Ok(token.after)
}

pub(in crate::kinesis) fn consumer_not_found(
    operation: Operation,
    wanted: ConsumerId<'_>,
) -> ApiError {
    let message = match wanted {
        ConsumerId::Arn(arn) => format!("Consumer {arn} not found."),
        ConsumerId::Name(stream, name) => format!("Consumer {name} of {stream} not found."),
    };
    error(operation, "ResourceNotFoundException", message)
}
