//! The points of the charts: one for each kept batch, and one for every few seconds of the last hour.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::rate;
use crate::model::{BatchId, UnixMillis};
use crate::query::{ObservedQuery, StreamingQueryProgress};

/// The steps of a batch by Spark's names, in their order. What they leave of the duration of the batch is the last.
pub(in crate::monitor) const PHASES: [&str; 7] = [
    "latestOffset",
    "getBatch",
    "walCommit",
    "queryPlanning",
    "addBatch",
    "commitOffsets",
    "other",
];

/// The time that a kept point of the last hour stands for.
const STEP_MILLIS: i64 = 2_000;

/// How many of them are kept.
const KEPT_POINTS: usize = 1_800;

/// About how many are drawn: a chart has hardly more pixels, and browsers draw it again every two seconds.
const DRAWN_POINTS: i64 = 300;

/// What one batch did, or some batches in succession.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::monitor) struct Point {
    /// When the first batch started.
    pub(in crate::monitor) time: UnixMillis,
    pub(in crate::monitor) first: BatchId,
    pub(in crate::monitor) last: BatchId,
    batches: u32,
    pub(in crate::monitor) rows: u64,
    /// Over all of them.
    processing: Duration,
    phases: [Duration; PHASES.len()],
    input_rate: Option<f64>,
    /// The largest.
    pub(in crate::monitor) scheduling_delay: Duration,
    pub(in crate::monitor) lag: Option<Duration>,
    pub(in crate::monitor) watermark_delay: Option<Duration>,
    /// After the last.
    pub(in crate::monitor) state_rows: Option<u64>,
    pub(in crate::monitor) state_bytes: Option<u64>,
    /// Over all of them.
    pub(in crate::monitor) late_rows: Option<u64>,
}

impl Point {
    pub(super) fn of(batch: &StreamingQueryProgress) -> Self {
        let lags = batch.sources.iter();
        let lags = lags.filter_map(|source| source.metrics.max_behind_latest);
        let watermark = batch.event_time.as_ref().and_then(|times| times.watermark);
        let state = batch.state_operator.as_ref();
        Self {
            time: batch.timestamp,
            first: batch.batch_id,
            last: batch.batch_id,
            batches: 1,
            rows: batch.num_input_rows,
            processing: batch.processing_time,
            phases: phases(batch),
            input_rate: rate(batch.input_rows_per_second),
            scheduling_delay: batch.scheduling_delay,
            lag: lags.max(),
            watermark_delay: watermark.map(|watermark| batch.timestamp.since(watermark)),
            state_rows: state.map(|state| state.rows_total),
            state_bytes: state.map(|state| state.memory_bytes as u64),
            late_rows: state.map(|state| state.rows_dropped_by_watermark),
        }
    }

    /// Adds later batches.
    fn include(&mut self, later: &Self) {
        let (weight, more) = (f64::from(self.batches), f64::from(later.batches));
        self.input_rate = match (self.input_rate, later.input_rate) {
            (Some(one), Some(other)) => Some((one * weight + other * more) / (weight + more)),
            (one, other) => other.or(one),
        };
        self.last = later.last;
        self.batches += later.batches;
        self.rows += later.rows;
        self.processing += later.processing;
        for (phase, more) in self.phases.iter_mut().zip(later.phases) {
            *phase += more;
        }
        self.scheduling_delay = self.scheduling_delay.max(later.scheduling_delay);
        self.lag = self.lag.max(later.lag);
        self.watermark_delay = self.watermark_delay.max(later.watermark_delay);
        self.state_rows = later.state_rows.or(self.state_rows);
        self.state_bytes = later.state_bytes.or(self.state_bytes);
        self.late_rows = match (self.late_rows, later.late_rows) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => other.or(one),
        };
    }

    /// Rows read per second since the previous batch.
    pub(in crate::monitor) fn input_rate(&self) -> Option<f64> {
        self.input_rate
    }

    /// Rows read per second of processing.
    pub(in crate::monitor) fn processing_rate(&self) -> Option<f64> {
        rate(self.rows as f64 / self.processing.as_secs_f64())
    }

    /// How long a step of a batch took on average, by its place in [`PHASES`].
    pub(in crate::monitor) fn phase(&self, index: usize) -> Duration {
        self.phases[index] / self.batches
    }
}

fn phases(batch: &StreamingQueryProgress) -> [Duration; PHASES.len()] {
    let mut phases = PHASES.map(|phase| batch.durations.get(phase).copied().unwrap_or_default());
    let named: Duration = phases.iter().sum();
    phases[PHASES.len() - 1] = batch.processing_time.saturating_sub(named);
    phases
}

/// The last hour of each run, as far as somebody looked.
#[derive(Debug, Default)]
pub(in crate::monitor) struct Histories {
    runs: Mutex<BTreeMap<String, VecDeque<Point>>>,
}

impl Histories {
    /// Takes the batches that are new, and forgets the runs that are gone.
    pub(super) fn sample(&self, observed: &[ObservedQuery]) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|id, _| observed.iter().any(|run| run.run_id() == id));
        for run in observed {
            let points = runs.entry(run.run_id().to_owned()).or_default();
            let seen = points.back().map(|point| point.last);
            for batch in run.recent_progress() {
                if Some(batch.batch_id) > seen {
                    add(points, Point::of(&batch));
                }
            }
        }
    }

    /// The last hour of a run.
    pub(super) fn of(&self, run_id: &str) -> Hour {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.get(run_id).map(Hour::of).unwrap_or_default()
    }
}

/// The last hour of a run as it is drawn.
#[derive(Debug, Default)]
pub(in crate::monitor) struct Hour {
    /// Oldest first; none for times without a batch.
    pub(in crate::monitor) points: Vec<Point>,
    /// The time that each stands for.
    pub(in crate::monitor) step: Duration,
}

impl Hour {
    /// Steps are as long as the time that is covered requires. They do not move while time goes on.
    fn of(kept: &VecDeque<Point>) -> Self {
        let times = kept.front().zip(kept.back());
        let covered = times.map_or(0, |(first, last)| last.time.0 - first.time.0);
        // The clock of the machine may have gone back.
        let steps = covered.max(0) / (STEP_MILLIS * DRAWN_POINTS) + 1;
        let millis = STEP_MILLIS * steps;
        let step = |point: &Point| point.time.0.div_euclid(millis);
        let mut points: Vec<Point> = Vec::new();
        for point in kept {
            match points.last_mut() {
                Some(last) if step(last) == step(point) => last.include(point),
                _ => points.push(point.clone()),
            }
        }
        Self {
            points,
            step: Duration::from_millis(millis.unsigned_abs()),
        }
    }
}

fn add(points: &mut VecDeque<Point>, point: Point) {
    let step = |point: &Point| point.time.0.div_euclid(STEP_MILLIS);
    match points.back_mut() {
        Some(last) if step(last) == step(&point) => last.include(&point),
        _ => points.push_back(point),
    }
    let oldest = step(&points[points.len() - 1]) - KEPT_POINTS as i64;
    while points.front().is_some_and(|first| step(first) <= oldest) {
        points.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(batch: u64, time: i64) -> Point {
        Point {
            time: UnixMillis(time),
            first: BatchId(batch),
            last: BatchId(batch),
            batches: 1,
            rows: 10,
            processing: Duration::from_millis(100),
            phases: [Duration::from_millis(10); PHASES.len()],
            input_rate: Some(batch as f64),
            scheduling_delay: Duration::from_millis(batch),
            lag: (batch > 1).then(|| Duration::from_millis(batch)),
            watermark_delay: None,
            state_rows: Some(batch),
            state_bytes: None,
            late_rows: Some(1),
        }
    }

    #[test]
    fn batches_within_two_seconds_are_one_point() {
        let mut points = VecDeque::new();
        for (batch, time) in [(1, 2_000), (2, 2_900), (3, 3_999), (4, 4_000)] {
            add(&mut points, point(batch, time));
        }
        assert_eq!(points.len(), 2);
        let merged = &points[0];
        assert_eq!((merged.first, merged.last), (BatchId(1), BatchId(3)));
        assert_eq!((merged.rows, merged.late_rows), (30, Some(3)));
        assert_eq!(merged.input_rate(), Some(2.0));
        assert_eq!(merged.processing_rate(), Some(100.0));
        assert_eq!(merged.phase(0), Duration::from_millis(10));
        assert_eq!(merged.lag, Some(Duration::from_millis(3)));
        assert_eq!(merged.state_rows, Some(3));
    }

    #[test]
    fn the_longer_the_time_the_more_of_it_is_in_a_point() {
        let hour = |batches: u64| {
            let mut points = VecDeque::new();
            for batch in 0..batches {
                add(&mut points, point(batch, batch as i64 * STEP_MILLIS));
            }
            Hour::of(&points)
        };
        for (batches, seconds, drawn) in [
            (0, 2, 0),
            (1, 2, 1),
            (300, 2, 300),
            (301, 4, 151),
            (1_800, 12, 300),
        ] {
            let hour = hour(batches);
            assert_eq!(hour.step, Duration::from_secs(seconds), "{batches}");
            assert_eq!(hour.points.len(), drawn, "{batches}");
            let rows: u64 = hour.points.iter().map(|point| point.rows).sum();
            assert_eq!(rows, batches * 10, "{batches}");
        }
        let last = hour(1_800).points.pop().unwrap();
        assert_eq!((last.first, last.last), (BatchId(1_794), BatchId(1_799)));
        assert_eq!(last.input_rate(), Some(1_796.5));
    }

    #[test]
    fn points_of_several_batches_count_as_many_times() {
        let mut one = point(1, 2_000);
        let mut both = point(4, 4_000);
        both.include(&point(7, 4_500));
        one.include(&both);
        assert_eq!(one.input_rate(), Some(4.0));
    }

    #[test]
    fn an_hour_is_kept() {
        let mut points = VecDeque::new();
        for batch in 0..4_000 {
            add(&mut points, point(batch, batch as i64 * STEP_MILLIS));
        }
        assert_eq!(points.len(), KEPT_POINTS);
        add(&mut points, point(4_000, 4_000 * STEP_MILLIS * 2));
        assert_eq!(points.len(), 1, "older points are gone after a pause");
    }
}
