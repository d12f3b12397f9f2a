//! A statement set that is killed: all its outputs are of the same batches.

use std::collections::BTreeSet;

use super::*;

const TARGETS: &str = "\
CREATE EXTERNAL TABLE odd STORED AS \"aws-kinesis\" LOCATION 'odd'
  OPTIONS ('kinesis.createStream' 'true');
CREATE EXTERNAL TABLE counts STORED AS \"aws-kinesis\" LOCATION 'counts'
  OPTIONS ('kinesis.createStream' 'true');
CREATE EXTERNAL TABLE sums STORED AS \"aws-kinesis\" LOCATION 'sums'
  OPTIONS ('kinesis.createStream' 'true');
";

/// Copies the numbers, copies the odd ones, and counts and adds up those of each key.
fn query(checkpoint: &Path) -> String {
    let streams = copying(checkpoint, "");
    let (streams, _) = streams.split_once("INSERT").unwrap();
    let grouped = |target: &str, aggregate: &str| {
        format!(
            "INSERT INTO {target} (partitionKey, data) SELECT partitionKey, CAST({aggregate} AS VARCHAR)
             FROM (SELECT partitionKey, CAST(CAST(data AS VARCHAR) AS BIGINT) AS n FROM live)
             GROUP BY partitionKey;"
        )
    };
    format!(
        "{streams} {TARGETS}
         EXECUTE STATEMENT SET BEGIN
           INSERT INTO copies (partitionKey, data) SELECT partitionKey, data FROM live;
           INSERT INTO odd (partitionKey, data) SELECT partitionKey, data FROM live
             WHERE CAST(CAST(data AS VARCHAR) AS BIGINT) % 2 = 1;
           SET streaming.output_mode = 'update';
           {} {}
         END;",
        grouped("counts", "count(*)"),
        grouped("sums", "sum(n)")
    )
}

#[test]
fn a_killed_statement_set_loses_no_row_of_any_output() {
    let (server, checkpoint) = (Server::start(), folder("killed-statement-set"));
    let query = query(&checkpoint);
    // This checks the copies.
    killed_again_and_again(&server, &query, 15, || offsets(&checkpoint));
    let numbers = written_by_key(&server);
    let of = |table: &str| {
        let rows = format!("SELECT partitionKey, CAST(data AS VARCHAR) FROM {table}");
        let rows = server.csv(&format!("{TARGETS} {rows}"));
        by_key(&rows, |row| row[0].parse::<u64>().unwrap())
    };
    let (odd, counts, sums) = (of("odd"), of("counts"), of("sums"));
    for (key, written) in &numbers {
        let written: BTreeSet<u64> = written.iter().map(|row| row.number).collect();
        let expected: BTreeSet<u64> = written.iter().copied().filter(|n| n % 2 == 1).collect();
        let found: BTreeSet<u64> = odd.get(key).into_iter().flatten().copied().collect();
        assert_eq!(found, expected, "{key}");
        assert_eq!(counts[key].last(), Some(&(written.len() as u64)), "{key}");
        assert_eq!(sums[key].last(), Some(&written.iter().sum()), "{key}");
    }
}
