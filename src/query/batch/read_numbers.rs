//! Numbers the reads of a batch, so that a row can name its source and shard in four bytes.

use std::sync::Arc;

use crate::model::ShardId;
use crate::source::BatchReads;

/// Gives each read of a batch a number that is unique across all sources.
pub(super) fn number_reads(mut sources: Vec<BatchReads>) -> Vec<Arc<BatchReads>> {
    let mut next = 0;
    for reads in &mut sources {
        next = reads.number_from(next);
    }
    sources.into_iter().map(Arc::new).collect()
}

/// The source and the shard of each read, indexed by its number.
pub(super) fn shards_by_number(sources: &[Arc<BatchReads>]) -> Vec<(usize, ShardId)> {
    let sources = sources.iter().enumerate();
    let shards = sources.flat_map(|(source, reads)| {
        let reads = reads.reads.iter();
        reads.map(move |read| (source, read.shard.clone()))
    });
    shards.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ShardPosition;
    use crate::source::{ShardRead, Until};

    fn reads(shards: &[&str]) -> BatchReads {
        let read = |shard: &&str| ShardRead {
            shard: ShardId::new(*shard),
            hash_range: None,
            start: ShardPosition::TrimHorizon,
            until: Until::Position(ShardPosition::ShardEnd),
            limit: None,
            rows: None,
            number: 7,
        };
        BatchReads {
            reads: shards.iter().map(read).collect(),
            ..BatchReads::default()
        }
    }

    #[test]
    fn a_number_identifies_source_and_shard() {
        let sources = number_reads(vec![
            reads(&["b", "a"]),
            reads(&[]),
            reads(&["a"]),
            reads(&["c", "a"]),
        ]);
        let shards = shards_by_number(&sources);
        let expected = [(0, "b"), (0, "a"), (2, "a"), (3, "c"), (3, "a")];
        assert_eq!(
            shards,
            expected.map(|(source, shard)| (source, ShardId::new(shard)))
        );
        for (source, reads) in sources.iter().enumerate() {
            for read in &reads.reads {
                let number = usize::try_from(read.number).unwrap();
                assert_eq!(shards[number], (source, read.shard.clone()));
            }
        }
    }
}
