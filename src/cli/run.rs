//! Runs one statement: it computes in a task of its own, so that a signal is heard however busy it is.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::failure::Failure;
use super::output::{Output, Printer, Yield};
use super::progress::Progress;
use super::session::plan;
use super::signals::Signals;
use super::statements::Statement;

/// What the task of a statement reports.
enum Event {
    /// It is planned and begins.
    Started(Yield, Arc<dyn ExecutionPlan>),
    Batch(RecordBatch),
}

/// Runs a statement and prints what it gives; a signal ends it.
pub(super) async fn run_statement(
    ctx: &SessionContext,
    statement: &Statement,
    output: Output,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let started = Instant::now();
    let mut progress = Progress::start();
    let mut printer: Option<Printer> = None;
    let (sender, mut events) = mpsc::channel(1);
    let task = SpawnedTask::spawn(execute(ctx.clone(), statement.in_place(), sender));
    loop {
        tokio::select! {
            biased;
            stop = signals.next() => return Err(Failure::Stopped(stop)),
            event = events.recv() => match (event, &mut printer) {
                (Some(Event::Started(yields, plan)), _) => {
                    printer = Some(Printer::new(output, yields, &plan.schema(), started)?);
                    progress.watch(plan);
                }
                (Some(Event::Batch(batch)), Some(printer)) => {
                    progress.clear();
                    printer.batch(&batch)?;
                }
                (Some(Event::Batch(_)), None) => {}
                (None, _) => break,
            },
            () = progress.due() => progress.draw(),
        }
    }
    drop(progress);
    let ended = task.join().await;
    ended.map_err(|panic| DataFusionError::ExecutionJoin(Box::new(panic)))??;
    match printer {
        Some(printer) => printer.finish(),
        None => Ok(()),
    }
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
