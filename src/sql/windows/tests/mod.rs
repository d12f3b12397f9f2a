//! Windows over in-memory tables: results computed by hand, and compared with equivalent queries.

mod hop;
mod plans;
mod random;
mod refusals;
mod rewrite;
mod session;
mod tumble;
mod window_types;

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::kinesis::{InMemoryKinesis, InMemoryOptions};
use crate::model::SystemClock;
use crate::{Services, register_with, sql};

const SECONDS: DataType = DataType::Timestamp(TimeUnit::Second, None);

/// A row: time, key, value.
type Row = (Option<i64>, Option<&'static str>, i64);

fn context(partitions: usize) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(3);
    let ctx = SessionContext::new_with_config(config);
    let kinesis = InMemoryKinesis::new(Arc::new(SystemClock), InMemoryOptions::default());
    register_with(&ctx, Services::fixed(Arc::new(kinesis)));
    ctx
}

fn batch(rows: &[Row], kind: &DataType) -> RecordBatch {
    let times: Int64Array = rows.iter().map(|row| row.0).collect();
    let keys: StringArray = rows.iter().map(|row| row.1).collect();
    let values: Int64Array = rows.iter().map(|row| Some(row.2)).collect();
    let schema = Schema::new(vec![
        Field::new("ts", kind.clone(), true),
        Field::new("key", DataType::Utf8, true),
        Field::new("v", DataType::Int64, true),
    ]);
    let times = cast(&(Arc::new(times) as ArrayRef), kind).unwrap();
    let columns: Vec<ArrayRef> = vec![times, Arc::new(keys), Arc::new(values)];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

/// Registers `rows` as table `t` with two partitions.
fn register_rows(ctx: &SessionContext, rows: &[Row], kind: &DataType) {
    let whole = batch(rows, kind);
    let half = rows.len() / 2;
    let parts = [whole.slice(0, half), whole.slice(half, rows.len() - half)];
    let parts = parts.map(|part| vec![part]).to_vec();
    let table = MemTable::try_new(whole.schema(), parts).unwrap();
    ctx.deregister_table("t").unwrap();
    ctx.register_table("t", Arc::new(table)).unwrap();
}

/// The rows of a result, with fields separated by `|`.
fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let fields = batch
                .columns()
                .iter()
                .map(|column| match column.is_valid(row) {
                    true => array_value_to_string(column, row).unwrap(),
                    false => "NULL".to_owned(),
                });
            lines.push(fields.collect::<Vec<_>>().join("|"));
        }
    }
    lines
}

async fn run(ctx: &SessionContext, statement: &str) -> Result<Vec<String>, DataFusionError> {
    let batches = sql(ctx, statement).await?.collect().await?;
    Ok(lines(&batches))
}

/// Runs `statement` over rows whose times are in seconds, with one partition and with four; both results must
/// be equal.
async fn result_of(rows: &[Row], statement: &str) -> Vec<String> {
    let mut results = Vec::new();
    for partitions in [1, 4] {
        let ctx = context(partitions);
        register_rows(&ctx, rows, &SECONDS);
        let result = run(&ctx, statement).await;
        results.push(result.unwrap_or_else(|error| panic!("{statement}: {error}")));
    }
    let [one, four] = results.try_into().unwrap();
    assert_eq!(one, four, "one partition and four: {statement}");
    one
}

async fn refused(rows: &[Row], kind: &DataType, statement: &str) -> String {
    let ctx = context(4);
    register_rows(&ctx, rows, kind);
    match run(&ctx, statement).await {
        Ok(rows) => panic!("{statement} returns {rows:?}"),
        Err(error) => error.strip_backtrace(),
    }
}

/// A time in the first hour of 1970 as text.
fn at(seconds: i64) -> String {
    assert!((0..3600).contains(&seconds));
    format!("1970-01-01T00:{:02}:{:02}", seconds / 60, seconds % 60)
}
