//! Exchanges aggregates with another implementation, the Python library `aws-kinesis-agg`.
//!
//! Runs if `python3`, or the interpreter in `KINESIS_TEST_PYTHON`, can import it (`pip install
//! aws-kinesis-agg six`), and reports otherwise that it was skipped.

use std::env;
use std::io::Write;
use std::process::{Command, Stdio};

use datafusion_kinesis::aggregation::{AggregateBuilder, Opened, Push, UserRecord, open};
use datafusion_kinesis::model::HashKey;
use serde_json::{Value, json};

use crate::support::skipped;

type Owned = (String, Option<HashKey>, Vec<u8>);

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/it/reference_deaggregator.py"
);

#[test]
fn aggregates_are_exchanged_with_the_python_library() {
    let python = env::var("KINESIS_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let import = "import aws_kinesis_agg.aggregator, aws_kinesis_agg.deaggregator";
    let probe = Command::new(&python).args(["-c", import]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        let why = format!("{python} cannot import aws_kinesis_agg");
        skipped("aggregates_are_exchanged_with_the_python_library", &why);
        return;
    }

    let mut random = fastrand::Rng::with_seed(21);
    let batches: Vec<Vec<Owned>> = (0..60).map(|_| records(&mut random)).collect();
    let ours: Vec<Vec<u8>> = batches.iter().map(|batch| aggregate(batch)).collect();
    let answer = ask(
        &python,
        &json!({
            "aggregates": ours.iter().map(|bytes| hex(bytes)).collect::<Vec<_>>(),
            "records": batches.iter().map(|batch| as_json(batch)).collect::<Vec<_>>(),
        }),
    );

    for (index, batch) in batches.iter().enumerate() {
        assert_eq!(answer["built"][index], hex(&ours[index]), "same bytes");
        let theirs = unhex(answer["built"][index].as_str().unwrap());
        assert_eq!(&opened(&theirs), batch);
        assert_eq!(answer["opened"][index], as_the_library_reads(batch));
    }
}

/// The library treats a record without an explicit hash key as one with the first key of the table.
fn as_the_library_reads(batch: &[Owned]) -> Value {
    let first = batch.iter().find_map(|record| record.1);
    let read: Vec<Owned> = (batch.iter().cloned())
        .map(|(key, hash_key, data)| (key, hash_key.or(first), data))
        .collect();
    as_json(&read)
}

fn records(random: &mut fastrand::Rng) -> Vec<Owned> {
    let with_hash_keys = random.bool();
    (0..random.usize(1..200))
        .map(|_| {
            let key = format!("ключ-{}", random.u8(..));
            let hash_key = (with_hash_keys && random.bool()).then(|| match random.bool() {
                true => HashKey(random.u128(..)),
                false => HashKey(u128::from(random.u8(..))),
            });
            let data = (0..random.usize(..300)).map(|_| random.u8(..)).collect();
            (key, hash_key, data)
        })
        .collect()
}

fn aggregate(batch: &[Owned]) -> Vec<u8> {
    let mut builder = AggregateBuilder::new(1024 * 1024);
    for (partition_key, explicit_hash_key, data) in batch {
        let pushed = builder.try_push(&UserRecord {
            partition_key,
            explicit_hash_key: *explicit_hash_key,
            data,
        });
        assert_eq!(pushed, Push::Added);
    }
    builder.finish().to_vec()
}

fn opened(aggregate: &[u8]) -> Vec<Owned> {
    let Opened::Aggregate(records) = open(aggregate) else {
        panic!("not taken for an aggregate");
    };
    (records)
        .map(|r| {
            (
                r.partition_key.to_owned(),
                r.explicit_hash_key,
                r.data.to_vec(),
            )
        })
        .collect()
}

fn ask(python: &str, task: &Value) -> Value {
    let mut child = Command::new(python)
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it ran a moment ago");
    let mut input = child.stdin.take().expect("it is piped");
    input
        .write_all(task.to_string().as_bytes())
        .expect("the script reads all of it");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the script failed");
    serde_json::from_slice(&output.stdout).expect("the script writes JSON")
}

fn as_json(batch: &[Owned]) -> Value {
    let records = batch.iter().map(|(key, hash_key, data)| {
        let hash_key = hash_key.map(|hash_key| hash_key.to_string());
        json!([key, hash_key, hex(data)])
    });
    records.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex"))
        .collect()
}
