use std::collections::HashMap;

use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{Ident, ObjectName};

use super::*;
use crate::kinesis::Kinesis;
use crate::model::StreamName;
use crate::sql::identifiers::quote_columns;
use crate::sql::windows::expand_windows;

/// The statement with quoted columns and expanded windows.
fn expanded(sql: &str) -> String {
    let mut statements = DFParser::parse_sql(sql).unwrap();
    let Some(Statement::Statement(mut statement)) = statements.pop_front() else {
        panic!("{sql} is not a plain statement");
    };
    let table = |name: &str| ObjectName::from(vec![Ident::new(name)]);
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let tables = HashMap::from([
        (
            table("words"),
            columns(&["data", "approximateArrivalTimestamp"]),
        ),
        (table("t"), columns(&["ts", "v"])),
        (table("windows"), columns(&["window_start", "ts"])),
    ]);
    quote_columns(&mut statement, &tables);
    expand_windows(&mut *statement, &tables).unwrap();
    statement.to_string()
}

#[test]
fn each_window_is_expanded() {
    assert_eq!(
        expanded("SELECT window_start, window_end FROM t GROUP BY tumble(ts, INTERVAL '1 hour')"),
        "SELECT date_bin(INTERVAL '1 hour', ts) AS window_start, \
         bin_end(date_bin(INTERVAL '1 hour', ts), INTERVAL '1 hour') AS window_end \
         FROM t GROUP BY date_bin(INTERVAL '1 hour', ts)"
    );
    assert_eq!(
        expanded(
            "SELECT Window_End AS e FROM t GROUP BY v, HOP(ts, INTERVAL '1 hour', INTERVAL '1 day')"
        ),
        "SELECT bin_end(hop(ts, INTERVAL '1 hour', INTERVAL '1 day'), INTERVAL '1 day') AS e \
         FROM t GROUP BY v, hop(ts, INTERVAL '1 hour', INTERVAL '1 day')"
    );
    assert_eq!(
        expanded("SELECT window_start, max(v) FROM t GROUP BY (session(ts, INTERVAL '1 hour'))"),
        "SELECT session_start(ts, INTERVAL '1 hour') AS window_start, max(v) \
         FROM t GROUP BY session_start(ts, INTERVAL '1 hour'), session_end(ts, INTERVAL '1 hour')"
    );
}

#[test]
fn bare_columns_work_in_windows() {
    assert_eq!(
        expanded(
            "SELECT window_start FROM words GROUP BY tumble(approximateArrivalTimestamp, INTERVAL '1 hour')"
        ),
        "SELECT date_bin(INTERVAL '1 hour', \"approximateArrivalTimestamp\") AS window_start FROM words \
         GROUP BY date_bin(INTERVAL '1 hour', \"approximateArrivalTimestamp\")"
    );
    assert_eq!(
        expanded(
            "SELECT tumble(w.approximatearrivaltimestamp, INTERVAL '1 hour') FROM words AS w \
             GROUP BY tumble(w.approximateArrivalTimestamp, INTERVAL '1 hour')"
        ),
        "SELECT date_bin(INTERVAL '1 hour', w.\"approximateArrivalTimestamp\") AS window_start FROM words AS w \
         GROUP BY date_bin(INTERVAL '1 hour', w.\"approximateArrivalTimestamp\")"
    );
}

#[test]
fn existing_columns_and_aliases_take_precedence() {
    let untouched = "SELECT window_start FROM windows GROUP BY window_start";
    assert_eq!(expanded(untouched), untouched);
    assert_eq!(
        expanded(
            "SELECT window_start, window_end FROM windows GROUP BY tumble(ts, INTERVAL '1 hour')"
        ),
        "SELECT window_start, bin_end(date_bin(INTERVAL '1 hour', ts), INTERVAL '1 hour') AS window_end \
         FROM windows GROUP BY date_bin(INTERVAL '1 hour', ts)"
    );
    assert_eq!(
        expanded(
            "SELECT max(v) AS window_start FROM t GROUP BY tumble(ts, INTERVAL '1 hour') \
             HAVING window_start > 1 ORDER BY window_start"
        ),
        "SELECT max(v) AS window_start FROM t GROUP BY date_bin(INTERVAL '1 hour', ts) \
         HAVING window_start > 1 ORDER BY window_start"
    );
}

#[test]
fn inner_queries_are_expanded_on_their_own() {
    assert_eq!(
        expanded(
            "SELECT window_start, count(*) FROM (SELECT window_start FROM t GROUP BY tumble(ts, INTERVAL '1 hour')) \
             GROUP BY tumble(window_start, INTERVAL '1 day'), window_start"
        ),
        "SELECT window_start, count(*) FROM (SELECT date_bin(INTERVAL '1 hour', ts) AS window_start FROM t \
         GROUP BY date_bin(INTERVAL '1 hour', ts)) GROUP BY date_bin(INTERVAL '1 day', window_start), window_start"
    );
    assert_eq!(
        expanded(
            "WITH w AS (SELECT window_start FROM t GROUP BY tumble(ts, INTERVAL '1 hour')) \
             SELECT window_start FROM w GROUP BY tumble(window_start, INTERVAL '1 day'), window_start"
        ),
        "WITH w AS (SELECT date_bin(INTERVAL '1 hour', ts) AS window_start FROM t \
         GROUP BY date_bin(INTERVAL '1 hour', ts)) SELECT window_start FROM w \
         GROUP BY date_bin(INTERVAL '1 day', window_start), window_start"
    );
    assert_eq!(
        expanded(
            "INSERT INTO words (data) SELECT window_end FROM t GROUP BY session(ts, INTERVAL '1 hour') \
             UNION ALL SELECT window_start FROM t GROUP BY tumble(ts, INTERVAL '1 hour')"
        ),
        "INSERT INTO words (data) SELECT session_end(ts, INTERVAL '1 hour') AS window_end FROM t \
         GROUP BY session_start(ts, INTERVAL '1 hour'), session_end(ts, INTERVAL '1 hour') \
         UNION ALL SELECT date_bin(INTERVAL '1 hour', ts) AS window_start FROM t \
         GROUP BY date_bin(INTERVAL '1 hour', ts)"
    );
}

#[test]
fn every_clause_after_grouping_resolves_the_names() {
    assert_eq!(
        expanded(
            "SELECT rank() OVER (PARTITION BY window_start ORDER BY max(v)) AS r FROM t \
             GROUP BY tumble(ts, INTERVAL '1 hour') HAVING window_end > now() QUALIFY r < 3 ORDER BY window_end, r"
        ),
        "SELECT rank() OVER (PARTITION BY date_bin(INTERVAL '1 hour', ts) ORDER BY max(v)) AS r FROM t \
         GROUP BY date_bin(INTERVAL '1 hour', ts) \
         HAVING bin_end(date_bin(INTERVAL '1 hour', ts), INTERVAL '1 hour') > now() QUALIFY r < 3 \
         ORDER BY bin_end(date_bin(INTERVAL '1 hour', ts), INTERVAL '1 hour'), r"
    );
}

#[tokio::test]
async fn a_stream_is_grouped_by_arrival_time() {
    let ctx = context(2);
    let statements = [
        "CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words'",
        "INSERT INTO words (partitionKey, data) VALUES ('a', 'x'), ('b', 'y')",
        "SELECT count(*), window_end > window_start FROM words \
         GROUP BY session(approximateArrivalTimestamp, INTERVAL '1 hour')",
        "EXPLAIN SELECT window_end FROM words GROUP BY hop(approximatearrivaltimestamp, INTERVAL '1 hour', INTERVAL '1 day')",
        "SELECT * FROM (SELECT sum(n) FROM (SELECT partitionKey, window_start, count(*) AS n FROM words \
         GROUP BY partitionKey, hop(approximateArrivalTimestamp, INTERVAL '1 hour', INTERVAL '3 hours')))",
        "SELECT 1 WHERE 2 = (SELECT max(n) FROM (SELECT count(*) AS n FROM words \
         GROUP BY session(approximateArrivalTimestamp, INTERVAL '1 hour')))",
    ];
    let mut results = Vec::new();
    let kinesis = InMemoryKinesis::new(Arc::new(SystemClock), InMemoryOptions::default());
    let name = StreamName::new("words").unwrap();
    kinesis.create_stream(&name, 2).await.unwrap();
    register_with(&ctx, Services::fixed(Arc::new(kinesis)));
    for statement in statements {
        results.push(
            run(&ctx, statement)
                .await
                .unwrap_or_else(|e| panic!("{statement}: {e}")),
        );
    }
    assert_eq!(results[2], ["2|true"]);
    assert!(results[3].concat().contains("HopExec"));
    assert_eq!(results[4], ["6"]);
    assert_eq!(results[5], ["1"]);
}
