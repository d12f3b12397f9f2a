//! The order of rows within a batch.

use super::*;

/// Repartitioning would let pages overtake each other.
#[tokio::test(start_paused = true)]
async fn rows_of_a_shard_keep_their_order() {
    for statement in [
        "SELECT partitionKey, CAST(data AS VARCHAR) FROM words",
        "SELECT partitionKey, upper(CAST(data AS VARCHAR)) FROM words WHERE octet_length(encode(data, 'hex')) > 0",
        "SELECT partitionKey, CAST(data AS VARCHAR) FROM words
         UNION ALL SELECT partitionKey, CAST(data AS VARCHAR) FROM words WHERE partitionKey = 'none'",
    ] {
        let world = World::new();
        let pages = format!("{FROM_THE_START}, 'kinesis.getRecords.numberOfRecordsPerFetch' '5'");
        world.unbounded_table("words", 1, &pages).await;
        world.run("SET datafusion.execution.target_partitions = 4").await;
        world.put_numbers("words", 200).await;
        let rows = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&rows);
        let query = StreamingQuery::builder(&world.ctx, statement)
            .with_trigger(datafusion_kinesis::model::Trigger::Once)
            .foreach_batch(move |_batch, rows| {
                let taken = Arc::clone(&taken);
                async move {
                    let batches: Vec<_> = rows.try_collect().await?;
                    for batch in &batches {
                        let column = cast(batch.column(1), &DataType::Utf8)?;
                        let column = as_string_array(&column)?;
                        let rows = column.iter().flatten().map(str::to_owned);
                        taken.lock().unwrap().extend(rows);
                    }
                    Ok(())
                }
            });
        query.start().await.unwrap().await_termination().await.unwrap();
        let expected: Vec<_> = (0..200).map(|n| n.to_string()).collect();
        assert_eq!(*rows.lock().unwrap(), expected, "{statement}");
    }
}
