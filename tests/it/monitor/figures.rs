//! What the page and the API show is what the query says of itself.

use datafusion_kinesis::model::{HashKey, ShardId, StreamIdentity};
use datafusion_kinesis::query::StreamingQueries;
use serde_json::Value;

use super::*;

/// The shards of the query with this name; none before it reads.
fn shards(served: &Served, name: &str) -> Vec<Value> {
    let shown = served
        .client
        .json(&format!("/api/v1/queries/{name}/shards"));
    let shards = shown["sources"][0]["shards"].as_array();
    shards.cloned().unwrap_or_default()
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[tokio::test]
async fn figures_equal_those_of_the_last_progress() {
    let served = Served::new("").await;
    let client = served.client;
    assert!(client.page("/").contains("0 running, 0 ended"));
    let query = served.query("counted").await;
    served.world.put_numbers("words", 30).await;
    query.process_all_available().await.unwrap();
    query.stop().await.unwrap();
    let last = query.last_progress().unwrap();

    let listed = &client.json("/api/v1/queries")["queries"][0];
    assert_eq!(listed["id"], query.id());
    assert_eq!(listed["runId"], query.run_id());
    assert_eq!(listed["name"], "counted");
    assert_eq!(listed["batchId"], last.batch_id.0);
    assert_eq!(listed["numInputRows"], last.num_input_rows);
    assert_eq!(
        (&listed["isActive"], &listed["state"]),
        (&false.into(), &"stopped".into())
    );
    for name in [query.id(), query.run_id(), "counted"] {
        let one = client.json(&format!("/api/v1/queries/{name}"));
        assert_eq!(one["lastProgress"], parsed(&last.to_json()));
        assert_eq!(
            one["processedRowsPerSecond"],
            one["lastProgress"]["processedRowsPerSecond"]
        );
        let times = &one["quartiles"]["processingTime"];
        assert_eq!(times["last"], last.processing_time.as_millis() as u64);
    }
    let progress = client.json("/api/v1/queries/counted/progress");
    let expected: Vec<Value> = query
        .recent_progress()
        .iter()
        .map(|batch| parsed(&batch.to_json()))
        .collect();
    assert_eq!(progress["progress"], Value::Array(expected));
    for (wanted, found) in [("0", 0), ("1", 1), ("1000", query.recent_progress().len())] {
        let path = format!("/api/v1/queries/counted/progress?last={wanted}");
        let progress = client.json(&path);
        let progress = progress["progress"].as_array().unwrap();
        assert_eq!(progress.len(), found, "{wanted}");
        if let Some(newest) = progress.last() {
            assert_eq!(newest["batchId"], last.batch_id.0);
        }
    }
    let refused = client.get("/api/v1/queries/counted/progress?last=all");
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("?last=10"), "{}", refused.body);

    let overview = client.page(&format!("/queries/{}", query.run_id()));
    let figure = |name: &str, value: String| {
        let figure = format!("<dt>{name}</dt><dd>{value}</dd>");
        assert!(overview.contains(&figure), "{figure}\n{overview}");
    };
    figure("Batch", last.batch_id.to_string());
    figure("Rows in it", last.num_input_rows.to_string());
    figure("Data losses", "0".to_owned());
    let batch = client.page(&format!("/queries/counted/batches/{}", last.batch_id));
    for (shard, end) in last.sources[0].end_offset.as_ref().unwrap().iter() {
        assert!(batch.contains(shard.as_str()) && batch.contains(&end.to_string()));
    }
    assert!(batch.contains("KinesisReadExec"), "{batch}");
}

#[tokio::test]
async fn restarts_are_shown_once_there_are_any() {
    let served = Served::new("").await;
    for (name, restarts) in [("first", 0), ("third", 2)] {
        let builder = Sink::default().of(words(&served.world)).with_name(name);
        let query = builder.with_restart_count(restarts).start().await.unwrap();
        let shown = served.client.json(&format!("/api/v1/queries/{name}"));
        assert_eq!(shown["restarts"], restarts);
        assert_eq!(shown["isResumable"], false);
        let overview = served.client.page(&format!("/queries/{name}"));
        let listed = format!("<dt>restarts</dt><dd>{restarts} after failures");
        assert!(overview.contains(&listed), "{overview}");
        let figure = served
            .client
            .page("/")
            .contains("<dt>Restarts</dt><dd>2</dd>");
        assert_eq!(figure, restarts > 0, "{name}");
        query.stop().await.unwrap();
    }
}

#[tokio::test]
async fn plans_are_kept_from_the_first_look_on() {
    let served = Served::new("").await;
    let query = served.query("unseen").await;
    let first = query.last_progress().unwrap().batch_id;
    let path = |batch| format!("/api/v1/queries/unseen/plan/{batch}");
    let answer = served.client.get(&path(first));
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("no plan of batch"), "{}", answer.body);
    served.world.put_numbers("words", 5).await;
    query.process_all_available().await.unwrap();
    let plan = served
        .client
        .json(&path(query.last_progress().unwrap().batch_id));
    let mut node = &plan;
    while node["name"] != "KinesisReadExec" {
        node = &node["children"][0];
        assert!(node.is_object(), "{plan}");
    }
    assert_eq!(
        node["outputRows"],
        query.last_progress().unwrap().num_input_rows
    );
    query.stop().await.unwrap();
}

#[tokio::test]
async fn shards_show_a_split_and_where_to_split_next() {
    let served = Served::new("").await;
    let world = &served.world;
    let query = Sink::default()
        .of(words(world))
        .with_name("split")
        .start()
        .await
        .unwrap();
    let stream = StreamIdentity::parse("words").unwrap();
    let split = ShardId::new("shardId-000000000000");
    world
        .kinesis
        .split_shard(&stream, &split, HashKey(1 << 126))
        .await
        .unwrap();
    let shards = || shards(&served, "split");
    while shards().len() < 4 || shards()[0]["status"] != "ended" {
        world.put("words", "0", "1").await;
        query.process_all_available().await.unwrap();
    }
    let seen = shards();
    assert_eq!(seen[2]["parentShardIds"][0], "shardId-000000000000");
    assert_eq!(seen[2]["startingHashKey"], "0");
    assert_eq!(seen[3]["endingHashKey"], ((1_u128 << 127) - 1).to_string());
    let page = served.client.page("/queries/split/shards");
    assert!(
        page.contains("Splits and merges") && page.contains("0 · ended"),
        "{page}"
    );
    query.stop().await.unwrap();
    assert!(
        served
            .client
            .page("/queries/split/shards")
            .contains("No shard is being read")
    );
}

#[tokio::test]
async fn a_hot_shard_is_marked() {
    let served = Served::new("").await;
    let world = &served.world;
    let query = Sink::default()
        .of(words(world))
        .with_name("hot")
        .start()
        .await
        .unwrap();
    let hot = || {
        let mut shards = shards(&served, "hot").into_iter();
        shards.find(|shard| shard["isHot"] == true)
    };
    // All records have one key.
    while hot().is_none() {
        for _ in 0..50 {
            world.put("words", "0", "1").await;
        }
        query.process_all_available().await.unwrap();
    }
    let hot = hot().unwrap();
    let number = |name: &str| hot[name].as_str().unwrap().parse::<u128>().unwrap();
    let (start, end) = (number("startingHashKey"), number("endingHashKey"));
    let key = number("newStartingHashKey");
    assert_eq!(key - start, end - key + 1, "both halves have as many keys");
    let page = served.client.page("/queries/hot/shards");
    assert!(
        page.contains("▲ hot") && page.contains(&key.to_string()),
        "{page}"
    );
    query.stop().await.unwrap();
}

#[tokio::test]
async fn the_page_answers_while_a_batch_keeps_all_threads_busy() {
    let served = Served::new("").await;
    let (gate, wait) = Gate::new();
    let wait = Arc::new(wait);
    let builder = words(&served.world).with_name("slow");
    let builder = builder.foreach_batch(move |_, _| {
        let wait = Arc::clone(&wait);
        async move {
            // Blocks the only thread of this runtime.
            wait();
            Ok(())
        }
    });
    let client = served.client;
    let watched = std::thread::spawn(move || {
        gate.reached.recv().unwrap();
        let page = client.page("/");
        let shards = client.json("/api/v1/queries/slow/shards");
        gate.open.send(()).unwrap();
        (page, shards)
    });
    let query = builder.start().await.unwrap();
    served.world.put_numbers("words", 3).await;
    query.process_all_available().await.unwrap();
    let (page, shards) = watched.join().unwrap();
    assert!(page.contains("Processing batch 0"), "{page}");
    assert_eq!(shards["sources"][0]["shards"].as_array().unwrap().len(), 2);
    query.stop().await.unwrap();
}

#[tokio::test]
async fn a_failed_query_shows_its_error() {
    let served = Served::new("").await;
    let builder = words(&served.world)
        .with_name("broken")
        .foreach_batch(|_, _| async {
            Err(datafusion::error::DataFusionError::Execution(
                "the target is <full>".to_owned(),
            ))
        });
    let query = builder.start().await.unwrap();
    served.world.put_numbers("words", 1).await;
    query.await_termination().await.unwrap_err();
    let shown = served.client.json("/api/v1/queries/broken");
    assert_eq!(shown["state"], "failed");
    assert!(
        shown["exception"]
            .as_str()
            .unwrap()
            .contains("the target is <full>")
    );
    for path in ["/", "/queries/broken", "/queries/broken/batches"] {
        let page = served.client.page(path);
        assert!(
            page.contains("the target is &lt;full&gt;"),
            "{path}: {page}"
        );
    }
    assert!(StreamingQueries::of(&served.world.ctx).active().is_empty());
}

#[tokio::test]
async fn unknown_paths_and_queries_are_not_found() {
    let served = Served::new("").await;
    let client = served.client;
    for path in [
        "/nothing",
        "/queries/x",
        "/queries/x/shards",
        "/queries/x/nothing",
        "/static/nothing",
        "/queries/x/batches/y",
    ] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
    for path in [
        "/api/v1/nothing",
        "/api/v1/queries/x",
        "/api/v1/queries/x/plan/0",
        "/api/v1/",
        "/api/nothing",
        "/api/v1/queries/x/shards",
        "/api/v1/queries/x/state",
    ] {
        let answer = client.get(path);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (404, Some("application/json")),
            "{path}"
        );
        assert!(serde_json::from_str::<Value>(&answer.body).unwrap()["error"].is_string());
    }
    let origin = format!("Origin: http://{}\r\n", client.0);
    for (method, path, headers, status) in [
        ("GET", "/api/v1/queries/%ff", "", 400),
        ("PUT", "/api/v1/queries", &*origin, 405),
        ("POST", "/api/v1/queries/x/stop", "", 403),
    ] {
        let answer = client.request(method, path, headers);
        assert_eq!(answer.status, status, "{path}");
        assert!(serde_json::from_str::<Value>(&answer.body).unwrap()["error"].is_string());
    }
    let put = client.request("PUT", "/api/v1/queries", &origin);
    assert_eq!(put.header("allow"), Some("GET,HEAD"));
    assert_eq!(client.post("/").status, 405);
    assert_eq!(client.get("/queries/x/stop").status, 405);
}
