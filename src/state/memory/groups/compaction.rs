//! Merges small chunks, and chunks whose groups were mostly replaced or evicted.

use std::sync::Arc;

use datafusion::common::Result;

use super::chunk::Chunk;
use super::{CHUNK_GROUPS, Groups, RowLocation, spread};

/// The maximum number of groups that compaction moves for each group that a batch adds.
const MOVED_PER_PUT: usize = 4;

impl Groups {
    /// Merges the new chunk with smaller ones and with chunks that are mostly dead, in proportion to what was added.
    pub(super) fn compact(&mut self, newest: u32) -> Result<()> {
        let budget = MOVED_PER_PUT * self.chunk(newest).len();
        let mut moved = vec![newest];
        let mut groups = self.chunk(newest).live_groups;
        for number in 0..self.chunks.len() as u32 {
            let Some(chunk) = &self.chunks[number as usize] else {
                continue;
            };
            if number == newest {
                continue;
            }
            let live = chunk.live_groups;
            if live == 0 {
                self.drop_if_dead(number as usize);
                continue;
            }
            let dying = 2 * live < chunk.len();
            let small = live <= groups && groups + live <= CHUNK_GROUPS;
            if (dying || small) && groups + live <= budget.max(CHUNK_GROUPS / 16) {
                moved.push(number);
                groups += live;
            }
        }
        if moved.len() == 1 {
            return Ok(());
        }
        self.merge(&moved)
    }

    /// Merges the live groups of these chunks into one chunk.
    fn merge(&mut self, numbers: &[u32]) -> Result<()> {
        let locations: Vec<RowLocation> = numbers
            .iter()
            .flat_map(|number| {
                let rows = self.chunk(*number).live_rows();
                rows.map(|row| RowLocation {
                    hash: 0,
                    chunk: *number,
                    row: row as u32,
                })
            })
            .collect();
        let (chunks, located) = self.located(&locations);
        let merged = Chunk::merged(&chunks, &located)?;
        let number = self.add(merged);
        for (row, old) in locations.iter().enumerate() {
            let hash = self.hash(self.key(old));
            let same =
                |location: &RowLocation| location.chunk == old.chunk && location.row == old.row;
            if let Some(location) = self.index.find_mut(spread(hash), same) {
                location.chunk = number;
                location.row = row as u32;
            }
            self.kill(*old);
        }
        for old in numbers {
            self.drop_if_dead(*old as usize);
        }
        Ok(())
    }

    /// Drops a chunk without live groups.
    pub(super) fn drop_if_dead(&mut self, number: usize) {
        let dead = self.chunks[number].take_if(|chunk| chunk.live_groups == 0);
        if let Some(chunk) = dead {
            self.chunk_bytes -= chunk.bytes;
            self.replaced.retain(|columns| columns.strong_count() > 0);
            if Arc::strong_count(&chunk.columns) > 1 {
                self.replaced.push(Arc::downgrade(&chunk.columns));
            }
            self.free.push(number as u32);
        }
    }
}
