//! What a query tells about its health.

use std::fmt;
use std::time::Duration;

/// Whether a query works as it should.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HealthState {
    /// No alarm is raised.
    #[default]
    Healthy,
    /// An alarm is raised, or the query has failed.
    Unhealthy,
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        })
    }
}

/// What makes a query unhealthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Alarm {
    /// Rows wait longer than `streaming.alarm_lag`.
    Lag,
    /// No batch was committed for `streaming.alarm_stuck`, although rows wait.
    Stuck,
    /// The share of requests that fail or are throttled is above `streaming.alarm_error_rate`.
    ErrorRate,
    /// The query has failed. Needs no setting.
    Failed,
}

/// The names in JSON: `lag`, `stuck`, `errorRate` and `failed`.
impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lag => "lag",
            Self::Stuck => "stuck",
            Self::ErrorRate => "errorRate",
            Self::Failed => "failed",
        })
    }
}

/// A raised alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthReason {
    /// The alarm.
    pub alarm: Alarm,
    /// What was found, and the limit.
    pub message: String,
}

/// `alarm: message`.
impl fmt::Display for HealthReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.alarm, self.message)
    }
}

/// The health of a query.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct QueryHealth {
    /// Whether an alarm is raised.
    pub state: HealthState,
    /// The raised alarms.
    pub reasons: Vec<HealthReason>,
    /// The figures, whether or not alarms are set.
    pub rates: HealthRates,
}

/// Figures about the health of a query. Shares are between 0 and 1.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct HealthRates {
    /// An upper bound of the age of the oldest row that is not committed: the lag of the streams, or that of the batch
    /// that runs. `None` if nothing is known yet.
    pub processing_lag: Option<Duration>,
    /// The share of requests that failed or were throttled in the last minute, of those that read the streams, PutRecords
    /// calls, and requests to the checkpoint; `None` if there was none. A PutRecords call counts if one of its records
    /// was rejected.
    pub error_rate: Option<f64>,
    /// The share of requests that were throttled in the last minute, of those that read the streams and PutRecords
    /// calls.
    pub throttle_rate: Option<f64>,
    /// The share of requests to the checkpoint that succeeded since the start.
    pub checkpoint_success_rate: Option<f64>,
    /// How often this run had to recover: it started with a batch that an earlier run had not finished, was restarted
    /// after a failure, took its checkpoint over again, or went on with a recreated stream.
    pub recoveries: u64,
    /// The recoveries per hour of this run; in its first hour, their number.
    pub recoveries_per_hour: f64,
}

impl QueryHealth {
    /// Whether the query is healthy.
    pub fn is_healthy(&self) -> bool {
        self.state == HealthState::Healthy
    }
}

/// `healthy`, or `unhealthy` with the reasons.
impl fmt::Display for QueryHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state)?;
        for (index, reason) in self.reasons.iter().enumerate() {
            let separator = if index == 0 { " (" } else { "; " };
            write!(f, "{separator}{reason}")?;
        }
        match self.reasons.is_empty() {
            true => Ok(()),
            false => f.write_str(")"),
        }
    }
}
