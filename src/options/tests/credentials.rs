//! Credentials for the stream and for the DynamoDB table of its offsets.

use super::*;
use crate::model::{BaseCredentials, CredentialSettings};

const READER: &str = "arn:aws:iam::111122223333:role/reader";
const IN_DYNAMODB: (&str, &str) = ("kinesis.metadataCommitterType", "DYNAMODB");

fn credentials(pairs: &[(&str, &str)]) -> CredentialSettings {
    options(pairs).unwrap().connection.credentials
}

/// Runs `test` with the pairs under both option prefixes.
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
fn access_key_id_and_secret_require_each_other() {
    with_both_prefixes(&[("awsSecretKey", "canary")], |prefix, pairs| {
        let message = rejection(pairs);
        let expected = format!("'{prefix}awsAccessKeyId' is missing");
        assert!(
            message.contains(&expected) && !message.contains("canary"),
            "{message}"
        );
    });
    with_both_prefixes(&[("sessionToken", "canary")], |_, pairs| {
        let message = rejection(pairs);
        assert!(!message.contains("canary"), "{message}");
    });
}

#[test]
fn keys_profile_and_provider_are_exclusive() {
    let keys = [("awsAccessKeyId", "AKIDEXAMPLE"), ("awsSecretKey", "hush")];
    let profile = [("awsProfile", "dev")];
    let provider = [("credentialProviderClass", "vault")];
    for (one, other) in [
        (&keys[..], &profile[..]),
        (&keys, &provider),
        (&profile, &provider),
    ] {
        with_both_prefixes(&[one, other].concat(), |prefix, pairs| {
            let message = rejection(pairs);
            assert!(
                message.contains("expected only one of them") && message.contains(prefix),
                "{message}"
            );
        });
    }
}

#[test]
fn dependent_options_are_rejected_without_their_main_option() {
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
                rejection(pairs),
                format!("option '{prefix}{name}': expected only together with '{prefix}{other}'")
            );
        });
    }
}

#[test]
fn role_sessions_have_a_default_name_and_length() {
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
fn roles_are_assumed_in_the_listed_order() {
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
        let message = rejection(&[("kinesis.stsRoleArn", list)]);
        assert!(message.contains("expected the ARN of a role"), "{message}");
    }
}

#[test]
fn sessions_of_chained_roles_last_at_most_an_hour() {
    let two = format!("{READER},{READER}");
    let long = ("kinesis.stsSessionDurationSec", "3601");
    assert!(options(&[("kinesis.stsRoleArn", READER), long]).is_ok());
    let message = rejection(&[("kinesis.stsRoleArn", &two), long]);
    assert!(message.contains("expected at most 3600"), "{message}");
}

#[test]
fn a_role_is_assumed_with_the_configured_base_credentials() {
    let given = credentials(&[
        ("kinesis.stsRoleArn", READER),
        ("kinesis.awsProfile", "dev"),
    ]);
    assert_eq!(given.base, Some(BaseCredentials::Profile("dev".to_owned())));
    assert!(given.role.is_some());
}

#[test]
fn the_offsets_table_uses_the_streams_base_credentials_but_not_its_role() {
    let of_table = |pairs: &[(&str, &str)]| {
        let options = options(&[pairs, &[IN_DYNAMODB]].concat()).unwrap();
        let CommitterKind::DynamoDb(dynamodb) = options.source.metadata.committer else {
            panic!("not in DynamoDB");
        };
        dynamodb.credentials_with_defaults(&options.connection.credentials)
    };
    let stream = [
        ("kinesis.stsRoleArn", READER),
        ("kinesis.awsProfile", "dev"),
    ];
    let dev = Some(BaseCredentials::Profile("dev".to_owned()));
    let resolved = of_table(&stream);
    assert_eq!((resolved.base, resolved.role), (dev.clone(), None));

    let writer = "arn:aws:iam::111122223333:role/writer";
    let resolved = of_table(&[&stream[..], &[("kinesis.dynamodb.stsRoleArn", writer)]].concat());
    assert_eq!(resolved.base, dev);
    assert_eq!(resolved.role.unwrap().chain, [writer]);

    let resolved = of_table(&[&stream[..], &[("kinesis.dynamodb.awsProfile", "ops")]].concat());
    let ops = Some(BaseCredentials::Profile("ops".to_owned()));
    assert_eq!((resolved.base, resolved.role), (ops, None));
}

#[test]
fn debug_output_of_options_shows_no_secret() {
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
