//! What the simulations have met, so that they cannot go blind unseen.

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
    Groups,
    Deltas,
    Snapshots,
    StateFilesRead,
    StateFilesDeleted,
}

impl Met {
    const ALL: [(Self, &str); 28] = [
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
        (Self::Kills, "kills"),
        (Self::KillsBeforeCommit, "kills between offsets and commit"),
        (Self::Fencings, "starts that were fenced"),
        (Self::Outages, "starts that an outage ended"),
        (Self::SinkFailures, "starts that their sink ended"),
        (Self::StoreThrottles, "throttled calls of the committer"),
        (Self::ClockJumps, "clock jumps"),
        (Self::Reshards, "splits, merges and scalings"),
        (Self::ReshardsUnderLag, "of them under lag"),
        (Self::Batches, "batches"),
        (Self::BatchesAgain, "batches that came to the sink again"),
        (Self::CutAggregates, "ranges that end inside an aggregate"),
        (Self::Rows, "rows"),
        (Self::Duplicates, "rows that were put more than once"),
        (Self::Misplaced, "user records in the shard of others"),
        (Self::Lost, "rows that retention took"),
        (Self::LossesTold, "starts that told of a loss"),
        (Self::SchedulesWithGroups, "schedules with a GROUP BY"),
        (Self::Groups, "groups at the end"),
        (Self::Deltas, "deltas of the state"),
        (Self::Snapshots, "parts of snapshots of it"),
        (Self::StateFilesRead, "files of it that a start has read"),
        (Self::StateFilesDeleted, "old files of it that were deleted"),
    ];
}

/// Counts over one simulation or many.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(BTreeMap<Met, u64>);

impl Tally {
    pub(super) fn add(&mut self, what: Met, count: u64) {
        *self.0.entry(what).or_default() += count;
    }

    pub(super) fn of(&self, what: Met) -> u64 {
        self.0.get(&what).copied().unwrap_or_default()
    }

    /// Counts the simulation itself once it is over.
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

    /// What was never met.
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
