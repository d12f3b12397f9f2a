//! Who asks: for the stream, and for the DynamoDB table of its offsets.

use super::*;
use crate::model::{BaseCredentials, CredentialSettings};

const READER: &str = "arn:aws:iam::111122223333:role/reader";
const IN_DYNAMODB: (&str, &str) = ("kinesis.metadataCommitterType", "DYNAMODB");

fn credentials(pairs: &[(&str, &str)]) -> CredentialSettings {
    options(pairs).unwrap().connection.credentials
}

/// Pairs named with one prefix and the other, with what the second needs besides.
fn with_both_prefixes(pairs: &[(&str, &str)], test: impl Fn(&str, &[(&str, &str)])) {
    for prefix in ["kinesis.", "kinesis.dynamodb."] {
        let named: Vec<_> = pairs
            .iter()
            .map(|(name, value)| (format!("{prefix}{name}"), *value))
            .collect();
        let mut pairs: Vec<_> = named
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        pairs.push(IN_DYNAMODB);
        test(prefix, &pairs);
    }
}

#[test]
fn keys_come_in_pairs() {
    with_both_prefixes(&[("awsSecretKey", "canary")], |prefix, pairs| {
        let message = refusal(pairs);
        let expected = format!("'{prefix}awsAccessKeyId' is missing");
        assert!(
            message.contains(&expected) && !message.contains("canary"),
            "{message}"
        );
    });
    with_both_prefixes(&[("sessionToken", "canary")], |_, pairs| {
        let message = refusal(pairs);
        assert!(!message.contains("canary"), "{message}");
    });
}

#[test]
fn there_is_one_way_to_credentials() {
    let keys = [("awsAccessKeyId", "AKIDEXAMPLE"), ("awsSecretKey", "hush")];
    let profile = [("awsProfile", "dev")];
    let provider = [("credentialProviderClass", "vault")];
    for (one, other) in [
        (&keys[..], &profile[..]),
        (&keys, &provider),
        (&profile, &provider),
    ] {
        with_both_prefixes(&[one, other].concat(), |prefix, pairs| {
            let message = refusal(pairs);
            assert!(
                message.contains("expected one of them") && message.contains(prefix),
                "{message}"
            );
        });
    }
}

#[test]
fn what_says_nothing_without_another_is_refused() {
    for (name, value, other) in [
        ("stsSessionName", "nightly", "stsRoleArn"),
        (
            "stsEndpointUrl",
            "https://sts.eu-west-1.amazonaws.com",
            "stsRoleArn",
        ),
        ("stsExternalId", "canary", "stsRoleArn"),
        ("stsSessionDurationSec", "900", "stsRoleArn"),
        (
            "credentialProviderParam",
            "canary",
            "credentialProviderClass",
        ),
    ] {
        with_both_prefixes(&[(name, value)], |prefix, pairs| {
            assert_eq!(
                refusal(pairs),
                format!("option '{prefix}{name}': expected only together with '{prefix}{other}'")
            );
        });
    }
}

#[test]
fn a_role_has_a_session_of_an_hour_with_a_name_unless_they_are_given() {
    let role = credentials(&[("kinesis.stsRoleArn", READER)]).role.unwrap();
    assert_eq!(role.chain, [READER]);
    assert_eq!(role.session_name, "datafusion-kinesis");
    assert_eq!(role.session_length, Duration::from_secs(3_600));
    assert_eq!((role.external_id, role.endpoint_url), (None, None));

    let role = credentials(&[
        ("kinesis.stsRoleArn", READER),
        ("kinesis.stsSessionName", "nightly@etl"),
        ("kinesis.stsExternalId", "42/x"),
        ("kinesis.stsSessionDurationSec", "43200"),
        ("kinesis.stsEndpointUrl", "http://localhost:5000"),
    ])
    .role
    .unwrap();
    assert_eq!(role.session_name, "nightly@etl");
    assert_eq!(role.external_id.unwrap().reveal(), "42/x");
    assert_eq!(role.session_length, Duration::from_secs(43_200));
    assert_eq!(role.endpoint_url.unwrap(), "http://localhost:5000");
}

#[test]
fn roles_are_listed_in_the_order_they_are_assumed_in() {
    let odd = "arn:aws-cn:iam::444455556666:role/a/b,c@d";
    let chain = |list: &str| {
        let given = credentials(&[("kinesis.stsRoleArn", list)]);
        given.role.unwrap().chain
    };
    assert_eq!(chain(&format!(" {READER} , {odd} ")), [READER, odd]);
    assert_eq!(chain(&format!("{odd},{READER}")), [odd, READER]);
    for list in [
        "reader",
        "arn:aws:iam::111122223333:user/me",
        "arn:aws:iam::11112222333x:role/reader",
        "arn:aws:sts::111122223333:assumed-role/reader/x",
        &format!("{READER},"),
        &format!("{READER},,{READER}"),
        &format!("{READER} {READER}"),
    ] {
        let message = refusal(&[("kinesis.stsRoleArn", list)]);
        assert!(message.contains("expected the ARN of a role"), "{message}");
    }
}

#[test]
fn sessions_of_a_chain_live_an_hour_at_most() {
    let two = format!("{READER},{READER}");
    let long = ("kinesis.stsSessionDurationSec", "3601");
    assert!(options(&[("kinesis.stsRoleArn", READER), long]).is_ok());
    let message = refusal(&[("kinesis.stsRoleArn", &two), long]);
    assert!(message.contains("expected at most 3600"), "{message}");
}

#[test]
fn a_role_is_assumed_by_whoever_else_is_named() {
    let given = credentials(&[
        ("kinesis.stsRoleArn", READER),
        ("kinesis.awsProfile", "dev"),
    ]);
    assert_eq!(given.base, Some(BaseCredentials::Profile("dev".to_owned())));
    assert!(given.role.is_some());
}

#[test]
fn the_table_of_the_offsets_has_the_base_of_the_stream_and_not_its_role() {
    let of_table = |pairs: &[(&str, &str)]| {
        let options = options(&[pairs, &[IN_DYNAMODB]].concat()).unwrap();
        let CommitterKind::DynamoDb(dynamodb) = options.source.metadata.committer else {
            panic!("not in DynamoDB");
        };
        dynamodb.credentials_beside(&options.connection.credentials)
    };
    let stream = [
        ("kinesis.stsRoleArn", READER),
        ("kinesis.awsProfile", "dev"),
    ];
    let dev = Some(BaseCredentials::Profile("dev".to_owned()));
    let beside = of_table(&stream);
    assert_eq!((beside.base, beside.role), (dev.clone(), None));

    let writer = "arn:aws:iam::111122223333:role/writer";
    let beside = of_table(&[&stream[..], &[("kinesis.dynamodb.stsRoleArn", writer)]].concat());
    assert_eq!(beside.base, dev);
    assert_eq!(beside.role.unwrap().chain, [writer]);

    let beside = of_table(&[&stream[..], &[("kinesis.dynamodb.awsProfile", "ops")]].concat());
    let ops = Some(BaseCredentials::Profile("ops".to_owned()));
    assert_eq!((beside.base, beside.role), (ops, None));
}

#[test]
fn no_secret_shows_in_debug_of_options() {
    let options = options(&[
        ("kinesis.awsAccessKeyId", "AKIACANARY"),
        ("kinesis.awsSecretKey", "canary-secret"),
        ("kinesis.sessionToken", "canary-token"),
        ("kinesis.stsRoleArn", READER),
        ("kinesis.stsExternalId", "canary-id"),
        ("kinesis.dynamodb.credentialProviderClass", "vault"),
        ("kinesis.dynamodb.credentialProviderParam", "canary-param"),
        IN_DYNAMODB,
    ])
    .unwrap();
    assert!(!format!("{options:?}").to_lowercase().contains("canary"));
}
