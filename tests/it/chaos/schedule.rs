//! What happens in one simulation: all of it drawn from a seed before anything runs.

mod draw;

use std::fmt;
use std::time::Duration;

use datafusion_kinesis::model::Trigger;
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
    /// In the order of their times.
    pub(super) events: Vec<(Duration, Event)>,
    /// The starts of the query, one after the other as far as there is time.
    pub(super) lives: Vec<LifePlan>,
    pub(super) last: LastPlan,
}

/// What the query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Query {
    /// Gives the rows as they are.
    Copies,
    /// Groups them by their key, in output mode `update`.
    Groups,
}

/// The start that comes to the end of the stream: nothing fails any more.
#[derive(Debug, Clone)]
pub(super) struct LastPlan {
    pub(super) trigger: Trigger,
    pub(super) partitions: usize,
    /// How far its clock is set back once it runs, and how long that is before it must have caught up.
    pub(super) set_back: Option<(i64, Duration)>,
    /// What happens to the stream right before it must have caught up.
    pub(super) reshard: Option<Event>,
    pub(super) retention: Option<Retention>,
    /// Writes right before and right behind that.
    pub(super) writer: WriterPlan,
}

/// The stream is older than it keeps records when the last start begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retention {
    /// How much of what was written last is still there.
    pub(super) kept: Duration,
    /// Whether a loss is to end the query; the start behind that goes on without what is lost.
    pub(super) fails: bool,
}

/// How the simulated service is.
#[derive(Debug, Clone)]
pub(super) struct ServicePlan {
    pub(super) shards: u32,
    pub(super) enforces_limits: bool,
    pub(super) shards_per_page: usize,
    /// How long a stream is being changed.
    pub(super) status_delay: Duration,
}

/// Where the query starts to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    TrimHorizon,
    /// At the time the stream was made.
    AtTimestamp,
    Latest,
}

#[derive(Debug, Clone)]
pub(super) struct WriterPlan {
    pub(super) seed: u64,
    pub(super) keys: u32,
    /// The longest wait between two requests.
    pub(super) pause: Duration,
    /// The most entries of a request.
    pub(super) entries: usize,
    /// The share of entries that are aggregates.
    pub(super) aggregated: f64,
    /// Requests that a list of the shards is used for.
    pub(super) map_age: u32,
}

/// What happens to the stream and to the clock.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Weather(Weather),
    /// Splits an open shard.
    Split {
        /// Which one, from 0.0 to 1.0 over the hash keys.
        at: f64,
        /// How much of it the first half gets.
        share: f64,
    },
    /// Merges the open shard there with its neighbour.
    Merge {
        at: f64,
    },
    /// Goes to this many times as many shards.
    Scale {
        factor: f64,
    },
    /// Sets the clock of the query this far from that of the service.
    Clock {
        offset_millis: i64,
    },
}

/// How the service fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    Calm,
    Rough,
    Throttled,
    Slow,
    Expiring,
    /// Nothing is answered at all.
    Away,
}

/// One start of the query and how it ends.
#[derive(Debug, Clone)]
pub(super) struct LifePlan {
    /// From the end of the life before.
    pub(super) wait: Duration,
    /// When the next start comes although this one still lives.
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

/// How a life ends, where nothing else ends it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    /// Killed at its limit.
    Limit,
    /// Asked to stop at this time.
    Stop(Duration),
    /// Killed where it reaches the step for the so-and-so-many-th time.
    Step(Step, usize),
    /// Killed so many rounds of the scheduler behind that.
    Rounds(Step, usize, u32),
    /// Killed in the so-and-so-many-th call of its log, before its effect or behind it.
    Call(u64, Side),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    Behind,
}

/// How the log fails: shares of the calls.
#[derive(Debug, Clone)]
pub(super) struct StorePlan {
    /// Without an effect.
    pub(super) fails: f64,
    /// With it.
    pub(super) loses: f64,
    pub(super) throttles: f64,
    pub(super) latency: Duration,
    /// From this call on so many fail.
    pub(super) outage: Option<(u64, u64)>,
}

/// How the sink is.
#[derive(Debug, Clone)]
pub(super) struct SinkPlan {
    /// The share of batches it fails, half of them once they are written.
    pub(super) fails: f64,
    /// The longest it takes.
    pub(super) latency: Duration,
}

impl LifePlan {
    /// Whether a loss is to end it.
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
