//! Regions and encryption of endpoints.

use super::*;

const ARN: &str = "arn:aws:kinesis:eu-west-1:111122223333:stream/words";
const FRANKFURT: &str = "https://kinesis.eu-central-1.amazonaws.com";

fn region(pairs: &[(&str, &str)]) -> Option<String> {
    options(pairs).unwrap().connection.region
}

#[test]
fn the_stream_region_comes_from_the_most_specific_source() {
    let home = ("kinesis.region", "us-east-1");
    let own = ("kinesis.kinesisRegion", "eu-west-1");
    let arn = ("kinesis.streamName", ARN);
    let endpoint = ("kinesis.endpointUrl", FRANKFURT);
    assert_eq!(region(&[]), None);
    assert_eq!(region(&[home]).unwrap(), "us-east-1");
    assert_eq!(region(&[home, own]).unwrap(), "eu-west-1");
    assert_eq!(region(&[home, arn]).unwrap(), "eu-west-1");
    assert_eq!(region(&[home, endpoint]).unwrap(), "eu-central-1");
    assert_eq!(region(&[own, arn]).unwrap(), "eu-west-1");
    let local = ("kinesis.endpointUrl", "http://localhost:4567");
    assert_eq!(region(&[local, home]).unwrap(), "us-east-1");
    assert_eq!(region(&[local]), None);
}

#[test]
fn contradicting_regions_are_rejected() {
    for pairs in [
        [
            ("kinesis.kinesisRegion", "us-east-1"),
            ("kinesis.streamName", ARN),
        ],
        [
            ("kinesis.kinesisRegion", "us-east-1"),
            ("kinesis.endpointUrl", FRANKFURT),
        ],
        [
            ("kinesis.streamName", ARN),
            ("kinesis.endpointUrl", FRANKFURT),
        ],
    ] {
        let message = rejection(&pairs);
        assert!(
            message.contains("specifies region '")
                && message.contains("expected the region of the stream"),
            "{message}"
        );
    }
}

#[test]
fn the_offsets_table_is_in_the_region_of_the_query() {
    let dynamodb = |pairs: &[(&str, &str)]| {
        let in_dynamodb = ("kinesis.metadataCommitterType", "DYNAMODB");
        let options = options(&[pairs, &[in_dynamodb]].concat()).unwrap();
        match options.source.metadata.committer {
            CommitterKind::DynamoDb(ref dynamodb) => options.dynamodb_region(dynamodb),
            CommitterKind::ObjectStore => panic!("not in DynamoDB"),
        }
    };
    let home = ("kinesis.region", "us-east-1");
    let arn = ("kinesis.streamName", ARN);
    let own = ("kinesis.dynamodb.region", "us-west-2");
    let endpoint = (
        "kinesis.dynamodb.endpointUrl",
        "https://dynamodb.sa-east-1.amazonaws.com",
    );
    assert_eq!(dynamodb(&[]), None);
    assert_eq!(dynamodb(&[arn]).unwrap(), "eu-west-1");
    assert_eq!(dynamodb(&[arn, home]).unwrap(), "us-east-1");
    assert_eq!(dynamodb(&[arn, home, endpoint]).unwrap(), "sa-east-1");
    assert_eq!(dynamodb(&[arn, home, own, endpoint]).unwrap(), "us-west-2");
}

#[test]
fn http_to_other_hosts_requires_allow_http() {
    let role = (
        "kinesis.stsRoleArn",
        "arn:aws:iam::111122223333:role/reader",
    );
    let kept = ("kinesis.metadataCommitterType", "DYNAMODB");
    let own_role = (
        "kinesis.dynamodb.stsRoleArn",
        "arn:aws:iam::111122223333:role/writer",
    );
    for name in [
        "kinesis.endpointUrl",
        "kinesis.stsEndpointUrl",
        "kinesis.dynamodb.endpointUrl",
        "kinesis.dynamodb.stsEndpointUrl",
    ] {
        let pairs = [role, own_role, kept, (name, "http://localstack:4566")];
        let message = rejection(&pairs);
        let expected = format!("option '{name}' = 'http://localstack:4566': expected https://");
        assert!(
            message.starts_with(&expected) && message.contains("'kinesis.allowHttp'"),
            "{message}"
        );
        let allowed = [&pairs[..], &[("kinesis.allowHttp", "true")]].concat();
        assert!(options(&allowed).unwrap().connection.allow_http);
        let local = [role, own_role, kept, (name, "http://127.0.0.1:4566")];
        assert!(options(&local).is_ok());
    }
}
