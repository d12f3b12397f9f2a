//! Sending a request until all of it is acknowledged.

use std::sync::Arc;
use std::time::Duration;

use datafusion_kinesis::kinesis::ShardFilter;
use datafusion_kinesis::model::{HashKey, HashRange, ShardId};

use super::{Counted, Sent, Writer};

impl Writer {
    /// Sends a request until all of it is acknowledged.
    pub(super) async fn send(&mut self, mut pending: Vec<Sent>) {
        while !pending.is_empty() {
            let entries: Vec<_> = pending.iter().map(|sent| sent.entry.clone()).collect();
            let service = self.ground.service();
            let outcomes = service.put_records(&self.ground.stream, &entries).await;
            let Ok(outcomes) = outcomes else {
                self.tell(&format!("no answer for {}", entries.len()));
                self.wait().await;
                continue;
            };
            let mut again = Vec::new();
            for (sent, outcome) in pending.into_iter().zip(outcomes) {
                match outcome {
                    Ok(record) => again.extend(self.taken(sent, &record.shard).await),
                    Err(_) => again.push(sent),
                }
            }
            self.tell(&format!("{} of {} left", again.len(), entries.len()));
            pending = again;
            if !pending.is_empty() {
                self.wait().await;
            }
        }
    }

    /// Records what was acknowledged. Returns the records in a shard that does not own their key,
    /// to be sent again as one record per key.
    async fn taken(&mut self, sent: Sent, shard: &ShardId) -> Vec<Sent> {
        let mut astray: Vec<(Arc<str>, Vec<Counted>)> = Vec::new();
        let mut home = Vec::new();
        let range = match sent.entry.explicit_hash_key {
            None => None,
            Some(_) => Some(self.range_of(shard).await),
        };
        for counted in sent.inside {
            let hash = HashKey::of_partition_key(&counted.0);
            if range.is_none_or(|range| range.contains(hash)) {
                home.push(counted);
                continue;
            }
            match astray.iter_mut().find(|(key, _)| *key == counted.0) {
                Some((_, others)) => others.push(counted),
                None => astray.push((Arc::clone(&counted.0), vec![counted])),
            }
        }
        let mut written = self.ground.written.lock().unwrap();
        let home = home.into_iter().map(|counted| (counted, sent.since));
        written.acknowledged.extend(home);
        drop(written);
        let astray = astray.into_iter().map(|(_, inside)| Sent {
            since: sent.since,
            ..self.packed(inside, None)
        });
        astray.collect()
    }

    async fn range_of(&mut self, shard: &ShardId) -> HashRange {
        loop {
            if let Some(found) = self.map.iter().find(|known| known.id == *shard) {
                return found.hash_range;
            }
            self.map = self.ground.shards(ShardFilter::FromTrimHorizon).await;
            // Closed shards accept nothing, but may have accepted earlier records.
            self.map_age = 0;
        }
    }

    async fn wait(&mut self) {
        let wait = Duration::from_millis(self.random.u64(10..300));
        tokio::time::sleep(wait).await;
    }

    fn tell(&self, what: &str) {
        self.ground.tell(format!("writer {}: {what}", self.number));
    }
}
