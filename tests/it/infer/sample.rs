//! The options with which `infer` reads a sample, and what it says about documents that do not fit them.

use super::{errors_of, filled, infer, statement, text};
use crate::process::Server;

/// The statement for a stream with these records and options.
fn with_options(server: &Server, stream: &str, records: &[&str], options: &[&str]) -> String {
    let records: Vec<String> = records.iter().map(|record| text(record)).collect();
    filled(server, stream, &records);
    statement(server, &arguments(stream, options))
}

fn arguments<'a>(stream: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    [&[stream], options].concat()
}

#[test]
fn options_say_how_the_sample_is_read() {
    let server = Server::start();
    let explode = ["-o", "kinesis.json.explode=$.items"];
    let document = r#"{"o":1,"ts":"2026-11-30","items":[{"a":1},{"a":2,"o":7}]}"#;
    let create = with_options(&server, "exploded", &[document], &explode);
    assert!(create.contains("1 record, 2 documents, 0 bad"), "{create}");
    let rows = server.csv(&format!(
        "{create} SELECT a, o, ts FROM exploded ORDER BY a"
    ));
    assert_eq!(rows, "a,o,ts\n1,1,2026-11-30\n2,7,2026-11-30\n");

    let hash = ["--format", "csv", "-o", "kinesis.csv.delimiter=#"];
    let create = with_options(&server, "hashes", &["1#x", "2#y"], &hash);
    assert!(create.contains("c1 BIGINT,"), "{create}");
    let rows = server.csv(&format!("{create} SELECT * FROM hashes ORDER BY c1"));
    assert_eq!(rows, "c1,c2\n1,x\n2,y\n");

    let quotes = [
        "-o",
        "kinesis.csv.quote='",
        "-o",
        "kinesis.csv.nullLiteral=NA",
    ];
    let create = with_options(&server, "quoted", &["1,'a,b',NA", "NA,c,2"], &quotes);
    let rows = server.csv(&format!(
        "{create} SELECT c1, c2, c3 FROM quoted ORDER BY c1"
    ));
    assert_eq!(rows, "c1,c2,c3\n1,\"a,b\",\n,c,2\n");

    let line = ["-o", "kinesis.format.framing=newline"];
    let create = with_options(
        &server,
        "lines",
        &["{\"a\": 1}\n{\"a\": 2}", "{\"a\":\n3}"],
        &line,
    );
    assert!(create.contains("2 documents, 2 bad"), "{create}");
    let rows = server.csv(&format!("{create} SELECT a FROM lines ORDER BY a"));
    assert_eq!(rows, "a\n1\n2\n\n\n");

    let epoch = ["-o", "kinesis.json.timestampFormat=epoch_ms"];
    let create = with_options(&server, "times", &[r#"{"t":1764489600123}"#], &epoch);
    assert!(
        create.contains("declare their columns as TIMESTAMP"),
        "{create}"
    );
    assert!(create.contains("t BIGINT"), "{create}");
}

#[test]
fn the_counts_are_those_of_the_table() {
    let server = Server::start();
    let record = ["--format", "csv", "-o", "kinesis.format.framing=record"];
    let create = with_options(&server, "single", &["1,x\n2,y", "3,z"], &record);
    assert!(create.contains("2 records, 1 document, 1 bad"), "{create}");
    assert!(
        create.contains("has a line end within its line"),
        "{create}"
    );
    let rows = server.csv(&format!(
        "{create} SELECT c1, c2 FROM single WHERE c1 IS NOT NULL"
    ));
    assert_eq!(rows, "c1,c2\n3,z\n");
}

#[test]
fn options_with_which_nothing_can_be_read_are_refused() {
    let server = Server::start();
    let of = |name: &str, record: &str| filled(&server, name, &[text(record)]);
    of("plain", r#"{"a":1,"why":2,"items":[]}"#);
    of("two", "{\"a\":1}\n{\"a\":2}");
    filled(&server, "sparse", &[text(r#"{"a":1}"#), text(r#"{"b":1}"#)]);
    for (stream, options, expected) in [
        (
            "plain",
            &["-o", "kinesis.format.compression=gzip"][..],
            "option 'kinesis.format.compression' = 'gzip': no document of the sample can be read: record 1",
        ),
        (
            "two",
            &["-o", "kinesis.format.framing=record"],
            "option 'kinesis.format.framing' = 'record': no document of the sample can be read: record 1",
        ),
        (
            "plain",
            &["-o", "kinesis.json.header=glue"],
            "option 'kinesis.json.header' = 'glue': no document of the sample can be read: record 1",
        ),
        (
            "sparse",
            &["-o", "kinesis.json.failOnMissingField=true"],
            "field 'b': is missing",
        ),
        (
            "plain",
            &["-o", "kinesis.json.explode=$.items"],
            "no document of the sample has an array with elements there",
        ),
        (
            "plain",
            &["-o", "kinesis.extraColumns=partitionKey AS a"],
            "duplicate column 'a'",
        ),
        (
            "plain",
            &["-o", "kinesis.format.errorColumn=why"],
            "duplicate column 'why'",
        ),
    ] {
        let errors = errors_of(&infer(&server, &arguments(stream, options)));
        assert!(errors.contains(expected), "{options:?}: {errors}");
    }
}

#[test]
fn a_schema_that_suits_no_document_is_not_called_theirs() {
    let server = Server::start();
    let bytes = |hex: &str| format!("X'{hex}'");
    filled(&server, "plain", &[bytes("FF"), bytes("FFFF")]);
    let schema =
        r#"kinesis.avro.schema={"type":"record","name":"R","fields":[{"name":"v","type":"int"}]}"#;
    let create = statement(&server, &["plain", "-o", schema]);
    assert!(create.contains("0 documents, 2 bad"), "{create}");
    assert!(
        !create.contains("are Avro with the given schema"),
        "{create}"
    );
    assert!(
        create.contains("No document suits the given schema"),
        "{create}"
    );
    let single = ["C3010102030405060708", "02"].concat();
    filled(&server, "single", &[bytes(&single), bytes(&single)]);
    let create = statement(&server, &["single", "-o", schema]);
    assert!(
        create.contains("'kinesis.avro.framing' 'single_object'"),
        "{create}"
    );
    assert!(create.contains("fingerprint"), "{create}");
}
