//! Runs a statement that ends by itself, and prints its rows, plan or count.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::unless_stopped;
use crate::cli::console::{print_message, print_note};
use crate::cli::failure::{Failure, panicked};
use crate::cli::output::{Output, Printer, ResultKind};
use crate::cli::progress::{BoundedProgress, losses, skipped, unfit};
use crate::cli::session::{Session, plan};
use crate::cli::signals::Signals;
use crate::cli::statements::Statement;
use crate::sql::Variables;

/// Sent by the task that executes a statement.
enum Event {
    /// Planning is done and execution begins.
    Started(ResultKind, Arc<dyn ExecutionPlan>),
    Batch(RecordBatch),
}

/// Runs a statement that ends by itself.
pub(super) async fn run_bounded(
    session: &Session,
    statement: &Statement,
    output: Output,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let started = Instant::now();
    let mut progress = BoundedProgress::start();
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
    let (lost, left_out, nulls) = (progress.losses(), progress.skipped(), progress.unfit());
    drop(progress);
    task.join().await.map_err(panicked)??;
    let line = match printer {
        Some(printer) => unless_stopped(signals, move || printer.finish()).await?,
        None => None,
    };
    if let Some(line) = line {
        print_note(&line);
    }
    if let Some(losses) = losses(lost) {
        print_message(&losses);
    }
    if let Some(skipped) = skipped(left_out) {
        print_message(&skipped);
    }
    if let Some(unfit) = unfit(nulls) {
        print_message(&unfit);
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
        (Event::Started(kind, plan), _) => {
            Ok(Some(Printer::new(output, kind, &plan.schema(), started)))
        }
        (Event::Batch(batch), Some(mut printer)) => {
            printer.batch(&batch)?;
            Ok(Some(printer))
        }
        (Event::Batch(_), None) => Ok(None),
    }
}

/// Plans and runs a statement. Stops early if the receiver is gone.
async fn execute(
    ctx: SessionContext,
    text: String,
    events: mpsc::Sender<Event>,
) -> DataFusionResult<()> {
    let frame = plan(&ctx, &text).await?;
    let kind = match frame.logical_plan() {
        LogicalPlan::Dml(_) | LogicalPlan::Copy(_) => ResultKind::Count,
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => ResultKind::Text,
        _ if shows_a_statement(&text) => ResultKind::Text,
        _ => ResultKind::Rows,
    };
    let task = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    let started = Event::Started(kind, Arc::clone(&plan));
    if events.send(started).await.is_err() {
        return Ok(());
    }
    let mut batches = execute_stream(plan, task)?;
    let variables = Variables::of(ctx.state_ref().read().config());
    let variables = variables.filter(|_| kind == ResultKind::Text);
    while let Some(batch) = batches.next().await {
        let mut batch = batch?;
        if let Some(variables) = &variables {
            batch = without_values(&batch, variables)?;
        }
        if events.send(Event::Batch(batch)).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The rows of a plan or a statement, which show variables instead of their values.
fn without_values(batch: &RecordBatch, variables: &Variables) -> DataFusionResult<RecordBatch> {
    let columns = batch.columns().iter().map(|column| {
        let kind = column.data_type();
        if !matches!(kind, DataType::Utf8 | DataType::Utf8View) {
            return Ok(Arc::clone(column));
        }
        let texts = cast(column, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>().iter();
        let masked = texts.map(|text| text.map(|text| variables.mask(text)));
        let masked: ArrayRef = Arc::new(masked.collect::<StringArray>());
        cast(&masked, kind)
    });
    let columns: Result<_, ArrowError> = columns.collect();
    Ok(RecordBatch::try_new(batch.schema(), columns?)?)
}

/// Whether a statement is `SHOW CREATE TABLE`, whose plan looks like a query's.
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

    /// On a single thread, the timer fires only if the plan yields.
    #[tokio::test]
    async fn an_aggregate_over_a_huge_join_can_be_interrupted() {
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
