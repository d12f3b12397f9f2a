//! Statements that are added to a set, or removed from it.

use super::*;

const COPY: &str = "INSERT INTO out (partitionKey, data) SELECT partitionKey, data FROM words;";
const COUNT: &str = "SET streaming.output_mode = 'update'; INSERT INTO counts (partitionKey, data)
    SELECT CAST(rest AS VARCHAR), CAST(count(*) AS VARCHAR) FROM
    (SELECT CAST(CAST(data AS VARCHAR) AS INT) % 3 AS rest FROM words) GROUP BY rest;";
const SIZES: &str = "INSERT INTO even (partitionKey, data)
    SELECT CAST(size AS VARCHAR), CAST(count(*) AS VARCHAR) FROM
    (SELECT length(data) AS size FROM words) GROUP BY size;";

fn of(statements: &[&str]) -> String {
    format!("EXECUTE STATEMENT SET BEGIN {} END", statements.concat())
}

#[tokio::test(start_paused = true)]
async fn the_state_of_a_statement_is_kept_while_others_come_and_go() {
    let world = world(2).await;
    let place = "memory://statement-set-changed";
    world.put_numbers("words", 30).await;
    run(set(&world, &of(&[COPY, COUNT]), place)).await;
    let added = of(&[COUNT, SIZES]);
    let refused = set(&world, &added, place).start().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Checkpoint);
    assert!(
        refused.to_string().contains("accept_changed_query"),
        "{refused}"
    );
    for number in 30..60 {
        world.put("words", "k", number.to_string()).await;
    }
    run(set(&world, &added, place).accept_changed_query()).await;
    assert_eq!(counts(&world).await, three_counts(0..60));
    // The statement that was added begins without groups, where the others are.
    let sizes = "SELECT concat(partitionKey, ' ', CAST(data AS VARCHAR)) FROM even";
    assert_eq!(world.lines(sizes).await, ["2 30"]);
    assert_eq!(numbers(&world, "out").await, (0..30).collect::<Vec<_>>());
    // Its state is kept from now on, too.
    for number in 60..63 {
        world.put("words", "k", number.to_string()).await;
    }
    run(set(&world, &of(&[COPY, COUNT, SIZES]), place).accept_changed_query()).await;
    assert_eq!(counts(&world).await, three_counts(0..63));
    let mut sizes = world.lines(sizes).await;
    sizes.sort();
    assert_eq!(sizes, ["2 30", "2 33"]);
}

#[tokio::test(start_paused = true)]
async fn the_state_of_a_single_statement_is_not_lost_to_a_set() {
    let world = world(1).await;
    let place = "memory://statement-set-single";
    let single = COUNT.split_once(';').unwrap().1.trim_end_matches(';');
    let mode = datafusion_kinesis::model::OutputMode::Update;
    world.put_numbers("words", 3).await;
    run(set(&world, single, place).with_output_mode(mode)).await;
    let taken = set(&world, &of(&[COPY, COUNT]), place).accept_changed_query();
    let error = fails(taken).await;
    assert_eq!(error.kind(), ErrorKind::Checkpoint);
    assert!(
        error.to_string().contains("query of one statement"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn another_aggregation_of_the_same_output_is_refused() {
    let world = world(1).await;
    let place = "memory://statement-set-aggregation";
    world.put_numbers("words", 3).await;
    run(set(&world, &of(&[COPY, COUNT]), place)).await;
    let other = COUNT.replace("count(*)", "sum(rest)");
    let error = fails(set(&world, &of(&[COPY, &other]), place).accept_changed_query()).await;
    let text = error.to_string();
    assert!(
        text.contains("output 'counts'") && text.contains("another aggregation"),
        "{text}"
    );
}
