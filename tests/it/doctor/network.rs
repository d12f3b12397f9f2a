//! Checks in a network with a single proxy, where a private authority signs all certificates.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::{Fixture, marked};
use crate::dynamo::Dynamo;
use crate::network::{Proxy, TlsFront, authority};
use crate::support::served;

/// The address in `http://<address>`.
fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().unwrap()
}

/// A fixture all of whose services are behind one proxy.
struct Inside {
    fixture: Fixture,
    statements: String,
    proxy: Proxy,
    _fronts: Vec<TlsFront>,
}

impl Inside {
    async fn new(name: &str) -> Self {
        let mut fixture = Fixture::new(name).await;
        let dynamo = Dynamo::new();
        let key = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|wanted| {
            let mut environment = fixture.environment.iter();
            environment
                .find(|(name, _)| *name == wanted)
                .unwrap()
                .1
                .clone()
        });
        let mut fronts = Vec::new();
        for url in [
            fixture.accounts.endpoint_url(),
            fixture.sts.endpoint_url(),
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
        let statements = fixture.statements("s3://bucket/alarms".as_ref()).replace(
            "OPTIONS (",
            "OPTIONS ('kinesis.metadataCommitterType' 'DYNAMODB', 'kinesis.dynamodb.tableName' 'offsets', \
             'kinesis.dynamodb.endpointUrl' 'https://dynamodb.corp.invalid', ",
        );
        fixture.endpoint = "https://kinesis.corp.invalid".to_owned();
        let environment = &mut fixture.environment;
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
            fixture,
            statements,
            proxy,
            _fronts: fronts,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_services_are_reached_through_the_proxy_and_the_trusted_bundle() {
    for (variable, trusted) in [
        (
            "AWS_CA_BUNDLE",
            format!("1 from '{}' (AWS_CA_BUNDLE)", authority().display()),
        ),
        (
            "SSL_CERT_FILE",
            format!("1 from SSL_CERT_FILE={}", authority().display()),
        ),
    ] {
        let mut inside = Inside::new(&format!("network-{variable}")).await;
        let environment = &mut inside.fixture.environment;
        environment.push((variable, authority().display().to_string()));
        let (said, code) = inside.fixture.doctor(&inside.statements);
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
async fn an_untrusted_certificate_is_reported_without_retries() {
    let inside = Inside::new("network-untrusted").await;
    let (said, code) = inside.fixture.doctor(&inside.statements);
    assert_eq!(code, Some(1), "{said}");
    let complaints = marked(&said, '✗');
    for check in ["✗ credentials", "✗ location"] {
        let problem = complaints.iter().find(|line| line.starts_with(check));
        let problem = problem.unwrap_or_else(|| panic!("{check}: {said}"));
        assert!(problem.contains("is not trusted"), "{problem}");
        assert!(!problem.contains("gave up"), "{problem}");
    }
}
