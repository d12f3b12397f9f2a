//! Writers at the same entries at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::*;

/// How often a race is run.
const RACES: u64 = 20;

/// Entries a writer has before the next one takes over.
const LEAD: usize = 4;

/// Of two puts of the same bytes one creates the entry, and the other learns that they are its own.
pub(super) async fn a_put_sent_twice_is_one_entry(place: Place) {
    let committer = place.open();
    let epoch = take_epoch(&*committer).await;
    for batch in (0..RACES).map(BatchId) {
        let own = entry(&format!("of {batch}"));
        let put = || put_again(&*committer, epoch, batch, &own);
        let (first, second) = tokio::join!(put(), put());
        let one = [Put::Done, Put::Exists(own.clone())];
        let other = [Put::Exists(own.clone()), Put::Done];
        let both = [first, second];
        assert!(both == one || both == other, "{both:?}");
        assert_eq!(put().await, Put::Exists(own.clone()));
    }
    let late = put_again(&*committer, epoch, BatchId(0), &entry("of 0")).await;
    assert_eq!(
        late,
        Put::Exists(entry("of 0")),
        "after all the others, too"
    );
    let all: Vec<_> = (0..RACES).map(BatchId).collect();
    assert_eq!(committer.batches(Log::Offsets).await.unwrap(), all);
}

/// An older and a newer start write the same entry while the newer one takes over.
pub(super) async fn starts_of_two_epochs_create_one_entry_between_them(place: Place) {
    for batch in (0..RACES).map(BatchId) {
        let (old, new) = (place.open(), place.open());
        let (olds, news) = (entry("of the older"), entry("of the newer"));
        let epoch = take_epoch(&*old).await;
        let older = put_again(&*old, epoch, batch, &olds);
        let newer = async {
            let epoch = take_epoch(&*new).await;
            put_again(&*new, epoch, batch, &news).await
        };
        let (older, newer) = tokio::join!(older, newer);
        let stands = old.get(Log::Offsets, batch).await.unwrap().unwrap();
        let own = |put: &Put, own: &Bytes| matches!(put, Put::Exists(found) if found == own);
        // `Exists` with its own bytes: an earlier try has written them.
        let olds_stands = (older == Put::Done || own(&older, &olds)) && own(&newer, &olds);
        let lost = matches!(older, Put::Fenced(_)) || own(&older, &news);
        let news_stands = (newer == Put::Done || own(&newer, &news)) && lost;
        assert!(olds_stands != news_stands, "{older:?}, {newer:?}");
        assert_eq!(stands, if olds_stands { olds } else { news });
    }
}

/// A writer of entries that goes on until a newer one fences it.
struct Writer {
    committer: Arc<dyn OffsetCommitter>,
    epoch: Epoch,
    /// The newest epoch whose taking has been answered.
    newest: Arc<AtomicU64>,
    written: UnboundedSender<(BatchId, Epoch)>,
}

impl Writer {
    async fn write(self, mut batch: BatchId) -> Epoch {
        loop {
            let overtaken = self.newest.load(Ordering::SeqCst) > self.epoch.0;
            let own = of(self.epoch);
            let put = put_again(&*self.committer, self.epoch, batch, &own).await;
            let done = put == Put::Done || put == Put::Exists(own);
            assert!(!(done && overtaken), "{batch} by the old {}", self.epoch);
            match put {
                Put::Fenced(by) => return by,
                _ if done => self.written.send((batch, self.epoch)).unwrap(),
                _ => {}
            }
            batch = batch.next();
        }
    }
}

fn of(epoch: Epoch) -> Bytes {
    entry(&format!("of epoch {epoch}"))
}

/// Each start writes as fast as it can when the next one takes over, which sees all of it.
pub(super) async fn no_older_writer_gets_in_once_a_newer_epoch_is_taken(place: Place) {
    let newest = Arc::new(AtomicU64::new(0));
    let (written, mut done) = unbounded_channel();
    let (mut writers, mut standing) = (JoinSet::new(), BTreeMap::new());
    for _ in 0..6 {
        let committer = place.open();
        let epoch = take_epoch(&*committer).await;
        newest.store(epoch.0, Ordering::SeqCst);
        let listed = committer.batches(Log::Offsets).await.unwrap();
        for batch in standing.keys() {
            assert!(listed.contains(batch), "{batch} was acknowledged before");
        }
        let first = listed.last().map_or(BatchId(0), |last| last.next());
        let (newest, written) = (Arc::clone(&newest), written.clone());
        let writer = Writer {
            committer,
            epoch,
            newest,
            written,
        };
        writers.spawn(writer.write(first));
        let mut lead = 0;
        while lead < LEAD {
            let (batch, by) = done.recv().await.unwrap();
            assert_eq!(
                standing.insert(batch, by),
                None,
                "{batch} was created twice"
            );
            lead += usize::from(by == epoch);
        }
    }
    let last = place.open();
    let epoch = take_epoch(&*last).await;
    newest.store(epoch.0, Ordering::SeqCst);
    let fenced_by = writers.join_all().await;
    assert!(fenced_by.contains(&epoch), "{fenced_by:?}");
    drop(written);
    while let Some((batch, by)) = done.recv().await {
        assert_eq!(
            standing.insert(batch, by),
            None,
            "{batch} was created twice"
        );
    }
    let listed = last.batches(Log::Offsets).await.unwrap();
    assert_eq!(listed, standing.keys().copied().collect::<Vec<_>>());
    for (batch, by) in standing {
        let found = last.get(Log::Offsets, batch).await.unwrap();
        assert_eq!(found, Some(of(by)), "{batch}");
    }
}
