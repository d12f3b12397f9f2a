//! The schedule of a simulation, drawn from a seed before anything runs.

mod draw;

use std::fmt;
use std::time::Duration;

use datafusion_kinesis::model::{Trigger, WireFormat};
use datafusion_kinesis::query::Step;

/// One simulation.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) seed: u64,
    pub(super) query: Query,
    pub(super) service: ServicePlan,
    pub(super) start: Start,
    /// How long writers write and events happen.
    pub(super) length: Duration,
    pub(super) writers: Vec<WriterPlan>,
    /// Ordered by time.
    pub(super) events: Vec<(Duration, Event)>,
    /// The starts of the query, one after another while there is time.
    pub(super) lives: Vec<LifePlan>,
    pub(super) last: LastPlan,
}

/// The kind of query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Query {
    /// Copies the rows.
    Copies,
    /// Groups the rows by key, in output mode `update`.
    Groups,
}

/// The start that catches up, without further faults.
#[derive(Debug, Clone)]
pub(super) struct LastPlan {
    pub(super) trigger: Trigger,
    pub(super) partitions: usize,
    /// How far its clock is set back while it runs, and how long before it must have caught up.
    pub(super) set_back: Option<(i64, Duration)>,
    /// What happens to the stream right before it must have caught up.
    pub(super) reshard: Option<Event>,
    pub(super) retention: Option<Retention>,
    /// Writes right before and right after that.
    pub(super) writer: WriterPlan,
}

/// The stream is older than its retention when the last start begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retention {
    /// The share of the newest records that has not expired.
    pub(super) kept: Duration,
    /// Whether a loss ends the query. The next start then continues without the lost records.
    pub(super) fails: bool,
}

/// Behavior of the simulated service.
#[derive(Debug, Clone)]
pub(super) struct ServicePlan {
    pub(super) shards: u32,
    pub(super) enforces_limits: bool,
    pub(super) shards_per_page: usize,
    /// How long a stream is being updated.
    pub(super) status_delay: Duration,
    /// The format of requests if they are sent over HTTP.
    pub(super) over_http: Option<WireFormat>,
}

/// The starting position of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    TrimHorizon,
    /// The time when the stream was created.
    AtTimestamp,
    Latest,
}

#[derive(Debug, Clone)]
pub(super) struct WriterPlan {
    pub(super) seed: u64,
    pub(super) keys: u32,
    /// Longest wait between two requests.
    pub(super) pause: Duration,
    /// Maximum entries of a request.
    pub(super) entries: usize,
    /// Share of entries that are aggregates.
    pub(super) aggregated: f64,
    /// Number of requests for which a list of the shards is used.
    pub(super) map_age: u32,
}

/// Events of the stream and the clock.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Weather(Weather),
    /// Splits an open shard.
    Split {
        /// Which shard, from 0.0 to 1.0 over the hash keys.
        at: f64,
        /// Share of the first part.
        share: f64,
    },
    /// Merges the open shard there with its neighbor.
    Merge {
        at: f64,
    },
    /// Scales to a multiple of the shards.
    Scale {
        factor: f64,
    },
    /// Sets the offset of the query's clock from the service's.
    Clock {
        offset_millis: i64,
    },
}

/// Failures of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    Calm,
    Rough,
    Throttled,
    Slow,
    Expiring,
    /// No responses at all.
    Away,
}

/// One start of the query and how it ends.
#[derive(Debug, Clone)]
pub(super) struct LifePlan {
    /// Measured from the end of the previous start.
    pub(super) wait: Duration,
    /// When the next start begins although this one is still running.
    pub(super) overlap: Option<Duration>,
    pub(super) ending: Ending,
    /// When it is killed at the latest.
    pub(super) limit: Duration,
    pub(super) trigger: Trigger,
    pub(super) options: Vec<(&'static str, String)>,
    pub(super) partitions: usize,
    pub(super) store: StorePlan,
    pub(super) sink: SinkPlan,
    pub(super) seed: u64,
}

/// How a start ends if nothing else ends it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    /// Killed at its time limit.
    Limit,
    /// Stopped at this time.
    Stop(Duration),
    /// Killed when it reaches the step for the n-th time.
    Step(Step, usize),
    /// Killed this many rounds of the scheduler later.
    Rounds(Step, usize, u32),
    /// Killed in the n-th call of its log, before or after it takes effect.
    Call(u64, Side),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    Behind,
}

/// Failures of the log, as shares of the calls.
#[derive(Debug, Clone)]
pub(super) struct StorePlan {
    /// Without effect.
    pub(super) fails: f64,
    /// With effect.
    pub(super) loses: f64,
    pub(super) throttles: f64,
    pub(super) latency: Duration,
    /// From this call on, this many calls fail.
    pub(super) outage: Option<(u64, u64)>,
}

/// Behavior of the sink.
#[derive(Debug, Clone)]
pub(super) struct SinkPlan {
    /// Share of batches that it fails, half of them after writing.
    pub(super) fails: f64,
    /// Its longest delay.
    pub(super) latency: Duration,
}

impl LifePlan {
    /// Whether a loss ends it.
    pub(super) fn fails_on_loss(&self) -> bool {
        let option = ("kinesis.failOnDataLoss", "true".to_owned());
        self.options.contains(&option)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed, query, start, ..
        } = self;
        writeln!(
            f,
            "seed {seed}, {query:?} from {start:?}, {:?}",
            self.service
        )?;
        for (number, writer) in self.writers.iter().enumerate() {
            writeln!(f, "writer {number}: {writer:?}")?;
        }
        for (time, event) in &self.events {
            writeln!(f, "{:>8} ms: {event:?}", time.as_millis())?;
        }
        for (number, life) in self.lives.iter().enumerate() {
            writeln!(f, "life {number}: {life:?}")?;
        }
        writeln!(f, "last life: {:?}", self.last)?;
        Ok(())
    }
}
