//! Counts what simulations covered, so that missing coverage is noticed.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

/// Something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Met {
    Schedules,
    SchedulesWithReshardUnderLag,
    SchedulesWithKillBeforeCommit,
    SchedulesWithThrottledStore,
    Starts,
    Subscribing,
    Subscriptions,
    Kills,
    KillsBeforeCommit,
    Fencings,
    Outages,
    SinkFailures,
    StoreThrottles,
    ClockJumps,
    Reshards,
    ReshardsUnderLag,
    Batches,
    BatchesAgain,
    CutAggregates,
    Rows,
    Duplicates,
    Misplaced,
    Lost,
    LossesTold,
    SchedulesWithGroups,
    SchedulesInJson,
    SchedulesInCbor,
    Groups,
    Deltas,
    Snapshots,
    StateFilesRead,
    StateFilesDeleted,
}

impl Met {
    const ALL: [(Self, &str); 32] = [
        (Self::Schedules, "schedules"),
        (
            Self::SchedulesWithReshardUnderLag,
            "schedules with a reshard under lag",
        ),
        (
            Self::SchedulesWithKillBeforeCommit,
            "schedules with a kill between offsets and commit",
        ),
        (
            Self::SchedulesWithThrottledStore,
            "schedules with a throttled committer",
        ),
        (Self::Starts, "starts"),
        (Self::Subscribing, "starts that subscribe to shards"),
        (Self::Subscriptions, "subscriptions"),
        (Self::Kills, "kills"),
        (Self::KillsBeforeCommit, "kills between offsets and commit"),
        (Self::Fencings, "fenced starts"),
        (Self::Outages, "starts ended by an outage"),
        (Self::SinkFailures, "starts ended by their sink"),
        (Self::StoreThrottles, "throttled calls of the committer"),
        (Self::ClockJumps, "clock jumps"),
        (Self::Reshards, "splits, merges and scalings"),
        (Self::ReshardsUnderLag, "reshards under lag"),
        (Self::Batches, "batches"),
        (Self::BatchesAgain, "batches repeated at the sink"),
        (Self::CutAggregates, "ranges that end inside an aggregate"),
        (Self::Rows, "rows"),
        (Self::Duplicates, "rows put more than once"),
        (Self::Misplaced, "misplaced user records"),
        (Self::Lost, "expired rows"),
        (Self::LossesTold, "starts that reported a loss"),
        (Self::SchedulesWithGroups, "schedules with a GROUP BY"),
        (Self::SchedulesInJson, "schedules over HTTP in JSON"),
        (Self::SchedulesInCbor, "schedules over HTTP in CBOR"),
        (Self::Groups, "groups at the end"),
        (Self::Deltas, "state deltas"),
        (Self::Snapshots, "parts of state snapshots"),
        (Self::StateFilesRead, "state files read by a start"),
        (Self::StateFilesDeleted, "deleted old state files"),
    ];
}

/// Counts over one or many simulations.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(BTreeMap<Met, u64>);

impl Tally {
    pub(super) fn add(&mut self, what: Met, count: u64) {
        *self.0.entry(what).or_default() += count;
    }

    pub(super) fn of(&self, what: Met) -> u64 {
        self.0.get(&what).copied().unwrap_or_default()
    }

    /// Counts the simulation itself once it has ended.
    pub(super) fn close(&mut self) {
        self.add(Met::Schedules, 1);
        for (event, schedules) in [
            (Met::ReshardsUnderLag, Met::SchedulesWithReshardUnderLag),
            (Met::KillsBeforeCommit, Met::SchedulesWithKillBeforeCommit),
            (Met::StoreThrottles, Met::SchedulesWithThrottledStore),
            (Met::Groups, Met::SchedulesWithGroups),
        ] {
            self.add(schedules, u64::from(self.of(event) > 0));
        }
    }

    /// What was never covered.
    pub(super) fn unmet(&self) -> Vec<&'static str> {
        let unmet = Met::ALL.into_iter().filter(|(what, _)| self.of(*what) == 0);
        unmet.map(|(_, name)| name).collect()
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            self.add(*what, *count);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, name) in Met::ALL {
            writeln!(f, "{:>9} {name}", self.of(what))?;
        }
        Ok(())
    }
}
