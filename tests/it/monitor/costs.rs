//! What a query costs is the same in its progress, on its page, in the API and in the metrics.
#![cfg(feature = "metrics")]

use datafusion_kinesis::kinesis::Kinesis;
use datafusion_kinesis::model::{StreamIdentity, StreamName};
use datafusion_kinesis::monitor::{Metrics, ShardMetrics};
use datafusion_kinesis::query::EstimatedCost;
use tokio::time::Instant;

use super::*;
use crate::support::{entry, folder};

/// A copy of the stream `from` that has read some records.
async fn copy(served: &Served, from: &str, location: &str) -> StreamingQuery {
    let world = &served.world;
    let plain = "'kinesis.sink.aggregationEnabled' 'false'";
    world.table("out", 1, plain).await;
    let copy =
        format!("INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM {from}");
    let query = StreamingQuery::builder(&world.ctx, copy).with_name("copy");
    let query = query.with_checkpoint_location(format!("memory://{location}"));
    let query = query.start().await.unwrap();
    world.put_numbers(from, 20).await;
    query.process_all_available().await.unwrap();
    query
}

fn cost(query: &StreamingQuery) -> EstimatedCost {
    query.last_progress().unwrap().estimated_cost.clone()
}

#[track_caller]
fn assert_close(one: f64, other: f64) {
    assert!((one - other).abs() < 1e-6, "{one} is not {other}");
}

#[tokio::test(start_paused = true)]
async fn the_figures_agree_everywhere() {
    let served = Served::new("").await;
    let metrics = Metrics::of(&served.world.ctx);
    let begin = Instant::now();
    let query = copy(&served, "words", "costs").await;
    // A record of 60 KB is three units.
    let large = entry("k", vec![b'x'; 60_000], None);
    let stream = StreamIdentity::parse("words").unwrap();
    served
        .world
        .kinesis
        .put_records(&stream, &[large])
        .await
        .unwrap();
    query.process_all_available().await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(60));

    let cost = cost(&query);
    // 2 shards at $0.015; 23 units in the first minute at $0.014 per million.
    assert_close(cost.shard_hours, 0.03);
    assert!((cost.put_payload_units - 23.0 * 60.0 * 0.014e-6).abs() < 1e-12);
    assert_eq!(cost.checkpoint_requests, 0.0, "it is in memory");
    assert_close(cost.total, cost.parts().iter().map(|(_, part)| part).sum());

    let client = &served.client;
    let json = &client.json("/api/v1/queries/copy")["lastProgress"]["estimatedCostPerHour"];
    assert_eq!(json["currency"], "USD");
    assert_eq!(
        json["note"],
        "an estimate from list prices of 2025 (us-east-1)"
    );
    assert_close(json["total"].as_f64().unwrap(), cost.total);
    let listed = &client.json("/api/v1/queries")["queries"][0];
    assert_close(listed["estimatedCostPerHour"].as_f64().unwrap(), cost.total);
    let text = metrics.prometheus_text(ShardMetrics::UpTo100);
    for (part, dollars) in cost.parts() {
        assert_close(json[part].as_f64().unwrap(), dollars);
        let series = format!(
            "datafusion_kinesis_estimated_cost_dollars_per_hour{{query=\"copy\",part=\"{part}\"}} "
        );
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        assert_close(line.expect(&series).parse().unwrap(), dollars);
    }
    let card = client.page("/");
    assert!(
        card.contains("<dt>Estimated cost/h</dt><dd>$0.030</dd>"),
        "{card}"
    );
    let overview = client.page(&format!("/queries/{}", query.run_id()));
    assert!(overview.contains("an estimate from list prices of 2025 (us-east-1)"));
    for (name, per_hour, per_month) in [
        ("Open shards that are read", "$0.030", "$21.90"),
        ("Total", "$0.030", "$21.91"),
    ] {
        let row = format!(
            "<th scope=\"row\">{name}</th><td class=\"num\">{per_hour}</td><td class=\"num\">{per_month}</td>"
        );
        assert!(overview.contains(&row), "{row}\n{overview}");
    }
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_file_overrides_prices() {
    let served = Served::new("").await;
    let folder = folder("own-prices");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("prices.json");
    let text = r#"{"asOf": "2026-11-30", "region": "eu-west-1", "prices": {"shardHour": 1}}"#;
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let set = format!("SET streaming.prices = '{path}'");
    served.world.run(&set).await;
    let query = copy(&served, "words", "own-costs").await;
    let cost = cost(&query);
    assert_eq!(cost.shard_hours, 2.0);
    assert_eq!(
        (&*cost.prices_as_of, &*cost.prices_region),
        ("2026-11-30", "eu-west-1")
    );
    assert!(
        cost.note
            .ends_with(&format!("(eu-west-1) with those in {path}")),
        "{}",
        cost.note
    );
    let overview = served.client.page(&format!("/queries/{}", query.run_id()));
    assert!(overview.contains(path), "{overview}");
    query.stop().await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_on_demand_stream_costs_by_its_traffic() {
    let served = Served::new("").await;
    let (world, name) = (&served.world, StreamName::new("elastic").unwrap());
    world.kinesis.create_on_demand_stream(&name).await.unwrap();
    world
        .unbounded_table_again("elastic", "elastic", FROM_THE_START)
        .await;
    let query = copy(&served, "elastic", "elastic-costs").await;
    let cost = cost(&query);
    assert_eq!(cost.shard_hours, 0.0);
    let bytes: u64 = query
        .recent_progress()
        .iter()
        .map(|batch| batch.sources[0].num_input_bytes)
        .sum();
    // $0.04 for the stream, and $0.04 for each GB of the first minute.
    let expected = 0.04 + bytes as f64 * 60.0 / (1 << 30) as f64 * 0.04;
    assert!((cost.on_demand_reads - expected).abs() < 1e-12);
    query.stop().await.unwrap();
}
