use super::*;

#[test]
fn secret_option_values_are_masked_and_others_kept() {
    assert_eq!(
        statement(
            "CREATE EXTERNAL TABLE t STORED AS KINESIS LOCATION 's' OPTIONS (\n  'kinesis.awsAccessKeyId' 'AKIAXYZ',\n  'kinesis.awsSecretKey' 'abc/+def',\n  'kinesis.sessionToken' 'tok', 'kinesis.region' 'eu-west-1')"
        ),
        "CREATE EXTERNAL TABLE t STORED AS KINESIS LOCATION 's' OPTIONS (\n  'kinesis.awsAccessKeyId' '***',\n  'kinesis.awsSecretKey' '***',\n  'kinesis.sessionToken' '***', 'kinesis.region' 'eu-west-1')"
    );
}

#[test]
fn every_way_to_write_the_option_is_masked() {
    for pair in [
        "'kinesis.awssecretkey'   'hidden'",
        "'KINESIS.AWSSECRETKEY'\n\t'hidden'",
        "'kinesis.awsSecretKey''hidden'",
        "'kinesis.awsSecretKey'/* key */'hidden'",
        "'kinesis.awsSecretKey' -- 'key'\n 'hidden'",
        "kinesis.awsSecretKey 'hidden'",
        "kinesis . awsSecretKey hidden",
        "\"kinesis.awsSecretKey\" \"hidden\"",
        "`awsSecretKey` = 'hidden'",
        "awsSecretKey => hidden",
        "'kinesis.awsSecretKey', 'hidden'",
        "'kinesis.sink.awsSecretKey' 'hid''hidden'",
        "'kinesis.awsSecretKey' E'hid\\'hidden'",
        "'kinesis.awsSecretKey' $$hidden, x$$",
        "'kinesis.awsSecretKey' $a$hidden$a$",
        "'kinesis.awsSecretKey' 'hidden and never closed",
        "SET kinesis.awsSecretKey = 'hidden'",
    ] {
        let sql = match pair.starts_with("SET") {
            true => pair.to_owned(),
            false => format!("OPTIONS ({pair}"),
        };
        let redacted = statement(&sql);
        assert!(redacted.ends_with("'***'"), "{pair}: {redacted}");
        assert!(!redacted.contains("hid"), "{pair}: {redacted}");
    }
}

#[test]
fn a_password_in_the_url_of_a_registry_is_masked() {
    let sql = "OPTIONS ('kinesis.schemaRegistry.url' 'https://me:hidden@registry:8081')";
    assert_eq!(
        statement(sql),
        "OPTIONS ('kinesis.schemaRegistry.url' '***')"
    );
    assert!(holds_credentials(sql));
    let plain = "OPTIONS ('kinesis.schemaRegistry.url' 'https://registry:8081')";
    assert_eq!(statement(plain), plain);
}

#[test]
fn the_default_of_a_variable_is_a_secret_value_of_its_option() {
    let sql =
        "OPTIONS ('kinesis.awsSecretKey' '${KEY:-hidden}', 'kinesis.region' '${REGION:-here}')";
    let shown = message("keys 'hidden' of here", sql);
    assert_eq!(shown, "keys '***' of here");
    assert!(!statement(sql).contains("hidden"));
}

#[test]
fn a_missing_quote_does_not_prevent_masking() {
    let redacted = statement("LOCATION 's OPTIONS ('kinesis.awsSecretKey' 'hidden')");
    assert_eq!(
        redacted,
        "LOCATION 's OPTIONS ('kinesis.awsSecretKey' '***')"
    );
}

#[test]
fn names_that_only_start_like_a_secret_are_ignored() {
    for sql in [
        "OPTIONS ('sessionTokenDuration' '15 min')",
        "SELECT sessiontokens FROM t",
        "SELECT sessionToken FROM t",
        "SELECT 1",
        "OPTIONS ('kinesis.awsSecretKey'",
    ] {
        assert_eq!(statement(sql), sql);
    }
}

#[test]
fn a_message_that_quotes_the_secret_is_masked() {
    let sql = "OPTIONS ('kinesis.awsSecretKey' 'ab''cd', 'sessionToken' tok)";
    assert_eq!(
        message(
            "expected ), found: 'ab''cd' or ab'cd at tok, not token",
            sql
        ),
        "expected ), found: *** or *** at ***, not token"
    );
}

#[test]
fn a_url_with_credentials_is_masked() {
    assert_eq!(
        statement("OPTIONS ('kinesis.endpointUrl' 'http://me:hunter2@host:1/', 'a' 'b')"),
        "OPTIONS ('kinesis.endpointUrl' '***', 'a' 'b')"
    );
    let plain = "OPTIONS ('kinesis.endpointUrl' 'http://host:1', 'to' 'me@home')";
    assert_eq!(statement(plain), plain);
}

#[test]
fn a_password_in_a_checkpoint_location_is_masked() {
    assert_eq!(
        statement("SET streaming.checkpoint_location = 's3://me:hunter2@bucket/x'"),
        "SET streaming.checkpoint_location = '***'"
    );
    assert_eq!(
        statement("OPTIONS ('kinesis.metadataPath' 's3://me:hunter2@bucket/x')"),
        "OPTIONS ('kinesis.metadataPath' '***')"
    );
    let plain = "SET streaming.checkpoint_location = 'abfss://logs@account.dfs.core.windows.net/x'";
    assert_eq!(statement(plain), plain);
}

#[test]
fn a_message_that_quotes_part_of_a_url_is_masked() {
    let sql = "OPTIONS ('KINESIS.ENDPOINTURL' = 'http://me:hunter2@host:1')";
    assert_eq!(
        message(
            "cannot reach http://me:hunter2@host:1/ (user me:hunter2, password hunter2)",
            sql
        ),
        "cannot reach ***/ (user ***, password ***)"
    );
    let sql = "OPTIONS ('kinesis.endpointUrl' 'http://me:hunter2@host/a@b')";
    assert_eq!(message("user me:hunter2 of host", sql), "user *** of host");
}

#[test]
fn statements_with_credentials_are_recognized() {
    assert!(holds_credentials(
        "OPTIONS ('kinesis.endpointUrl' 'http://me:pw@host')"
    ));
    assert!(!holds_credentials(
        "OPTIONS ('kinesis.endpointUrl' 'http://host')"
    ));
    for sql in [
        "SET streaming.checkpoint_location = 's3://me:pw@bucket/x'",
        "SET streaming.Checkpoint_Location TO s3://me:pw@bucket/x",
        "SET streaming.checkpoint_location = 's3://me@bucket/x'",
        "SET streaming.checkpoint_location = 'me:pw@bucket'",
        "SET streaming.checkpoint_location = 'az://bucket/x?sig=pw'",
        "SET streaming.checkpoint_location = 'abfss://me:pw@account.dfs.core.windows.net/x'",
        "OPTIONS ('kinesis.metadataPath' 's3://me:p/w@bucket/x')",
    ] {
        assert!(holds_credentials(sql), "{sql}");
    }
    for sql in [
        "SET streaming.checkpoint_location = 'abfss://logs@account.dfs.core.windows.net/x'",
        "OPTIONS ('kinesis.metadataPath' 's3://bucket/x')",
        "SET streaming.checkpoint_location = '/me'",
    ] {
        assert!(!holds_credentials(sql), "{sql}");
    }
    assert!(holds_credentials("OPTIONS ('kinesis.awsSecretKey' 'x')"));
    assert!(holds_credentials("OPTIONS ('KINESIS.SESSIONTOKEN' 'x')"));
    assert!(holds_credentials("option 'aws_AccessKey_id' 'x'"));
    assert!(!holds_credentials("SELECT data FROM words"));
}

#[test]
fn every_secret_option_is_masked_and_kept_out_of_the_history() {
    for option in all().filter(|option| option.secret) {
        let sql = format!("CREATE … OPTIONS ('{}' 'hunter2')", option.name);
        let shown = statement(&sql);
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(holds_credentials(&sql), "{sql}");
    }
}

#[test]
fn credentials_in_the_locations_of_files_are_masked() {
    for (sql, shown) in [
        (
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 's3://me:hidden@bucket/t/'",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '***'",
        ),
        (
            "create external table t stored as csv location\n'https://host/t?token=hidden' options ('format.has_header' 'true')",
            "create external table t stored as csv location\n'***' options ('format.has_header' 'true')",
        ),
        (
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION /* here */ ('s3://bucket/a', 's3://me:hidden@bucket/b')",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION /* here */ ('s3://bucket/a', '***')",
        ),
        (
            "COPY (SELECT 'to' FROM t) TO 's3://bucket/x.csv?sig=hidden' STORED AS CSV",
            "COPY (SELECT 'to' FROM t) TO '***' STORED AS CSV",
        ),
        (
            "EXPLAIN COPY t TO 's3://me:hidden@bucket/x.csv'",
            "EXPLAIN COPY t TO '***'",
        ),
    ] {
        assert_eq!(statement(sql), shown);
        let masked = message("'hidden' is unknown", sql);
        assert_eq!(masked, "'***' is unknown", "{sql}");
        assert!(holds_credentials(sql), "{sql}");
    }
}

#[test]
fn locations_without_credentials_are_shown() {
    for sql in [
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 's3://bucket/t/'",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/data/a?.csv'",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'abfss://box@account.dfs.core.windows.net/t/'",
        "COPY t TO '/tmp/ada@home.csv'",
        "SELECT location, 'https://host/?q=1' FROM t",
        "SELECT tumble(ts, INTERVAL '1 minute') TO 'https://host/?q=1'",
    ] {
        assert_eq!(statement(sql), sql);
        assert!(!holds_credentials(sql), "{sql}");
    }
}
