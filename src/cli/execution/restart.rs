//! When a statement that has failed is started again.

use std::time::Duration;

use datafusion::error::DataFusionError;

use tokio::time::sleep;

use crate::ErrorKind;
use crate::cli::args::RestartPolicy;
use crate::cli::console::print_message;
use crate::cli::failure::Failure;
use crate::cli::signals::Stop;
use crate::cli::statements::Statement;
use crate::error::datafusion_kind;
use crate::options::redact;
use crate::query::StreamingQueries;

const NO_CHECKPOINT: &str = "not restarting: without a checkpoint the statement would begin again at its starting \
    position; set one with SET streaming.checkpoint_location = 'file:///some/directory' (or s3://…)";

/// The wait before the first restart. Each further one waits twice as long, up to the longest wait.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// After a run of this length, waits and the limit begin again.
const RAN_WELL: Duration = Duration::from_secs(300);

/// The restarts of a statement.
#[derive(Debug)]
pub(super) struct Restarts {
    policy: Option<RestartPolicy>,
    /// Restarts in total.
    count: u32,
    /// Restarts since the last run that went well.
    in_a_row: u32,
    /// Whether another run would not continue where the last one has ended.
    loses_progress: bool,
    random: fastrand::Rng,
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AfterFailure {
    /// Another start, after this time.
    Restart(Duration),
    /// There were so many restarts in a row.
    GiveUp(u32),
    /// It would begin from scratch.
    LoseProgress,
    /// A restart would not help, or nobody asked for one.
    Fail,
}

impl Restarts {
    pub(super) fn new(policy: Option<RestartPolicy>, random: fastrand::Rng) -> Self {
        Self {
            policy,
            count: 0,
            in_a_row: 0,
            loses_progress: false,
            random,
        }
    }

    /// How many there have been.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Another run would not continue where this one ends.
    pub(super) fn lose_progress(&mut self) {
        self.loses_progress = true;
    }

    /// Somebody has asked for the end, and does not want another run.
    pub(super) fn stop(&mut self) {
        self.policy = None;
    }

    /// Returns once it is time for another run after `error`, of a run that took `ran`, or with the failure, or when
    /// it is `stopped`.
    pub(super) async fn wait(
        &mut self,
        error: DataFusionError,
        ran: Duration,
        statement: &Statement,
        queries: &StreamingQueries,
        stopped: impl Future<Output = Stop>,
    ) -> Result<(), Failure> {
        let after = self.after(&error, ran);
        let failure = Failure::from(error);
        let wait = match after {
            AfterFailure::Restart(wait) => wait,
            AfterFailure::LoseProgress => {
                print_message(NO_CHECKPOINT);
                return Err(failure);
            }
            AfterFailure::GiveUp(restarts) => {
                print_message(&format!("giving up; restarts in a row: {restarts}"));
                return Err(failure);
            }
            AfterFailure::Fail => return Err(failure),
        };
        let reason = redact::message(&failure.message(), &statement.text);
        let (count, seconds) = (self.count, wait.as_secs_f64());
        print_message(&format!("{reason}\nrestart {count} in {seconds:.1} s"));
        let line = statement.line();
        let _hold = queries.hold_readiness(format!(
            "the statement at line {line} has failed and is about to be started again (restart {count}): {reason}"
        ));
        tokio::select! {
            biased;
            stop = stopped => Err(Failure::Stopped(stop)),
            () = sleep(wait) => Ok(()),
        }
    }

    /// What follows `error`, of a run that took `ran`.
    fn after(&mut self, error: &DataFusionError, ran: Duration) -> AfterFailure {
        let Some(policy) = self.policy.filter(|_| may_pass(error)) else {
            return AfterFailure::Fail;
        };
        if self.loses_progress {
            return AfterFailure::LoseProgress;
        }
        if ran >= RAN_WELL {
            self.in_a_row = 0;
        }
        if policy.limit.is_some_and(|limit| self.in_a_row >= limit) {
            return AfterFailure::GiveUp(self.in_a_row);
        }
        let doubled =
            FIRST_WAIT.saturating_mul(1_u32.checked_shl(self.in_a_row).unwrap_or(u32::MAX));
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.count = self.count.saturating_add(1);
        // Jitter, so that the queries of a fleet do not come back all at once.
        let wait = doubled
            .min(LONGEST_WAIT)
            .mul_f64(0.5 + self.random.f64() / 2.0);
        AfterFailure::Restart(wait)
    }
}

/// Whether the same statement may succeed later without anybody's doing.
fn may_pass(error: &DataFusionError) -> bool {
    datafusion_kind(error) == ErrorKind::Unavailable
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn error(kind: ErrorKind) -> DataFusionError {
        Error::new(kind, "it failed").into()
    }

    fn restarts(limit: Option<u32>) -> Restarts {
        Restarts::new(Some(RestartPolicy { limit }), fastrand::Rng::with_seed(7))
    }

    const SHORT: Duration = Duration::from_secs(10);

    #[test]
    fn only_what_may_pass_is_restarted() {
        use ErrorKind::*;
        for kind in [
            InvalidOption,
            InvalidRow,
            NotFound,
            AccessDenied,
            ResourcesExhausted,
            UserFunction,
            Unsupported,
            Fenced,
            Checkpoint,
            DataLoss,
            Internal,
        ] {
            let after = restarts(None).after(&error(kind), SHORT);
            assert_eq!(after, AfterFailure::Fail, "{kind:?}");
        }
        let away = error(Unavailable);
        let after = restarts(None).after(&away, SHORT);
        assert!(matches!(after, AfterFailure::Restart(_)));
        let mut never = Restarts::new(None, fastrand::Rng::new());
        assert_eq!(never.after(&away, SHORT), AfterFailure::Fail);
    }

    #[test]
    fn a_run_without_a_checkpoint_is_not_restarted() {
        let mut restarts = restarts(None);
        restarts.lose_progress();
        let after = restarts.after(&error(ErrorKind::Unavailable), SHORT);
        assert_eq!(after, AfterFailure::LoseProgress);
    }

    #[test]
    fn waits_double_up_to_a_minute_with_jitter() {
        let mut restarts = restarts(None);
        for ceiling in [1, 2, 4, 8, 16, 32, 60, 60] {
            let AfterFailure::Restart(wait) = restarts.after(&error(ErrorKind::Unavailable), SHORT)
            else {
                panic!("there is no limit");
            };
            let ceiling = Duration::from_secs(ceiling);
            assert!(
                wait <= ceiling && wait >= ceiling / 2,
                "{wait:?} of {ceiling:?}"
            );
        }
        assert_eq!(restarts.count(), 8);
    }

    #[test]
    fn the_limit_counts_restarts_in_a_row() {
        let mut restarts = restarts(Some(2));
        let away = error(ErrorKind::Unavailable);
        for ran in [SHORT, SHORT, RAN_WELL, SHORT] {
            let after = restarts.after(&away, ran);
            assert!(matches!(after, AfterFailure::Restart(_)), "{after:?}");
        }
        assert_eq!(restarts.after(&away, SHORT), AfterFailure::GiveUp(2));
        assert_eq!(restarts.count(), 4);
    }
}
