//! Runs a streaming statement until its trigger or a signal ends it, and prints the rows of a
//! `SELECT`.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{DFParser, Statement as ParsedStatement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::restart::Restarts;
use super::upcoming::{self, Upcoming};
use crate::cli::console::{print_message, print_note};
use crate::cli::failure::{Failure, panicked};
use crate::cli::output::{Output, Printer, ResultKind};
use crate::cli::progress::{StreamingProgress, Tally, closing_note};
use crate::cli::session::Session;
use crate::cli::signals::{Signals, Stop};
use crate::cli::statements::Statement;
use crate::query::{QueryEnd, ReadinessHold, StreamingQueries, StreamingQuery};
use crate::sql::is_statement_set;

const STOPPING: &str = "stopping after the batch in flight; interrupt again to stop at once";
const STOP_LOCK: &str = "stopped by STOP_LOCK in the checkpoint location";

/// Sent by the query as its batches produce rows.
enum Event {
    Rows(RecordBatch),
    /// All rows of a batch were sent. The query continues once this channel reports that they are
    /// printed.
    Printed(oneshot::Sender<()>),
}

/// Runs a streaming statement. The first signal ends it after the batch in flight: Ctrl-C counts as
/// success, SIGTERM as stopped. A second signal ends it at once. A statement that fails may be started again.
pub(super) async fn run_streaming(
    session: &Session,
    statement: &Statement,
    output: Output,
    signals: &mut Signals,
    upcoming: &[Upcoming],
) -> Result<(), Failure> {
    let queries = StreamingQueries::of(&session.ctx);
    let mut runs = Runs {
        session,
        statement,
        output,
        upcoming,
        started: Instant::now(),
        tally: Arc::default(),
        restarts: Restarts::new(session.restart, fastrand::Rng::new()),
        printer: None,
    };
    loop {
        let began = Instant::now();
        let line = statement.line();
        let starting = queries.hold_readiness(format!("the query at line {line} is starting"));
        match runs.run(starting, signals).await {
            Err(Failure::Query(error)) => {
                let ran = began.elapsed();
                let Runs {
                    restarts,
                    statement,
                    ..
                } = &mut runs;
                restarts
                    .wait(*error, ran, statement, &queries, signals.next())
                    .await?;
            }
            ended => return ended,
        }
    }
}

/// The runs of a statement, of which all but the last have failed.
struct Runs<'a> {
    session: &'a Session,
    statement: &'a Statement,
    output: Output,
    upcoming: &'a [Upcoming],
    started: Instant,
    tally: Arc<Tally>,
    restarts: Restarts,
    /// What goes on printing in the next run.
    printer: Option<Printer>,
}

impl Runs<'_> {
    /// Runs the statement once.
    async fn run(&mut self, starting: ReadinessHold, signals: &mut Signals) -> Result<(), Failure> {
        let Self {
            session,
            statement,
            output,
            ..
        } = *self;
        let tally = Arc::clone(&self.tally);
        tally.begin_run();
        let (sender, mut events) = mpsc::channel(1);
        let task = start(
            session.ctx.clone(),
            statement.in_place(),
            Arc::clone(&tally),
            self.restarts.count(),
            sender,
        );
        let task = {
            let _on_the_engine = session.engine.enter();
            SpawnedTask::spawn(task)
        };
        let mut progress = StreamingProgress::start(Arc::clone(&tally));
        let query = tokio::select! {
            biased;
            stop = signals.next() => {
                // No batch is in flight yet.
                progress.hide_echo();
                return ended_by(Some(stop));
            }
            started = task.join() => started.map_err(panicked)??,
        };
        drop(starting);
        if !is_resumable(&StreamingQueries::of(&session.ctx), query.run_id()) {
            self.restarts.lose_progress();
        }
        if self.restarts.count() == 0
            && let Some(note) = upcoming::warning(&session.ctx, self.upcoming).await
        {
            progress.clear();
            print_message(&note);
        }
        let schema = query.schema();
        let mut run = Run {
            session,
            query,
            progress,
            signals,
            stopping: None,
        };
        let new_printer = || Printer::new(output, ResultKind::Rows, &schema, self.started);
        // Rows of a batch that was not committed come again.
        if let Some(printer) = &mut self.printer {
            printer.discard_frame();
        }
        let printer = &mut self.printer;
        printer.get_or_insert_with(new_printer);
        let ended = run.until_ended(printer, &mut events).await;
        if run.stopping.is_some() {
            self.restarts.stop();
        }
        if ended.is_err() {
            tally.found_losses(run.query.data_losses());
        }
        ended?;
        let inserts = !returns_rows(&statement.text);
        if let Some(printer) = self.printer.take().filter(|_| !inserts) {
            let finishing = tokio::task::spawn_blocking(move || printer.finish_frames());
            if let Some(line) = run.wait(finishing).await?.map_err(panicked)?? {
                run.progress.clear();
                print_note(&line);
            }
        }
        let asked = run.stopping.as_ref().map(|(stop, _)| *stop);
        let end = run.query.end();
        tally.found_losses(run.query.data_losses());
        drop(run);
        if end == Some(QueryEnd::StopLock) {
            print_message(STOP_LOCK);
        }
        if let Some(line) = closing_note(&tally, self.started, inserts) {
            print_note(&line);
        }
        ended_by(asked)
    }
}

/// Whether the next run continues where this one ends.
pub(super) fn is_resumable(queries: &StreamingQueries, run_id: &str) -> bool {
    let runs = queries.observed();
    let run = runs.iter().find(|run| run.run_id() == run_id);
    run.is_some_and(|run| run.description().is_resumable)
}

/// The result of a statement, given the signal that stopped it, if any.
fn ended_by(stop: Option<Stop>) -> Result<(), Failure> {
    match stop {
        None | Some(Stop::Interrupt) => Ok(()),
        Some(Stop::Terminate) => Err(Failure::Stopped(Stop::Terminate)),
    }
}

async fn start(
    ctx: SessionContext,
    text: String,
    tally: Arc<Tally>,
    restarts: u32,
    events: mpsc::Sender<Event>,
) -> DataFusionResult<StreamingQuery> {
    let mut builder = StreamingQuery::builder(&ctx, text.as_str())
        .with_listener(tally)
        .with_restart_count(restarts);
    if returns_rows(&text) {
        builder = builder.foreach_batch(move |_, rows| forward(rows, events.clone()));
    }
    Ok(builder.start().await?)
}

/// Whether a streaming statement returns rows, and so is no `INSERT` or statement set.
pub(super) fn returns_rows(text: &str) -> bool {
    if is_statement_set(text) {
        return false;
    }
    let statement = DFParser::parse_sql(text)
        .ok()
        .and_then(|mut s| s.pop_front());
    match statement {
        Some(ParsedStatement::Statement(statement)) => {
            !matches!(*statement, SqlStatement::Insert(_))
        }
        _ => true,
    }
}

/// Sends a batch's rows to the printer, and completes only once they are printed, so that no rows
/// are lost if the command ends in between.
async fn forward(
    mut rows: SendableRecordBatchStream,
    events: mpsc::Sender<Event>,
) -> DataFusionResult<()> {
    while let Some(batch) = rows.next().await {
        let event = Event::Rows(batch?);
        events.send(event).await.map_err(|_| receiver_gone())?;
    }
    let (printed, answer) = oneshot::channel();
    let event = Event::Printed(printed);
    events.send(event).await.map_err(|_| receiver_gone())?;
    answer.await.map_err(|_| receiver_gone())
}

fn receiver_gone() -> DataFusionError {
    DataFusionError::Execution("the query's rows are no longer read".to_owned())
}

/// A running query with its progress line and signal handling.
struct Run<'a> {
    session: &'a Session,
    query: StreamingQuery,
    progress: StreamingProgress,
    signals: &'a mut Signals,
    /// The first signal, and the task that has been stopping the query since then.
    stopping: Option<(Stop, SpawnedTask<()>)>,
}

impl Run<'_> {
    /// Prints rows as they arrive until the query has ended. If printing fails, there is no printer any more.
    async fn until_ended(
        &mut self,
        printer: &mut Option<Printer>,
        events: &mut mpsc::Receiver<Event>,
    ) -> Result<(), Failure> {
        let query = self.query.clone();
        let mut ended = pin!(query.await_termination());
        loop {
            let event = tokio::select! {
                biased;
                stop = self.signals.next() => {
                    self.handle_signal(stop)?;
                    continue;
                }
                () = self.progress.due() => {
                    self.progress.draw(&self.query);
                    continue;
                }
                Some(event) = events.recv() => event,
                result = &mut ended => {
                    result.map_err(DataFusionError::from)?;
                    return Ok(());
                }
            };
            let Some(in_use) = printer.take() else {
                return Ok(());
            };
            self.progress.clear();
            let printing = tokio::task::spawn_blocking(move || print(event, in_use));
            let (in_use, line) = self.wait(printing).await?.map_err(panicked)??;
            *printer = Some(in_use);
            if let Some(line) = line {
                print_note(&line);
            }
        }
    }

    /// Waits for `work` while handling signals.
    async fn wait<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                stop = self.signals.next() => self.handle_signal(stop)?,
                done = &mut work => return Ok(done),
            }
        }
    }

    /// Handles a signal: the first one starts stopping the query, the second one fails.
    fn handle_signal(&mut self, stop: Stop) -> Result<(), Failure> {
        self.progress.hide_echo();
        if self.stopping.is_some() {
            return Err(Failure::Stopped(stop));
        }
        print_message(STOPPING);
        let query = self.query.clone();
        let _on_the_engine = self.session.engine.enter();
        // `await_termination` reports how the query ended.
        let stopping = SpawnedTask::spawn(async move { drop(query.stop().await) });
        self.stopping = Some((stop, stopping));
        Ok(())
    }
}

fn print(event: Event, mut printer: Printer) -> Result<(Printer, Option<String>), Failure> {
    let note = match event {
        Event::Rows(rows) => {
            printer.batch(&rows)?;
            None
        }
        Event::Printed(answer) => {
            let note = printer.frame()?;
            // The query no longer waits if it was stopped.
            let _ = answer.send(());
            note
        }
    };
    Ok((printer, note))
}
