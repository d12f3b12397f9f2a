//! Statement sets in the built command.

use crate::process::{Running, command};

const STREAMS: &str = "\
CREATE EXTERNAL TABLE words STORED AS \"aws-kinesis\" LOCATION 'words'
  OPTIONS ('kinesis.createStream' 'true');
CREATE EXTERNAL TABLE a STORED AS \"aws-kinesis\" LOCATION 'a'
  OPTIONS ('kinesis.createStream' 'true');
CREATE EXTERNAL TABLE b STORED AS \"aws-kinesis\" LOCATION 'b'
  OPTIONS ('kinesis.createStream' 'true');
INSERT INTO words (partitionKey, data) VALUES ('k', 'x;'), ('k', 'y');
CREATE UNBOUNDED EXTERNAL TABLE live STORED AS \"aws-kinesis\" LOCATION 'words'
  OPTIONS ('kinesis.startingPosition' 'TRIM_HORIZON');
SET streaming.trigger = 'available now';
SET streaming.checkpoint_location = 'memory://command-statement-set';
";

const SET: &str = "\
EXECUTE STATEMENT SET BEGIN
  INSERT INTO a (partitionKey, data) SELECT partitionKey, data FROM live;
  -- Only some; of them.
  INSERT INTO b (partitionKey, data) SELECT partitionKey, data FROM live WHERE data = 'x;';
END;
";

const RESULT: &str =
    "SELECT CAST(data AS VARCHAR) FROM a ORDER BY 1; SELECT CAST(data AS VARCHAR) FROM b";

#[test]
fn the_command_runs_a_set_as_one_statement() {
    let text = format!("{STREAMS}{SET}{RESULT}");
    for from_stdin in [false, true] {
        let mut command = command();
        command.args(["--embedded", "--output", "csv"]);
        let ended = match from_stdin {
            false => Running::spawn(command.args(["-c", &text])).wait(),
            true => {
                let folder = crate::support::folder("statement-set-stdin");
                std::fs::write(&folder, &text).unwrap();
                command.stdin(std::fs::File::open(&folder).unwrap());
                let ended = Running::spawn(&mut command).wait();
                std::fs::remove_file(folder).unwrap();
                ended
            }
        };
        assert!(ended.status.success(), "{:#?}", ended.stderr);
        let printed = &ended.stdout[ended.stdout.len() - 4..];
        assert_eq!(printed, ["x;", "y", "b.data", "x;"]);
        let summary = ended
            .stderr
            .iter()
            .find(|line| line.contains("2 rows read"));
        assert!(summary.is_some(), "{:#?}", ended.stderr);
    }
}

#[test]
fn a_set_without_an_end_is_an_error_with_its_line() {
    let text = format!("{STREAMS}BEGIN STATEMENT SET;\nINSERT INTO a SELECT 1;");
    let ended = Running::spawn(command().args(["--embedded", "-c", &text])).wait();
    assert_eq!(ended.status.code(), Some(1));
    let error = ended.stderr.join("\n");
    assert!(
        error.contains("-c:12: ") && error.contains("no END"),
        "{error}"
    );
}
