//! The state of a GROUP BY: figures, files, and groups, which are data of records.

use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion_kinesis::model::OutputMode;
use datafusion_kinesis::query::StreamingQueryBuilder;
use datafusion_kinesis::sql;
use serde_json::{Value, json};

use super::*;

const COUNTS: &str = "SELECT CAST(data AS VARCHAR) AS word, count(*) FROM words GROUP BY 1";

fn counts(served: &Served, name: &str) -> StreamingQueryBuilder {
    let builder = StreamingQuery::builder(&served.world.ctx, COUNTS).with_name(name);
    builder.with_output_mode(OutputMode::Update)
}

/// Starts a count of these words.
pub(super) async fn counted(served: &Served, name: &str, words: &[&str]) -> StreamingQuery {
    let builder = counts(served, name).foreach_batch(|_, _| async { Ok(()) });
    let query = builder.start().await.unwrap();
    for word in words {
        served.world.put("words", "k", (*word).to_owned()).await;
    }
    query.process_all_available().await.unwrap();
    query
}

fn state(client: Client, name: &str) -> Value {
    client.json(&format!("/api/v1/queries/{name}/state"))
}

/// The columns and rows that `statement` returns, with the rows sorted.
async fn read(served: &Served, statement: &str) -> (Vec<String>, Vec<Value>) {
    let frame = sql(&served.world.ctx, statement).await.unwrap();
    let fields = frame.schema().fields().iter();
    let columns = fields.map(|field| field.name().clone()).collect();
    let mut rows = Vec::new();
    for batch in frame.collect().await.unwrap() {
        let options = FormatOptions::default();
        let formatters = batch.columns().iter();
        let formatters = formatters.map(|column| ArrayFormatter::try_new(column, &options));
        let formatters: Vec<_> = formatters.collect::<Result<_, _>>().unwrap();
        for row in 0..batch.num_rows() {
            let values = formatters.iter().zip(batch.columns());
            let values = values.map(|(formatter, column)| match column.is_null(row) {
                true => Value::Null,
                false => formatter.value(row).to_string().into(),
            });
            rows.push(values.collect());
        }
    }
    (columns, sorted(rows))
}

fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(Value::to_string);
    rows
}

#[tokio::test]
async fn figures_files_and_groups_are_those_of_progress_and_of_read_state() {
    let served = Served::new("").await;
    let folder = crate::support::folder("monitored-state");
    let builder = counts(&served, "grouped").with_checkpoint_location(folder.to_str().unwrap());
    let query = builder
        .foreach_batch(|_, _| async { Ok(()) })
        .start()
        .await
        .unwrap();
    let last = || query.last_progress().unwrap();
    let operator = || last().state_operator.clone().unwrap();
    let files = || operator().files.unwrap();
    served.world.put_numbers("words", 7).await;
    query.process_all_available().await.unwrap();
    while files().snapshot_batch.is_none() {
        served.world.put("words", "k", "again").await;
        query.process_all_available().await.unwrap();
    }

    let shown = state(served.client, "grouped");
    let (last, operator, files) = (last(), operator(), files());
    assert_eq!(shown["batchId"], last.batch_id.0);
    let [first] = &shown["operators"].as_array().unwrap()[..] else {
        panic!("{shown}");
    };
    assert_eq!(first["name"], "aggregation");
    assert_eq!(first["numRowsTotal"], operator.rows_total);
    assert_eq!(first["numRowsUpdated"], operator.rows_updated);
    assert_eq!(first["numRowsRemoved"], operator.rows_removed);
    assert_eq!(
        first["numRowsDroppedByWatermark"],
        operator.rows_dropped_by_watermark
    );
    assert_eq!(first["memoryUsedBytes"], operator.memory_bytes);
    assert_eq!(first["numPartitions"], operator.partitions);
    assert_eq!(
        first["commitTimeMs"],
        operator.commit_time.as_millis() as u64
    );
    let snapshot = files.snapshot_batch.unwrap().0;
    let expected = json!({
        "snapshotBatchId": snapshot,
        "snapshotFiles": files.snapshot_files,
        "snapshotBytes": files.snapshot_bytes,
        "deltaFiles": files.delta_files,
        "deltaBytes": files.delta_bytes,
    });
    assert_eq!(first["files"], expected);

    let statement = format!(
        "SELECT * EXCEPT (batch) FROM read_state('{}')",
        folder.display()
    );
    let (columns, groups) = read(&served, &statement).await;
    let sample = &first["sample"];
    assert_eq!(sample["batchId"], last.batch_id.0);
    let expected = json!([
        { "name": columns[0], "isKey": true },
        { "name": columns[1], "isKey": false },
    ]);
    assert_eq!(sample["columns"], expected);
    assert_eq!(sorted(sample["groups"].as_array().unwrap().clone()), groups);
    assert_eq!(groups.len() as u64, operator.rows_total);

    let page = served.client.page("/queries/grouped/state");
    for part in [
        format!("<td class=\"num\">{}</td>", operator.rows_total),
        format!("all groups after batch {snapshot}"),
        format!(
            "{} of the groups after batch {}",
            groups.len(),
            last.batch_id
        ),
        "<td class=\"value\">again</td>".to_owned(),
        format!("read_state('{}')", folder.display()),
    ] {
        assert!(page.contains(&part), "{part}: {page}");
    }
    let listed = &served.client.json("/api/v1/queries")["queries"][0];
    assert_eq!(listed["numStateRows"], operator.rows_total);
    query.stop().await.unwrap();
    let ended = state(served.client, "grouped");
    assert_eq!(
        ended["operators"][0]["sample"], *sample,
        "kept after the end"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn groups_of_a_batch_in_flight_are_not_shown_before_its_commit() {
    let served = Served::new("").await;
    let client = served.client;
    let (gate, wait) = Gate::new();
    let wait = Arc::new(wait);
    let builder = counts(&served, "gated").foreach_batch(move |_, _| {
        let wait = Arc::clone(&wait);
        async move {
            wait();
            Ok(())
        }
    });
    let watched = std::thread::spawn(move || {
        gate.reached.recv().unwrap();
        let first = state(client, "gated");
        gate.open.send(()).unwrap();
        gate.reached.recv().unwrap();
        let second = state(client, "gated");
        gate.open.send(()).unwrap();
        (first, second)
    });
    let query = builder.start().await.unwrap();
    served.world.put("words", "k", "a").await;
    query.process_all_available().await.unwrap();
    served.world.put("words", "k", "a").await;
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    let (first, second) = watched.join().unwrap();
    assert_eq!(
        (&first["batchId"], &first["operators"]),
        (&Value::Null, &json!([]))
    );
    let sample = |shown: &Value| {
        let sample = &shown["operators"][0]["sample"];
        (sample["batchId"].clone(), sample["groups"].clone())
    };
    assert_eq!(sample(&second), (json!(0), json!([["a", "1"]])));
    assert_eq!(
        sample(&state(client, "gated")),
        (json!(1), json!([["a", "2"]]))
    );
}

#[tokio::test]
async fn a_sample_is_small() {
    let served = Served::new("").await;
    let long = "x".repeat(100_000);
    let query = counted(&served, "many", &[&long]).await;
    let group = |shown: &Value| shown["operators"][0]["sample"]["groups"][0][0].clone();
    let expected = format!("{}…", "x".repeat(200));
    assert_eq!(group(&state(served.client, "many")), expected);
    served.world.put_numbers("words", 100).await;
    query.process_all_available().await.unwrap();
    let shown = state(served.client, "many");
    let operator = &shown["operators"][0];
    assert_eq!(operator["numRowsTotal"], 101);
    assert_eq!(operator["sample"]["groups"].as_array().unwrap().len(), 20);
    // There is no checkpoint location.
    assert_eq!(
        (&operator["files"], &shown["readState"]),
        (&Value::Null, &Value::Null)
    );
    let page = served.client.page("/queries/many/state");
    assert!(page.contains("in memory only"), "{page}");
    query.stop().await.unwrap();
}

#[tokio::test]
async fn html_and_secrets_in_groups_are_not_shown() {
    const SECRET: &str = "canary-of-a-secret-key";
    const HTML: &str = "<img src=x onerror=alert(1)>";
    let options =
        format!("'kinesis.awsAccessKeyId' 'AKIAEXAMPLE', 'kinesis.awsSecretKey' '{SECRET}'");
    let served = Served::new(&options).await;
    // In the last one, the 200th character is in the secret.
    let cut = format!("{} {SECRET}", "y".repeat(190));
    let query = counted(&served, "hidden", &[HTML, SECRET, &cut]).await;
    let page = served.client.page("/queries/hidden/state");
    assert!(!page.contains("<img"), "{page}");
    assert!(
        page.contains("&lt;img src=x onerror=alert(1)&gt;"),
        "{page}"
    );
    let shown = state(served.client, "hidden");
    let groups = shown["operators"][0]["sample"]["groups"]
        .as_array()
        .unwrap();
    let words: Vec<&str> = groups
        .iter()
        .map(|group| group[0].as_str().unwrap())
        .collect();
    for word in [HTML, "***", &format!("{} …", "y".repeat(190))] {
        assert!(words.contains(&word), "{words:?}");
    }
    for text in [page, shown.to_string()] {
        assert!(!text.contains("canary"), "{text}");
    }
    query.stop().await.unwrap();
}

#[tokio::test]
async fn a_query_without_groups_says_so() {
    let served = Served::new("").await;
    let query = served.query("plain").await;
    let page = served.client.page("/queries/plain/state");
    assert!(page.contains("it has no GROUP BY"), "{page}");
    let shown = state(served.client, "plain");
    let expected = json!({
        "batchId": query.last_progress().unwrap().batch_id.0,
        "operators": [],
        "readState": null,
    });
    assert_eq!(shown, expected);
    query.stop().await.unwrap();
}

#[tokio::test]
async fn each_output_of_a_statement_set_is_shown() {
    let served = Served::new("").await;
    let (client, world) = (served.client, &served.world);
    for target in ["copies", "counts"] {
        world.table(target, 1, "").await;
    }
    let folder = crate::support::folder("monitor-statement-set");
    let set = "EXECUTE STATEMENT SET BEGIN
        INSERT INTO copies (partitionKey, data) SELECT partitionKey, data FROM words;
        SET streaming.output_mode = 'update';
        INSERT INTO counts (partitionKey, data)
            SELECT word, CAST(count(*) AS VARCHAR) FROM (SELECT CAST(data AS VARCHAR) AS word FROM words) GROUP BY word;
    END";
    let query = StreamingQuery::builder(&world.ctx, set)
        .with_name("both")
        .with_checkpoint_location(folder.to_str().unwrap());
    let query = query.start().await.unwrap();
    // Asks for groups before there are any.
    client.page("/queries/both/state");
    for word in ["a", "b", "a"] {
        world.put("words", "k", word.to_owned()).await;
    }
    query.process_all_available().await.unwrap();
    let found = state(client, "both");
    let operator = &found["operators"][0];
    assert_eq!(operator["output"], "counts");
    assert_eq!(operator["numRowsTotal"], 2);
    assert_eq!(operator["sample"]["groups"].as_array().unwrap().len(), 2);
    let statement = found["readState"].as_str().unwrap();
    assert!(statement.contains("', 'counts')"), "{statement}");
    let (_, rows) = read(&served, statement.trim_end_matches(';')).await;
    assert_eq!(rows.len(), 2);
    let page = client.page("/queries/both/state");
    assert!(
        page.contains("Files and snapshots of output counts"),
        "{page}"
    );
    let sink = client.page("/queries/both/sink");
    for part in [
        "Outputs of the last batch",
        "KinesisSink[copies]",
        "KinesisSink[counts]",
    ] {
        assert!(sink.contains(part), "{part}: {sink}");
    }
    let batch = query.last_progress().unwrap().batch_id;
    let plan = client.page(&format!("/queries/both/batches/{batch}"));
    assert!(plan.contains("Output: counts"), "{plan}");
    query.stop().await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}
