//! Refuses sources that would take each other's subscriptions.

use crate::error::{Error, Result};
use crate::kinesis::StreamSummary;
use crate::query::plan::{QueryPlan, QuerySource};

/// Fails if two sources subscribe to one stream as the same consumer: each would end the subscriptions of the other.
/// Scans of one table are one source.
///
/// # Errors
/// [`InvalidOption`](crate::ErrorKind::InvalidOption).
pub(in crate::query) fn refuse_shared_consumers(
    plan: &QueryPlan,
    streams: &[StreamSummary],
) -> Result<()> {
    let consumer_of = |source: &QuerySource| {
        let fan_out = source.table().options().source.fan_out.as_ref();
        fan_out.map(|fan_out| fan_out.consumer.clone())
    };
    for (index, (source, stream)) in plan.sources.iter().zip(streams).enumerate() {
        let Some(consumer) = consumer_of(source) else {
            continue;
        };
        let mut earlier = plan.sources.iter().zip(streams).take(index);
        let shares = earlier.find(|(other, read)| {
            read.arn == stream.arn && consumer_of(other).as_ref() == Some(&consumer)
        });
        if let Some((other, _)) = shares {
            return Err(Error::invalid_option(format!(
                "tables '{}' and '{}' read stream '{}' as consumer '{consumer}', which has one subscription to each \
                 shard: give each table a consumer of its own ('kinesis.consumerName')",
                other.name, source.name, stream.stream
            )));
        }
    }
    Ok(())
}
