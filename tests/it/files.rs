//! Tables of files in the command, and joined with streams.

mod compressed;
mod missing;
#[cfg(feature = "aws")]
mod s3;

use std::fs;
use std::path::PathBuf;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::model::OutputMode;

use crate::grouped::{Lines, grouped};
use crate::process::{command, folder};
use crate::streaming::FROM_THE_START;
use crate::support::{ROOT, World};

/// A file of countries.
fn countries(file: &str) -> PathBuf {
    [ROOT, "tests", "data", "files", file].iter().collect()
}

/// A statement that creates table `name` of a file.
fn table(name: &str, format: &str, file: &str) -> String {
    let options = match format {
        "CSV" => " OPTIONS ('format.has_header' 'true')",
        _ => "",
    };
    let location = countries(file);
    format!(
        "CREATE EXTERNAL TABLE {name} STORED AS {format} LOCATION '{}'{options};",
        location.display()
    )
}

const FILES: [(&str, &str); 10] = [
    ("PARQUET", "countries.none.parquet"),
    ("PARQUET", "countries.snappy.parquet"),
    ("PARQUET", "countries.zstd.parquet"),
    ("PARQUET", "countries.gzip.parquet"),
    ("AVRO", "countries.null.avro"),
    ("AVRO", "countries.deflate.avro"),
    ("AVRO", "countries.snappy.avro"),
    ("AVRO", "countries.zstandard.avro"),
    ("JSON", "countries.json"),
    ("CSV", "countries.csv"),
];

/// The output of statements in the command with the in-memory Kinesis.
fn run(statements: &str) -> String {
    let output = command()
        .args(["--embedded", "--output", "csv", "-c", statements])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{statements}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_command_reads_files_of_every_format_and_codec() {
    for (format, file) in FILES {
        let create = table("countries", format, file);
        let output = run(&format!(
            "{create} SELECT code, name, people FROM countries ORDER BY code"
        ));
        let expected = "code,name,people\nDE,Germany,83500000\nFR,France,68400000\nIS,Ísland,\n";
        assert_eq!(output, expected, "{file}");
    }
    let create = table("countries", "PARQUET", "countries.snappy.parquet");
    let output = run(&format!(
        "{create} SELECT share, since, tags FROM countries WHERE code = 'FR'"
    ));
    let expected = "share,since,tags\n0.31,2026-11-20T00:00:00Z,\"[\"\"eu\"\",\"\"wine\"\"]\"\n";
    assert_eq!(output, expected);
}

#[test]
fn the_command_joins_streams_with_files() {
    for (format, file) in [FILES[1], FILES[6], FILES[8], FILES[9]] {
        let create = table("countries", format, file);
        let output = run(&format!(
            "{create}
             CREATE UNBOUNDED EXTERNAL TABLE visits STORED AS \"aws-kinesis\" LOCATION 'visits'
               OPTIONS ('kinesis.createStream' 'true', {FROM_THE_START});
             INSERT INTO visits (partitionKey, data) VALUES
               ('k', '{{\"c\":\"DE\"}}'), ('k', '{{\"c\":\"IS\"}}'), ('k', '{{\"c\":\"DE\"}}'), ('k', '{{}}');
             SET streaming.trigger = 'available now';
             SET streaming.output_mode = 'complete';
             SELECT name, count(*) AS n FROM visits JOIN countries ON code = data->>'c' GROUP BY name"
        ));
        let rows = output.lines().filter(|line| line.contains(','));
        let mut rows: Vec<&str> = rows.collect();
        rows.sort_unstable();
        assert_eq!(
            rows,
            ["Germany,2", "name,n", "Ísland,1"],
            "{file}: {output}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_replaced_parquet_file_is_read_by_the_next_batch() {
    let world = World::new();
    world.unbounded_table("visits", 1, FROM_THE_START).await;
    let folder = folder("replaced-parquet");
    fs::create_dir_all(&folder).unwrap();
    let (file, new) = (folder.join("names.parquet"), folder.join("new.parquet"));
    let write = async |name: &str| {
        let rows = format!(
            "COPY (SELECT 'a' AS key, '{name}' AS name) TO '{}'",
            new.display()
        );
        world.run(&rows).await;
        fs::rename(&new, &file).unwrap();
    };
    write("one").await;
    let location = file.display();
    world
        .run(&format!(
            "CREATE EXTERNAL TABLE names STORED AS PARQUET LOCATION '{location}'"
        ))
        .await;
    let lines = Lines::default();
    let joined = "SELECT name FROM visits JOIN names ON key = partitionKey";
    let query = lines.of(grouped(&world, joined, OutputMode::Append));
    let query = query.with_checkpoint_location("memory://replaced-parquet");
    let query = query.start().await.unwrap();
    for name in ["one", "two", "and three"] {
        write(name).await;
        world.put("visits", "a", "x").await;
        query.process_all_available().await.unwrap();
    }
    query.stop().await.unwrap();
    assert_eq!(lines.given(), [["one"], ["two"], ["and three"]]);
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn avro_files_cannot_be_written() {
    let world = World::new();
    let (kind, message) = world.refusal("COPY (SELECT 1 AS x) TO '/tmp/x.avro'").await;
    assert_eq!(kind, ErrorKind::Unsupported);
    assert!(message.contains("PARQUET"), "{message}");
}
