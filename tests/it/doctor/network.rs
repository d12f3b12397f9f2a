//! The same in a network with one way out, where a private authority gives all certificates.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::{Ground, marked};
use crate::dynamo::Dynamo;
use crate::network::{Proxy, TlsFront, authority};
use crate::support::served;

/// What `http://<address>` names.
fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().unwrap()
}

/// A ground all of whose services are behind one proxy.
struct Inside {
    ground: Ground,
    statements: String,
    proxy: Proxy,
    _fronts: Vec<TlsFront>,
}

impl Inside {
    async fn new(name: &str) -> Self {
        let mut ground = Ground::new(name).await;
        let dynamo = Dynamo::new();
        let key = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|wanted| {
            let mut environment = ground.environment.iter();
            environment
                .find(|(name, _)| *name == wanted)
                .unwrap()
                .1
                .clone()
        });
        let mut fronts = Vec::new();
        for url in [
            ground.accounts.endpoint_url(),
            ground.sts.endpoint_url(),
            served(dynamo.database.clone()),
            super::s3::served(&key[0], &key[1]).await,
        ] {
            fronts.push(TlsFront::before(address(&url)).await);
        }
        let proxy = Proxy::to([
            ("kinesis.corp.invalid", fronts[0].address),
            ("sts.corp.invalid", fronts[1].address),
            ("dynamodb.corp.invalid", fronts[2].address),
            ("s3.corp.invalid", fronts[3].address),
        ])
        .await;
        let statements = ground.statements("s3://bucket/alarms".as_ref()).replace(
            "OPTIONS (",
            "OPTIONS ('kinesis.metadataCommitterType' 'DYNAMODB', 'kinesis.dynamodb.tableName' 'offsets', \
             'kinesis.dynamodb.endpointUrl' 'https://dynamodb.corp.invalid', ",
        );
        ground.endpoint = "https://kinesis.corp.invalid".to_owned();
        let environment = &mut ground.environment;
        environment.retain(|(name, _)| *name != "AWS_ENDPOINT_URL_STS");
        environment.extend([
            (
                "AWS_ENDPOINT_URL_STS",
                "https://sts.corp.invalid".to_owned(),
            ),
            ("AWS_ENDPOINT", "https://s3.corp.invalid".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("HTTPS_PROXY", proxy.url()),
        ]);
        Self {
            ground,
            statements,
            proxy,
            _fronts: fronts,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_is_reached_through_the_proxy_and_trusted_by_the_file_that_is_named() {
    for (variable, trusted) in [
        (
            "AWS_CA_BUNDLE",
            format!("1 of '{}' (AWS_CA_BUNDLE)", authority().display()),
        ),
        (
            "SSL_CERT_FILE",
            format!("1 of SSL_CERT_FILE={}", authority().display()),
        ),
    ] {
        let mut inside = Inside::new(&format!("network-{variable}")).await;
        let environment = &mut inside.ground.environment;
        environment.push((variable, authority().display().to_string()));
        let (said, code) = inside.ground.examined(&inside.statements);
        assert_eq!(code, Some(0), "{said}");
        let network = format!(
            "through proxy '{}' (HTTPS_PROXY); trusted certificates: {trusted}",
            inside.proxy.url()
        );
        assert!(said.contains(&network), "{said}");
        assert!(
            said.contains("✓ location") && said.contains("– DynamoDB"),
            "{said}"
        );
        let seen: BTreeSet<String> = inside.proxy.seen().into_iter().collect();
        let expected = ["dynamodb", "kinesis", "s3", "sts"]
            .map(|name| format!("CONNECT {name}.corp.invalid:443 HTTP/1.1"));
        assert_eq!(seen, BTreeSet::from(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_trusts_a_certificate_each_service_is_asked_once() {
    let inside = Inside::new("network-untrusted").await;
    let (said, code) = inside.ground.examined(&inside.statements);
    assert_eq!(code, Some(1), "{said}");
    let complaints = marked(&said, '✗');
    for check in ["✗ credentials", "✗ location"] {
        let complaint = complaints.iter().find(|line| line.starts_with(check));
        let complaint = complaint.unwrap_or_else(|| panic!("{check}: {said}"));
        assert!(complaint.contains("is not trusted"), "{complaint}");
        assert!(!complaint.contains("gave up"), "{complaint}");
    }
}
