use std::io::Write;
use std::sync::{Mutex, PoisonError};

use datafusion::physical_plan::displayable;

use super::*;
use crate::error::ErrorKind;
use crate::model::UnixMillis;
use crate::query::plan::state_at;
use crate::query::plan::tests::world::World;

/// A writer whose content a test can read while it is in use.
#[derive(Clone, Default)]
struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

impl SharedBuffer {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).unwrap()
    }
}

impl Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs `sql` once over everything in its streams.
async fn run(world: &World, sql: &str, output: &Output) -> Result<BatchResult> {
    let plan = world.streaming(sql).await.unwrap();
    let reads: Vec<_> = plan.sources.iter().map(|_| world.all()).collect();
    let state = state_at(&world.ctx.state(), UnixMillis(0));
    output
        .run(&state, plan.for_batch(&reads)?, BatchId(7))
        .await
}

fn input_rows(ran: &BatchResult) -> Vec<u64> {
    ran.sources.iter().map(|counts| counts.rows).collect()
}

#[tokio::test(start_paused = true)]
async fn an_insert_writes_and_counts_the_rows_of_the_batch() {
    let world = World::new().await;
    for number in 0..30 {
        world.put("words", &number.to_string()).await;
    }
    let sql = "INSERT INTO sink (partitionKey, data)
        SELECT partitionKey, data FROM words WHERE CAST(partitionKey AS INT) < 10";
    let ran = run(&world, sql, &Output::Insert).await.unwrap();
    assert_eq!((input_rows(&ran), ran.output_rows), (vec![30], Some(10)));
    let copied = Output::Console(Console::new(SharedBuffer::default()));
    world
        .run("CREATE UNBOUNDED EXTERNAL TABLE back STORED AS \"aws-kinesis\" LOCATION 'sink'")
        .await;
    let ran = run(&world, "SELECT data FROM back", &copied).await.unwrap();
    assert_eq!(ran.output_rows, Some(10));
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_shard_are_not_repartitioned_before_a_stream_sink() {
    let world = World::new().await;
    let state = world.ctx.state();
    let select = "SELECT partitionKey, data FROM words WHERE partitionKey <> 'x'";
    let plan = async |sql: &str| {
        let plan = world.streaming(sql).await.unwrap();
        let batch = plan.for_batch(&[world.all()]).unwrap();
        let plan = state.create_physical_plan(&batch.plan).await.unwrap();
        displayable(&*plan).indent(false).to_string()
    };
    let insert = plan(&format!("INSERT INTO sink (partitionKey, data) {select}")).await;
    assert!(
        insert.contains("KinesisSinkExec") && insert.contains("KinesisReadExec"),
        "{insert}"
    );
    assert!(!insert.contains("RepartitionExec"), "{insert}");
    let select = plan(select).await;
    assert!(
        select.contains("RepartitionExec"),
        "the test is void: {select}"
    );
}

#[tokio::test(start_paused = true)]
async fn rows_are_counted_per_source() {
    let world = World::new().await;
    for stream in ["words", "words", "clicks"] {
        world.put(stream, "a").await;
    }
    let output = Output::Console(Console::new(SharedBuffer::default()));
    let sql = "SELECT data FROM clicks UNION ALL SELECT data FROM words UNION ALL
        SELECT data FROM words UNION ALL SELECT c.data FROM clicks AS c JOIN bounded USING (partitionKey)";
    let ran = run(&world, sql, &output).await.unwrap();
    assert_eq!((input_rows(&ran), ran.output_rows), (vec![1, 2], Some(7)));
}

#[tokio::test(start_paused = true)]
async fn foreach_batch_need_not_read_the_rows() {
    let world = World::new().await;
    world.put("words", "a").await;
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let output = Output::foreach_batch(move |batch, rows| {
        seen.lock()
            .unwrap()
            .push((batch, rows.schema().fields().len()));
        async { Ok(()) }
    });
    let ran = run(&world, "SELECT data, 1 FROM words", &output)
        .await
        .unwrap();
    assert_eq!(*calls.lock().unwrap(), [(BatchId(7), 2)]);
    assert_eq!(ran.output_rows, None);
    let failing = Output::foreach_batch(|_, _| async {
        Err(crate::Error::invalid_row("no room for it").into())
    });
    let error = run(&world, "SELECT data FROM words", &failing)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRow);
    assert_eq!(error.to_string(), "no room for it");
}

#[tokio::test(start_paused = true)]
async fn the_console_prints_the_first_rows_of_a_batch() {
    let world = World::new().await;
    let buffer = SharedBuffer::default();
    let output = Output::Console(Console::new(buffer.clone()));
    world.put("words", "a").await;
    run(&world, "SELECT word FROM w", &output).await.unwrap();
    let line = "-".repeat(43);
    assert_eq!(
        buffer.text(),
        format!("{line}\nBatch: 7\n{line}\n+------+\n| word |\n+------+\n| a    |\n+------+\n\n")
    );
    for _ in 0..24 {
        world.put("words", "b").await;
    }
    let ran = run(&world, "SELECT word FROM w", &output).await.unwrap();
    assert_eq!(ran.output_rows, Some(25));
    let text = buffer.text();
    assert!(text.ends_with("+\nthe first 20 of 25 rows\n\n"), "{text}");
    assert_eq!(text.matches("| b").count(), 19, "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_computed_fails_the_batch() {
    let world = World::new().await;
    world.put("words", "no number").await;
    let output = Output::Console(Console::new(SharedBuffer::default()));
    let sql = "SELECT CAST(word AS INT) FROM w";
    let error = run(&world, sql, &output).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRow);
    assert!(error.to_string().contains("no number"), "{error}");
}

/// The error of a batch of `sql` with the output `function`.
async fn error_of<W>(
    sql: &str,
    function: impl Fn(BatchId, SendableRecordBatchStream) -> W + Send + Sync + 'static,
) -> (ErrorKind, String)
where
    W: Future<Output = DataFusionResult<()>> + Send + 'static,
{
    let world = World::new().await;
    world.put("words", "abc").await;
    let output = Output::foreach_batch(function);
    let error = run(&world, sql, &output).await.unwrap_err();
    (error.kind(), error.to_string())
}

const NUMBERS: &str = "SELECT CAST(CAST(data AS VARCHAR) AS INT) FROM words";

#[tokio::test(start_paused = true)]
async fn errors_of_the_function_and_of_the_rows_have_different_kinds() {
    let (kind, message) = error_of("SELECT data FROM words", |_, _| async {
        Err(DataFusionError::Execution("the user's disk is full".into()))
    })
    .await;
    assert_eq!(kind, ErrorKind::UserFunction);
    assert!(message.contains("the user's disk is full"), "{message}");
    let (kind, message) = error_of(NUMBERS, |_, rows| async move {
        rows.try_collect::<Vec<_>>().await.map(drop)
    })
    .await;
    assert_eq!(kind, ErrorKind::InvalidRow);
    assert!(message.contains("'abc'"), "{message}");
    let (kind, _) = error_of("SELECT data FROM words", |_, _| async {
        Err(
            crate::error::Error::new(ErrorKind::Unavailable, "another stream is unavailable")
                .into(),
        )
    })
    .await;
    assert_eq!(kind, ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_batch_fails_if_its_rows_failed_even_if_the_function_ignores_it() {
    let (kind, message) = error_of(NUMBERS, |_, mut rows| async move {
        while let Ok(Some(_)) = rows.try_next().await {}
        Ok(())
    })
    .await;
    assert_eq!(kind, ErrorKind::InvalidRow);
    assert!(message.contains("'abc'"), "{message}");
}
