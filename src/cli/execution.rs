//! Runs statements one at a time, until they end or a signal stops them.
//!
//! Statements compute on the engine runtime's threads, so signals are handled even when those are
//! busy.

mod bounded;
mod restart;
mod side_by_side;
mod streaming;
mod upcoming;

use datafusion::common::runtime::SpawnedTask;
use datafusion::error::DataFusionError;
use datafusion::sql::parser::{DFParser, Statement as ParsedStatement};
use tokio::time::Instant;

use super::failure::{Failure, panicked};
use super::nesting;
use super::output::Output;
use super::session::Session;
use super::signals::Signals;
use super::statements::Statement;
use crate::query::{StreamingQueries, is_streaming};
use bounded::run_bounded;
use restart::Restarts;
use streaming::run_streaming;

pub(super) use side_by_side::SideBySide;
pub(super) use upcoming::Upcoming;

/// Runs a statement and prints its result. `upcoming` are the statements after it.
pub(super) async fn run_statement(
    session: &Session,
    statement: &Statement,
    output: Output,
    signals: &mut Signals,
    upcoming: &[Upcoming],
) -> Result<(), Failure> {
    match is_streaming_statement(session, statement, signals).await? {
        true => run_streaming(session, statement, output, signals, upcoming).await,
        false => run_other(session, statement, output, signals).await,
    }
}

/// Runs a statement, but one that streams side by side with others.
pub(super) async fn run_or_start(
    session: &Session,
    (origin, statement): (String, Statement),
    output: Output,
    signals: &mut Signals,
    queries: &mut SideBySide,
) -> Result<(), Failure> {
    match is_streaming_statement(session, &statement, signals).await? {
        true => queries.start(session, origin, statement, signals).await,
        false => run_other(session, &statement, output, signals).await,
    }
}

/// Whether a statement is a streaming query. One that cannot be planned counts as none: running it reports the engine's
/// error.
async fn is_streaming_statement(
    session: &Session,
    statement: &Statement,
    signals: &mut Signals,
) -> Result<bool, Failure> {
    nesting::check(&statement.text).map_err(DataFusionError::from)?;
    let (ctx, text) = (session.ctx.clone(), statement.in_place());
    let asking = {
        let _on_the_engine = session.engine.enter();
        SpawnedTask::spawn(async move { is_streaming(&ctx, &text).await })
    };
    tokio::select! {
        biased;
        stop = signals.next() => Err(Failure::Stopped(stop)),
        answer = asking.join() => Ok(answer.map_err(panicked)?.unwrap_or(false)),
    }
}

/// Runs a statement that is no streaming query. One that declares a table changes nothing if it fails, so it may run again
/// like a streaming query.
async fn run_other(
    session: &Session,
    statement: &Statement,
    output: Output,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let queries = StreamingQueries::of(&session.ctx);
    let line = statement.line();
    let _hold = queries.hold_readiness(format!("the statement at line {line} is running"));
    let policy = session.restart.filter(|_| declares_table(&statement.text));
    let mut restarts = Restarts::new(policy, fastrand::Rng::new());
    loop {
        let began = Instant::now();
        match run_bounded(session, statement, output, signals).await {
            Err(Failure::Query(error)) => {
                let ran = began.elapsed();
                restarts
                    .wait(*error, ran, statement, &queries, signals.next())
                    .await?;
            }
            ended => return ended,
        }
    }
}

fn declares_table(text: &str) -> bool {
    let parsed = DFParser::parse_sql(text);
    parsed.is_ok_and(|statements| {
        let mut statements = statements.iter();
        statements.all(|statement| matches!(statement, ParsedStatement::CreateExternalTable(_)))
    })
}

/// Runs blocking I/O on another thread, since the other end may not respond for a long time. A
/// signal ends the wait.
pub(super) async fn unless_stopped<T: Send + 'static>(
    signals: &mut Signals,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let working = tokio::task::spawn_blocking(work);
    tokio::select! {
        biased;
        stop = signals.next() => Err(Failure::Stopped(stop)),
        done = working => done.map_err(panicked)?,
    }
}
