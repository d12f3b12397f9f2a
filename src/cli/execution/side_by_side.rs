//! Runs streaming queries side by side, each until it ends, fails for good, or all are stopped.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::restart::Restarts;
use super::streaming::{is_resumable, returns_rows};
use crate::Error;
use crate::cli::console::{print_message, print_note};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::progress::{Tally, closing_note};
use crate::cli::session::Session;
use crate::cli::signals::{Signals, Stop};
use crate::cli::statements::Statement;
use crate::query::{StreamingQueries, StreamingQuery};

const STOPPING: &str = "stopping after the batches in flight; interrupt again to stop at once";

/// The queries that run.
pub(in crate::cli) struct SideBySide {
    running: JoinSet<Outcome>,
    /// Is set once to stop them after the batches in flight.
    stop: watch::Sender<Option<Stop>>,
    /// Whether the failure of one stops the others.
    fails_fast: bool,
    /// The worst that has happened.
    outcome: Outcome,
}

impl SideBySide {
    pub(in crate::cli) fn new(fails_fast: bool) -> Self {
        Self {
            running: JoinSet::new(),
            stop: watch::Sender::new(None),
            fails_fast,
            outcome: Outcome::Done,
        }
    }

    /// Starts a query, with the settings of the session as they are now. It goes on in the background, also if it has
    /// to be started again. Queries start one after the other, because the first one takes the checkpoint location.
    ///
    /// # Errors
    /// The statement returns rows, which nobody would see; a signal.
    pub(in crate::cli) async fn start(
        &mut self,
        session: &Session,
        origin: String,
        statement: Statement,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        if returns_rows(&statement.text) {
            let error = Error::unsupported(
                "a SELECT over an unbounded table has no target here: expected an INSERT or a statement set",
            );
            return Err(DataFusionError::from(error).into());
        }
        let (tried, has_tried) = oneshot::channel();
        let query = SupervisedQuery {
            // SET statements that follow are not for this query, also when it is started again.
            ctx: SessionContext::new_with_state(session.ctx.state()),
            restarts: Restarts::new(session.restart, fastrand::Rng::new()),
            origin,
            statement,
            tally: Arc::default(),
            tried: Some(tried),
            stopped: self.stop.subscribe(),
        };
        self.running.spawn_on(query.run(), &session.engine);
        tokio::select! {
            biased;
            stop = signals.next() => Err(Failure::Stopped(stop)),
            // An error means that it has panicked, which is reported at the end.
            _ = has_tried => Ok(()),
        }
    }

    /// Stops all queries after the batches in flight.
    pub(in crate::cli) fn stop(&self, stop: Stop) {
        self.stop.send_if_modified(|stopped| {
            let is_first = stopped.is_none();
            stopped.get_or_insert(stop);
            is_first
        });
    }

    /// Waits until all queries have ended. The first signal stops them after the batches in flight, and the second one
    /// abandons these.
    pub(in crate::cli) async fn wait(mut self, signals: &mut Signals) -> Outcome {
        let mut is_stopping = false;
        loop {
            let ended = tokio::select! {
                biased;
                stop = signals.next() => {
                    if is_stopping {
                        return Outcome::from(&Failure::Stopped(stop));
                    }
                    print_message(STOPPING);
                    is_stopping = true;
                    self.stop(stop);
                    continue;
                }
                ended = self.running.join_next() => ended,
            };
            match ended {
                None => return self.outcome,
                Some(Ok(outcome)) => self.ended(outcome),
                Some(Err(error)) => {
                    print_message(&format!("a query panicked: {error}"));
                    self.ended(Outcome::Failed);
                }
            }
        }
    }

    fn ended(&mut self, outcome: Outcome) {
        self.outcome = self.outcome.max(outcome);
        if outcome == Outcome::Failed && self.fails_fast {
            self.stop(Stop::Interrupt);
        }
    }
}

/// A query that is started again as the command line says.
struct SupervisedQuery {
    ctx: SessionContext,
    origin: String,
    statement: Statement,
    restarts: Restarts,
    tally: Arc<Tally>,
    /// Is told once the first start has succeeded or failed.
    tried: Option<oneshot::Sender<()>>,
    stopped: watch::Receiver<Option<Stop>>,
}

impl SupervisedQuery {
    /// Runs it to its end, and says how it ended.
    async fn run(mut self) -> Outcome {
        let started = Instant::now();
        let ended = self.run_again_and_again().await;
        let origin = &self.origin;
        match &ended {
            Ok(()) | Err(Failure::Stopped(_)) => {
                if let Some(line) = closing_note(&self.tally, started, true) {
                    print_note(&format!("{origin}: {line}"));
                }
            }
            Err(failure) => {
                print_message(&format!("{origin}: {}", failure.describe(&self.statement)));
            }
        }
        match &ended {
            // Ctrl-C is the usual end of a query that has none.
            Ok(()) | Err(Failure::Stopped(Stop::Interrupt)) => Outcome::Done,
            Err(failure) => failure.into(),
        }
    }

    async fn run_again_and_again(&mut self) -> Result<(), Failure> {
        let queries = StreamingQueries::of(&self.ctx);
        loop {
            let began = Instant::now();
            self.tally.begin_run();
            match self.run_once(&queries).await {
                Err(Failure::Query(error)) => {
                    let ran = began.elapsed();
                    let stopped = requested(&mut self.stopped);
                    self.restarts
                        .wait(*error, ran, &self.statement, &queries, stopped)
                        .await?;
                }
                ended => return ended,
            }
        }
    }

    async fn run_once(&mut self, queries: &StreamingQueries) -> Result<(), Failure> {
        let starting = queries.hold_readiness(format!("the query at {} is starting", self.origin));
        let query = StreamingQuery::builder(&self.ctx, self.statement.in_place())
            .with_listener(Arc::<Tally>::clone(&self.tally))
            .with_restart_count(self.restarts.count());
        let query = tokio::select! {
            biased;
            stop = requested(&mut self.stopped) => return Err(Failure::Stopped(stop)),
            started = query.start() => started,
        };
        if let Some(tried) = self.tried.take() {
            // Nobody waits any more after a signal.
            let _ = tried.send(());
        }
        let query = query.map_err(DataFusionError::from)?;
        drop(starting);
        if !is_resumable(queries, query.run_id()) {
            self.restarts.lose_progress();
        }
        let stop = tokio::select! {
            biased;
            ended = query.await_termination() => {
                self.tally.found_losses(query.data_losses());
                return ended.map_err(|error| DataFusionError::from(error).into());
            }
            stop = requested(&mut self.stopped) => stop,
        };
        let stopped = query.stop().await;
        self.tally.found_losses(query.data_losses());
        stopped.map_err(DataFusionError::from)?;
        Err(Failure::Stopped(stop))
    }
}

/// Waits for a request to stop.
async fn requested(stopped: &mut watch::Receiver<Option<Stop>>) -> Stop {
    match stopped.wait_for(Option::is_some).await {
        Ok(stop) => stop.unwrap_or(Stop::Interrupt),
        // Nobody can ask any more: the command is ending.
        Err(_) => Stop::Interrupt,
    }
}
