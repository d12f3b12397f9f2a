//! Compares the sink with the stream.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use datafusion_kinesis::kinesis::{
    ApiErrorKind, IteratorPosition, Kinesis, RecordColumns, ShardFilter, ShardIterator,
};
use datafusion_kinesis::model::{HashKey, SequenceNumber, Shard, UnixMillis};

use super::ground::Ground;
use super::schedule::Start;
use super::sink::{Row, RowPlace};
use super::tally::Met;
use super::writers::counter_in;

/// The rows of the stream by position, which any query must see.
pub(super) type Truth = BTreeMap<RowPlace, (String, u64)>;

/// Checks the guarantees for a query that has caught up.
pub(super) async fn pass(ground: &Arc<Ground>, start: Start) {
    let present = ground.truth().await;
    let outlived = ground.outlived.lock().unwrap().take();
    let lossy = outlived.is_some();
    let gaps = start == Start::Latest || lossy;
    let truth = match &outlived {
        None => present.clone(),
        Some(outlived) => outlived
            .clone()
            .into_iter()
            .chain(present.clone())
            .collect(),
    };
    ground.count(&truth);
    let checks = [
        ground.check_rows(&truth, &present, start),
        match outlived {
            None => ground.check_acknowledged(start),
            Some(_) => ground.check_losses(&truth, start),
        },
        ground.check_order(gaps),
    ];
    for wrong in checks.into_iter().filter_map(Result::err) {
        ground.fault(wrong);
    }
    let book = ground.book.lock().unwrap();
    let joined = catch_unwind(AssertUnwindSafe(|| book.ledger.empty_batches()));
    let joined = joined.map_err(|panic| panic.downcast_ref::<String>().cloned());
    match joined {
        // A query that starts a day after the stream logs how far it has read.
        Ok(empty) if lossy || empty.is_empty() => {}
        wrong => ground.fault(format!("the log has gaps: {wrong:?}")),
    }
    let mut tally = ground.tally.lock().unwrap();
    tally.add(Met::Batches, book.ledger.offsets.len() as u64);
    let sink = ground.sink.lock().unwrap();
    tally.add(Met::Rows, sink.rows as u64);
    tally.add(Met::Groups, sink.groups.newest().len() as u64);
    let cut = book.ledger.offsets.values().filter(|entry| is_cut(entry));
    tally.add(Met::CutAggregates, cut.count() as u64);
}

/// Whether a range ends inside an aggregate.
fn is_cut(entry: &serde_json::Value) -> bool {
    let ranges = entry["sources"][0]["shards"].as_object().unwrap().values();
    let ends = ranges.filter_map(|range| range["upto"].as_str());
    let mut ends = ends.filter_map(|end| end.strip_prefix("AFTER "));
    ends.any(|end| end.contains('.'))
}

impl Ground {
    /// Reads the stream directly from the simulator.
    pub(super) async fn truth(&self) -> Truth {
        let mut truth = Truth::new();
        let mut misplaced = 0;
        for shard in self.shards(ShardFilter::FromTrimHorizon).await {
            for (sequence, key, data) in self.records(&shard).await {
                let inside = self.inside(&key, &data);
                for (sub, (key, counter)) in inside.into_iter().enumerate() {
                    let hash = HashKey::of_partition_key(&key);
                    if shard.parent.is_some() && !shard.hash_range.contains(hash) {
                        misplaced += 1;
                        continue;
                    }
                    let place = (shard.id.to_string(), sequence.clone(), sub as u64);
                    truth.insert(place, (key, counter));
                }
            }
        }
        self.tally.lock().unwrap().add(Met::Misplaced, misplaced);
        truth
    }

    fn count(&self, truth: &Truth) {
        let distinct: BTreeSet<_> = truth.values().collect();
        let duplicates = (truth.len() - distinct.len()) as u64;
        self.tally.lock().unwrap().add(Met::Duplicates, duplicates);
    }

    /// Every loss was reported.
    fn check_losses(&self, truth: &Truth, start: Start) -> Result<(), String> {
        let sink = self.sink.lock().unwrap();
        let lost = truth.len() - sink.rows.min(truth.len());
        self.tally.lock().unwrap().add(Met::Lost, lost as u64);
        // A query from LATEST has not asked for all records.
        if lost == 0 || start == Start::Latest || self.loss_told.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(format!("{lost} rows are lost without a report"))
    }

    /// The user records of a record.
    fn inside(&self, key: &str, data: &[u8]) -> Vec<(String, u64)> {
        let written = self.written.lock().unwrap();
        match written.aggregates.get(data) {
            Some(inside) => (inside.iter())
                .map(|(key, counter)| (key.to_string(), *counter))
                .collect(),
            None => {
                let counter = counter_in(str::from_utf8(data).unwrap()).unwrap();
                vec![(key.to_owned(), counter)]
            }
        }
    }

    /// The records of a shard: number, key and payload.
    async fn records(&self, shard: &Shard) -> Vec<(SequenceNumber, String, Vec<u8>)> {
        let mut records = Vec::new();
        let mut iterator: Option<ShardIterator> = None;
        loop {
            let (stream, begin) = (&self.stream, IteratorPosition::TrimHorizon);
            let page = async {
                let from = match &iterator {
                    Some(iterator) => iterator.clone(),
                    None => {
                        let from = self.kinesis.get_shard_iterator(stream, &shard.id, &begin);
                        from.await?
                    }
                };
                let page = self
                    .kinesis
                    .get_records(stream, &from, 10_000, RecordColumns::ALL);
                page.await
            };
            let page = match page.await {
                Ok(page) => page,
                // The shard has expired after it was listed.
                Err(error) if error.kind() == ApiErrorKind::NotFound => return Vec::new(),
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    continue;
                }
            };
            let (keys, numbers) = (
                page.partition_key().unwrap(),
                page.sequence_number().unwrap(),
            );
            for record in 0..page.len() {
                records.push((
                    SequenceNumber::new(numbers.value(record)).unwrap(),
                    keys.value(record).to_owned(),
                    page.data().value(record).to_vec(),
                ));
            }
            let at_tip =
                page.is_empty() && page.behind_latest.is_some_and(|behind| behind.is_zero());
            iterator.clone_from(&page.next);
            if at_tip || iterator.is_none() {
                return records;
            }
        }
    }

    /// Each row of the stream is in the sink exactly once, and nothing else. A query from LATEST
    /// may have fewer rows.
    fn check_rows(&self, truth: &Truth, present: &Truth, start: Start) -> Result<(), String> {
        let sink = self.sink.lock().unwrap();
        let mut seen = BTreeSet::new();
        for (batch, rows) in &sink.batches {
            for row in rows {
                let Row {
                    place,
                    key,
                    counter,
                } = row;
                if truth.get(place) != Some(&(key.clone(), *counter)) {
                    return Err(format!("batch {batch}: {row:?} is not in the stream"));
                }
                if !seen.insert(place) {
                    return Err(format!("batch {batch}: {row:?} is there twice"));
                }
            }
        }
        let lost = present.keys().find(|place| !seen.contains(place));
        match lost {
            Some(place) if start != Start::Latest => {
                let lost = present.keys().filter(|place| !seen.contains(place));
                let lost = lost.count();
                Err(format!(
                    "{lost} rows are lost, first {place:?} {:?}",
                    truth[place]
                ))
            }
            _ => Ok(()),
        }
    }

    /// Acknowledged records are in the sink.
    fn check_acknowledged(&self, start: Start) -> Result<(), String> {
        let sink = self.sink.lock().unwrap();
        let rows = sink.batches.values().flatten();
        let there: BTreeSet<_> = rows.map(|row| (row.key.as_str(), row.counter)).collect();
        let created = self.book.lock().unwrap().created;
        let from = match start {
            Start::Latest => created.ok_or("the query was never created")?,
            Start::TrimHorizon | Start::AtTimestamp => UnixMillis(0),
        };
        let written = self.written.lock().unwrap();
        let due = written
            .acknowledged
            .iter()
            .filter(|(_, since)| *since >= from);
        let mut lost = due.filter(|((key, counter), _)| !there.contains(&(&**key, *counter)));
        match lost.next() {
            None => Ok(()),
            Some(lost) => Err(format!("acknowledged and lost: {lost:?}")),
        }
    }

    /// Records of a key first arrive in the order of their numbers, without gaps where none are
    /// allowed.
    fn check_order(&self, gaps: bool) -> Result<(), String> {
        let sink = self.sink.lock().unwrap();
        let mut next = BTreeMap::<&str, u64>::new();
        let mut seen = BTreeSet::new();
        for (batch, rows) in &sink.batches {
            for row in rows {
                let next = next.entry(&row.key).or_default();
                let new = seen.insert((&row.key, row.counter));
                let early = row.counter > *next && !gaps;
                if early || (new && row.counter < *next) {
                    return Err(format!(
                        "batch {batch}: {row:?} arrives before number {next}"
                    ));
                }
                *next = (*next).max(row.counter + 1);
            }
        }
        Ok(())
    }
}
