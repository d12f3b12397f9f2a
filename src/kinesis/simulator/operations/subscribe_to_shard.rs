//! SubscribeToShard.

use std::sync::Arc;

use super::consumers::{consumer_not_found, stream_of_arn};
use super::shard_subscription::{Position, ShardSubscription, Source};
use crate::kinesis::simulator::InMemoryKinesis;
use crate::kinesis::simulator::errors::error;
use crate::kinesis::simulator::state::consumers::{HeldLease, LeaseRefusal};
use crate::kinesis::simulator::state::shard::ShardState;
use crate::kinesis::simulator::state::stream::Stream;
use crate::kinesis::{ApiResult, ConsumerId, ConsumerStatus, IteratorPosition, Operation};
use crate::model::{ConsumerArn, ShardId};

const OPERATION: Operation = Operation::SubscribeToShard;

impl InMemoryKinesis {
    /// SubscribeToShard.
    pub(in crate::kinesis) async fn subscribe(
        &self,
        consumer: &ConsumerArn,
        shard: &ShardId,
        position: &IteratorPosition,
    ) -> ApiResult<ShardSubscription> {
        let faults = self.faults.admit(OPERATION).await?;
        let stream = stream_of_arn(OPERATION, consumer.stream_arn())?;
        let stream = self.open_stream(OPERATION, &stream)?;
        let (shard, retention) = {
            let state = stream.read();
            let shard = self.shard(OPERATION, &stream, &state, shard)?;
            (shard, state.retention)
        };
        let target = self.target(OPERATION, &stream, &shard, position, retention)?;
        let lease = self.lease(&stream, consumer, &shard)?;
        let position = Position::of(target, position);
        let source = Source {
            stream,
            shard,
            clock: Arc::clone(&self.clock),
            faults: Arc::clone(&self.faults),
        };
        let (limits, is_held_back) = (self.options.enforce_limits, faults.empty_page);
        let subscription = ShardSubscription::new(source, position, lease, limits, is_held_back);
        self.answer(OPERATION, &faults, subscription)
    }

    fn lease(
        &self,
        stream: &Stream,
        consumer: &ConsumerArn,
        shard: &ShardState,
    ) -> ApiResult<HeldLease> {
        let wanted = ConsumerId::Arn(consumer);
        let mut consumers = self.consumers(stream);
        let found = consumers.find(wanted);
        let found = found.ok_or_else(|| consumer_not_found(OPERATION, wanted))?;
        let now = self.clock.now();
        let status = found.status(now);
        if status != ConsumerStatus::Active {
            let message = format!("Consumer {consumer} is {status:?}, not Active.");
            return Err(error(OPERATION, "ResourceInUseException", message));
        }
        let lease = found.subscribe(shard.index, now, self.options.enforce_limits);
        lease.map_err(|refusal| match refusal {
            LeaseRefusal::TooManyCalls => {
                let message = self.rate_exceeded(stream, shard);
                error(OPERATION, "LimitExceededException", message)
            }
            LeaseRefusal::InUse => {
                let message = format!(
                    "Another active subscription exists for consumer {consumer} and shard {}. It can be \
                     taken over five seconds after it began.",
                    shard.id
                );
                error(OPERATION, "ResourceInUseException", message)
            }
        })
    }
}
