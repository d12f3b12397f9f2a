//! What can be seen of a statement set: progress, state, plans.

use serde_json::Value;

use datafusion_kinesis::query::StreamingQueries;

use super::*;

#[tokio::test(start_paused = true)]
async fn progress_has_each_output_and_the_total() {
    let world = world(2).await;
    world.put_numbers("words", 10).await;
    let query = StreamingQuery::builder(&world.ctx, THREE)
        .with_checkpoint_location("memory://statement-set-progress");
    let query = query.start().await.unwrap();
    let queries = StreamingQueries::of(&world.ctx);
    let observed = queries.observed().pop().unwrap();
    observed.keep_plans();
    query.process_all_available().await.unwrap();
    let last = query.last_progress().unwrap();
    let outputs = last.outputs.iter();
    let rows = outputs.map(|output| (output.name.as_str(), output.sink.num_output_rows));
    let expected = [("out", Some(10)), ("even", Some(5)), ("counts", Some(3))];
    assert_eq!(rows.collect::<Vec<_>>(), expected);
    assert_eq!(last.num_input_rows, 10, "rows of a stream count once");
    assert_eq!(last.sink.num_output_rows, Some(18));
    assert_eq!(
        last.sink.description,
        "KinesisSink[out], KinesisSink[even], KinesisSink[counts]"
    );
    let written = last.sink.metrics.as_ref().unwrap();
    assert_eq!(written.rows, 18);
    let outputs = last.outputs.iter();
    let calls = outputs.map(|output| output.sink.metrics.as_ref().unwrap().calls);
    assert_eq!(written.calls, calls.sum::<u64>());
    let json: Value = serde_json::from_str(&last.to_json()).unwrap();
    assert_eq!(json["sink"]["numOutputRows"], 18);
    assert_eq!(json["outputs"][1]["name"], "even");
    assert_eq!(json["outputs"][1]["sink"]["numOutputRows"], 5);
    assert_eq!(json["stateOperators"][0]["output"], "counts");
    assert_eq!(json["stateOperators"][0]["numRowsTotal"], 3);
    assert_eq!(json["stateOperators"].as_array().unwrap().len(), 1);
    let plan = observed.plan(last.batch_id).unwrap();
    let details = plan.children.iter().map(|output| output.details.as_str());
    assert_eq!(
        details.collect::<Vec<_>>(),
        ["Output: out", "Output: even", "Output: counts"]
    );
    let sample = observed.state_sample(Some("counts")).unwrap();
    assert_eq!(sample.groups.len(), 3);
    assert_eq!(observed.state_sample(None), None);
    query.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn read_state_takes_the_name_of_an_output() {
    let world = world(1).await;
    let place = "memory://statement-set-read-state";
    world.put_numbers("words", 10).await;
    run(set(&world, THREE, place)).await;
    for arguments in [
        format!("'{place}', 'counts'"),
        format!("'{place}', 0, 'counts'"),
    ] {
        let groups = format!("SELECT count(*) FROM read_state({arguments})");
        assert_eq!(world.number(&groups).await, 3, "{arguments}");
    }
    let (_, message) = world
        .refusal(&format!("SELECT * FROM read_state('{place}')"))
        .await;
    assert!(
        message.contains("these outputs of a statement set: 'counts'"),
        "{message}"
    );
    let (_, message) = world
        .refusal(&format!("SELECT * FROM read_state('{place}', 'out')"))
        .await;
    assert!(message.contains("'counts'"), "{message}");
}
