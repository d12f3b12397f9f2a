//! The options of enhanced fan-out.

use super::*;

#[test]
fn fan_out_needs_a_consumer_and_polling_none() {
    const FAN_OUT: (&str, &str) = ("kinesis.consumerType", "subscribetoshard");
    const ARN: &str = "arn:aws:kinesis:eu-west-1:111122223333:stream/words/consumer/sql:1525898737";
    const OTHER: &str =
        "arn:aws:kinesis:eu-west-1:111122223333:stream/clicks/consumer/sql:1525898737";
    let name = ("kinesis.consumerName", "sql");
    let arn = ("kinesis.consumerArn", ARN);
    let chosen = |given: &[(&str, &str)]| options(given).unwrap().source.fan_out.unwrap();
    let managed = chosen(&[FAN_OUT, name]);
    assert_eq!((managed.consumer.as_str(), managed.arn), ("sql", None));
    assert_eq!(managed.lifecycle, ConsumerLifecycle::Managed);
    assert_eq!(managed.timeout, Duration::from_secs(60));
    assert_eq!(managed.max_retries, 10);
    let existing = chosen(&[FAN_OUT, arn]);
    assert_eq!(existing.consumer.as_str(), "sql");
    assert_eq!(existing.lifecycle, ConsumerLifecycle::External);
    let auto = ("kinesis.consumerType", "AUTO");
    let max_lag = ("kinesis.auto.maxLag", "5 minutes");
    assert_eq!(managed.auto_max_lag, None);
    let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
    assert_eq!(chosen(&[auto, name]).auto_max_lag, minutes(1));
    assert_eq!(chosen(&[auto, arn, max_lag]).auto_max_lag, minutes(5));
    for (given, expected) in [
        (&[FAN_OUT][..], "expected 'kinesis.consumerName'"),
        (
            &[auto],
            "'kinesis.consumerType' = 'auto': expected 'kinesis.consumerName'",
        ),
        (
            &[max_lag],
            "expected only together with 'kinesis.consumerType' = 'auto'",
        ),
        (
            &[FAN_OUT, name, max_lag],
            "expected only together with 'kinesis.consumerType' = 'auto'",
        ),
        (
            &[name],
            "expected only together with 'kinesis.consumerType'",
        ),
        (
            &[("kinesis.subscribeToShard.timeoutSec", "5")],
            "expected only together with 'kinesis.consumerType'",
        ),
        (
            &[FAN_OUT, arn, ("kinesis.consumerName", "other")],
            "expected the name in 'kinesis.consumerArn'",
        ),
        (
            &[FAN_OUT, arn, ("kinesis.consumerLifecycle", "reuse")],
            "expected 'external'",
        ),
        (
            &[FAN_OUT, ("kinesis.consumerArn", OTHER)],
            "expected a consumer of stream 'words'",
        ),
    ] {
        let message = rejection(given);
        assert!(message.contains(expected), "{message}");
    }
}
