//! Runs one statement: it computes on the engine's threads, so that a signal is heard however busy they are.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio::time::Instant;

use super::behind::Behind;
use super::depth;
use super::failure::Failure;
use super::live::losses;
use super::note;
use super::output::{Output, Printer, Yield};
use super::progress::Progress;
use super::say;
use super::session::{Session, plan};
use super::signals::Signals;
use super::statements::Statement;
use super::streaming::run_streaming;
use crate::query::is_streaming;

/// What the task of a statement reports.
enum Event {
    /// It is planned and begins.
    Started(Yield, Arc<dyn ExecutionPlan>),
    Batch(RecordBatch),
}

/// Runs a statement, in front of those `behind` it, and prints what it gives; a signal ends it.
pub(super) async fn run_statement(
    session: &Session,
    statement: &Statement,
    output: Output,
    signals: &mut Signals,
    behind: &[Behind],
) -> Result<(), Failure> {
    depth::check(&statement.text).map_err(DataFusionError::from)?;
    let (ctx, text) = (session.ctx.clone(), statement.in_place());
    let asking = {
        let _on_the_engine = session.engine.enter();
        SpawnedTask::spawn(async move { is_streaming(&ctx, &text).await })
    };
    let streaming = tokio::select! {
        biased;
        stop = signals.next() => return Err(Failure::Stopped(stop)),
        answer = asking.join() => answer.map_err(panicked)?,
    };
    match streaming {
        Ok(true) => run_streaming(session, statement, output, signals, behind).await,
        // What cannot be planned is planned again, and refused in the engine's words.
        Ok(false) | Err(_) => run_to_the_end(session, statement, output, signals).await,
    }
}

async fn run_to_the_end(
    session: &Session,
    statement: &Statement,
    output: Output,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let started = Instant::now();
    let mut progress = Progress::start();
    let mut printer: Option<Printer> = None;
    let (sender, mut events) = mpsc::channel(1);
    let work = execute(session.ctx.clone(), statement.in_place(), sender);
    let task = {
        let _on_the_engine = session.engine.enter();
        SpawnedTask::spawn(work)
    };
    loop {
        let event = tokio::select! {
            biased;
            stop = signals.next() => {
                progress.hide_echo();
                return Err(Failure::Stopped(stop));
            }
            () = progress.due() => {
                progress.draw();
                continue;
            }
            event = events.recv() => event,
        };
        let Some(event) = event else { break };
        progress.clear();
        if let Event::Started(_, plan) = &event {
            progress.watch(Arc::clone(plan));
        }
        printer = unless_stopped(signals, move || print(event, printer, output, started)).await?;
    }
    let lost = progress.losses();
    drop(progress);
    task.join().await.map_err(panicked)??;
    let line = match printer {
        Some(printer) => unless_stopped(signals, move || printer.finish()).await?,
        None => None,
    };
    if let Some(line) = line {
        note(&line);
    }
    if let Some(losses) = losses(lost) {
        say(&losses);
    }
    Ok(())
}

fn print(
    event: Event,
    printer: Option<Printer>,
    output: Output,
    started: Instant,
) -> Result<Option<Printer>, Failure> {
    match (event, printer) {
        (Event::Started(yields, plan), _) => {
            Ok(Some(Printer::new(output, yields, &plan.schema(), started)))
        }
        (Event::Batch(batch), Some(mut printer)) => {
            printer.batch(&batch)?;
            Ok(Some(printer))
        }
        (Event::Batch(_), None) => Ok(None),
    }
}

/// Prints or reads on another thread: who is at the other end may do nothing for long, and a signal ends the wait.
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

pub(super) fn panicked(error: JoinError) -> DataFusionError {
    DataFusionError::ExecutionJoin(Box::new(error))
}

/// Plans and runs a statement; stops early when nobody listens.
async fn execute(
    ctx: SessionContext,
    text: String,
    events: mpsc::Sender<Event>,
) -> DataFusionResult<()> {
    let frame = plan(&ctx, &text).await?;
    let yields = match frame.logical_plan() {
        LogicalPlan::Dml(_) | LogicalPlan::Copy(_) => Yield::Count,
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => Yield::Text,
        _ if shows_a_statement(&text) => Yield::Text,
        _ => Yield::Rows,
    };
    let task = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    let begun = Event::Started(yields, Arc::clone(&plan));
    if events.send(begun).await.is_err() {
        return Ok(());
    }
    let mut batches = execute_stream(plan, task)?;
    while let Some(batch) = batches.next().await {
        if events.send(Event::Batch(batch?)).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Whether a statement is `SHOW CREATE TABLE`, whose plan is that of a query.
fn shows_a_statement(text: &str) -> bool {
    let mut words = text.split_whitespace().map(str::to_ascii_lowercase);
    words.next().as_deref() == Some("show") && words.next().as_deref() == Some("create")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Connection;
    use crate::cli::session::{context, services};
    use std::time::Duration;

    /// On one thread the timer gets its turn only when the plan yields.
    #[tokio::test]
    async fn an_aggregate_over_an_endless_join_can_be_interrupted() {
        for join in [
            "CROSS JOIN b",
            "JOIN b ON a.value < b.value + 1",
            "JOIN b ON a.value % 1 = b.value % 1",
        ] {
            let sql = format!(
                "WITH a AS (SELECT * FROM generate_series(1, 100000)),
                      b AS (SELECT * FROM generate_series(1, 100000))
                 SELECT count(*), sum(a.value + b.value) FROM a {join}"
            );
            let ctx = context(&services(&Connection::default())).unwrap();
            let (sender, _events) = mpsc::channel(1);
            let run = execute(ctx, sql, sender);
            let ended = tokio::time::timeout(Duration::from_millis(200), run).await;
            assert!(ended.is_err(), "{join}: {ended:?}");
        }
    }
}
