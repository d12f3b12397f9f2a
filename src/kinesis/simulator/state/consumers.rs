//! The consumers of a stream, and which subscriptions they hold.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::rate_limits::PushBudget;
use crate::kinesis::{ConsumerId, ConsumerStatus, ConsumerSummary};
use crate::model::{ConsumerArn, ConsumerName, UnixMillis};

/// The age from which a subscription can be taken over (API reference, SubscribeToShard).
pub(in crate::kinesis) const TAKE_OVER_AGE: Duration = Duration::from_secs(5);

/// The consumers of a stream by name.
#[derive(Debug, Default)]
pub(in crate::kinesis) struct Consumers(BTreeMap<ConsumerName, Consumer>);

/// A consumer of a stream.
#[derive(Debug)]
pub(in crate::kinesis) struct Consumer {
    name: ConsumerName,
    arn: ConsumerArn,
    created_at: UnixMillis,
    /// Only stored.
    tags: BTreeMap<String, String>,
    phase: ConsumerStatus,
    phase_ends: UnixMillis,
    /// The latest subscription to each shard, by the index of the shard.
    leases: BTreeMap<u32, Lease>,
}

/// A subscription as its consumer sees it; it may have ended.
#[derive(Debug)]
struct Lease {
    since: Option<UnixMillis>,
    end: watch::Sender<Option<LeaseEnd>>,
    budget: Arc<Mutex<PushBudget>>,
}

/// Why a subscription ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kinesis) enum LeaseEnd {
    /// Another subscription of the consumer to the shard.
    TakenOver,
    /// The consumer is deregistered.
    Deregistered,
    /// The stream is deleted.
    StreamDeleted,
}

/// A lease as its subscription sees it.
#[derive(Debug)]
pub(in crate::kinesis) struct HeldLease {
    pub(in crate::kinesis) end: watch::Receiver<Option<LeaseEnd>>,
    pub(in crate::kinesis) budget: Arc<Mutex<PushBudget>>,
}

/// Why a consumer cannot subscribe to a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kinesis) enum LeaseRefusal {
    /// More than one call per second.
    TooManyCalls,
    /// The previous subscription cannot be taken over yet.
    InUse,
}

impl Consumers {
    /// Forgets the consumers whose deregistration is complete.
    pub(in crate::kinesis) fn drop_deregistered(&mut self, now: UnixMillis) {
        self.0.retain(|_, consumer| !consumer.is_gone(now));
    }

    pub(in crate::kinesis) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::kinesis) fn contains(&self, name: &ConsumerName) -> bool {
        self.0.contains_key(name)
    }

    /// The number of consumers that are being created.
    pub(in crate::kinesis) fn creating(&self, now: UnixMillis) -> usize {
        let is_creating = |consumer: &&Consumer| consumer.status(now) == ConsumerStatus::Creating;
        self.0.values().filter(is_creating).count()
    }

    pub(in crate::kinesis) fn insert(&mut self, consumer: Consumer) {
        self.0.insert(consumer.name.clone(), consumer);
    }

    pub(in crate::kinesis) fn find(&mut self, wanted: ConsumerId<'_>) -> Option<&mut Consumer> {
        match wanted {
            ConsumerId::Name(_, name) => self.0.get_mut(name),
            ConsumerId::Arn(arn) => self.0.values_mut().find(|found| found.arn == *arn),
        }
    }

    /// The consumers after a name, in the order of their names.
    pub(in crate::kinesis) fn after(
        &self,
        name: Option<&ConsumerName>,
    ) -> impl Iterator<Item = &Consumer> {
        let from = name.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.0.range::<ConsumerName, _>((from, Bound::Unbounded));
        range.map(|(_, consumer)| consumer)
    }

    /// Ends all subscriptions and forgets all consumers, because the stream is deleted.
    pub(in crate::kinesis) fn delete_all(&mut self) {
        for consumer in self.0.values() {
            consumer.end_subscriptions(LeaseEnd::StreamDeleted);
        }
        self.0.clear();
    }
}

impl Consumer {
    /// A consumer that is being created until `active_from`.
    pub(in crate::kinesis) fn new(
        name: ConsumerName,
        arn: ConsumerArn,
        created_at: UnixMillis,
        active_from: UnixMillis,
    ) -> Self {
        Self {
            name,
            arn,
            created_at,
            tags: BTreeMap::new(),
            phase: ConsumerStatus::Creating,
            phase_ends: active_from,
            leases: BTreeMap::new(),
        }
    }

    pub(in crate::kinesis) fn summary(&self, now: UnixMillis) -> ConsumerSummary {
        let (name, arn) = (self.name.clone(), self.arn.clone());
        ConsumerSummary::new(name, arn, self.status(now), self.created_at)
    }

    /// The status at `now`. `Deleting` stays until the consumer is forgotten.
    pub(in crate::kinesis) fn status(&self, now: UnixMillis) -> ConsumerStatus {
        if self.phase == ConsumerStatus::Creating && now >= self.phase_ends {
            ConsumerStatus::Active
        } else {
            self.phase
        }
    }

    fn is_gone(&self, now: UnixMillis) -> bool {
        self.phase == ConsumerStatus::Deleting && now >= self.phase_ends
    }

    pub(in crate::kinesis) fn with_tags(mut self, tags: BTreeMap<String, String>) -> Self {
        self.tags = tags;
        self
    }

    #[cfg(feature = "simulator")]
    pub(in crate::kinesis) fn tags(&mut self) -> &mut BTreeMap<String, String> {
        &mut self.tags
    }

    /// Ends the subscriptions, and the consumer itself at `until`.
    pub(in crate::kinesis) fn deregister(&mut self, until: UnixMillis) {
        self.phase = ConsumerStatus::Deleting;
        self.phase_ends = until;
        self.end_subscriptions(LeaseEnd::Deregistered);
    }

    fn end_subscriptions(&self, end: LeaseEnd) {
        for lease in self.leases.values() {
            lease.end.send_replace(Some(end));
        }
    }

    /// Subscribes to the shard with this index and ends the previous subscription to it, which must be old enough,
    /// whether or not it is still used. A failed call leaves that one alone.
    pub(in crate::kinesis) fn subscribe(
        &mut self,
        shard_index: u32,
        now: UnixMillis,
        enforce_limits: bool,
    ) -> Result<HeldLease, LeaseRefusal> {
        let lease = self.leases.entry(shard_index).or_insert_with(|| Lease {
            since: None,
            end: watch::Sender::new(None),
            budget: Arc::new(Mutex::new(PushBudget::new())),
        });
        let admits_call = || {
            let mut budget = lease.budget.lock().unwrap_or_else(PoisonError::into_inner);
            budget.admits_call(now)
        };
        if enforce_limits && !admits_call() {
            return Err(LeaseRefusal::TooManyCalls);
        }
        if let Some(since) = lease.since
            && now.since(since) < TAKE_OVER_AGE
        {
            return Err(LeaseRefusal::InUse);
        }
        lease.end.send_replace(Some(LeaseEnd::TakenOver));
        let (end, held) = watch::channel(None);
        lease.end = end;
        lease.since = Some(now);
        Ok(HeldLease {
            end: held,
            budget: Arc::clone(&lease.budget),
        })
    }
}
