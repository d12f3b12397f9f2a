//! Roles of a table: who assumes them, and with which parameters.

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::model::{
    ConnectionSettings, CredentialSettings, Secret, StaticCredentials,
};

use super::Role;
use super::cloud::{Cloud, HOME, Options, SINK, SOURCE, with};
use super::sts::Call;

/// The only call that assumes `role`.
fn only_call(cloud: &Cloud, role: &str) -> Call {
    let mut calls = cloud.sts.assumed(role);
    assert_eq!(calls.len(), 1, "{calls:?}");
    calls.remove(0)
}

#[tokio::test]
async fn a_role_is_assumed_once_and_signs_every_request() {
    let cloud = Cloud::new().await;
    cloud.stream(SINK, "words", 4).await;
    let role = cloud.role(SINK, "writer", None);
    cloud.table("words", &cloud.through(&role)).await;
    let insert = "INSERT INTO words (partitionKey, data) SELECT value::VARCHAR AS partitionKey, \
                  value::VARCHAR AS data FROM generate_series(0, 99)";
    cloud.world.run(insert).await;
    let count = cloud.world.number("SELECT count(*) FROM words").await;
    assert_eq!(count, 100);
    let call = only_call(&cloud, &role);
    assert_eq!(call.action, "AssumeRole");
    assert_eq!(call.session_name.as_deref(), Some("datafusion-kinesis"));
    assert_eq!(call.duration_seconds.as_deref(), Some("3600"));
    assert_eq!(call.external_id, None);
    assert_eq!(call.access_key_id, Some(cloud.ada.access_key_id.clone()));
    assert_eq!(cloud.accounts.keys(SINK).len(), 1);
    assert!(cloud.accounts.keys(HOME).is_empty());
}

#[tokio::test]
async fn a_table_can_set_a_role_and_use_default_base_credentials() {
    let cloud = Cloud::new().await;
    cloud.stream(SINK, "words", 1).await;
    let role = cloud.role(SINK, "writer", None);
    let ctx = datafusion::prelude::SessionContext::new();
    let keys = CredentialSettings::keys(StaticCredentials {
        access_key_id: Secret::new(&cloud.ada.access_key_id),
        secret_key: Secret::new(&cloud.ada.secret),
        session_token: None,
    });
    let defaults = ConnectionSettings::default().with_credentials(keys);
    cloud.register(&ctx, defaults);
    let options = vec![
        ("stsRoleArn", role.clone()),
        ("stsEndpointUrl", cloud.sts.endpoint_url()),
    ];
    let statement = super::cloud::statement("EXTERNAL TABLE", "words", "words", &options);
    let frame = datafusion_kinesis::sql(&ctx, &statement).await.unwrap();
    frame.collect().await.unwrap();
    let call = only_call(&cloud, &role);
    assert_eq!(call.access_key_id, Some(cloud.ada.access_key_id.clone()));
}

#[tokio::test]
async fn session_options_are_sent_to_sts() {
    let cloud = Cloud::new().await;
    cloud.stream(SINK, "words", 1).await;
    let role = cloud.role(SINK, "writer", None);
    cloud.directory.change_role(&role, |role| {
        role.external_id = Some("only-this".to_owned());
        role.max_session_seconds = 43_200;
    });
    let said = [
        ("stsSessionName", "nightly@copy"),
        ("stsExternalId", "only-this"),
        ("stsSessionDurationSec", "7200"),
    ];
    let options = with(cloud.through(&role), &said);
    cloud.table("words", &options).await;
    let call = only_call(&cloud, &role);
    assert_eq!(call.session_name.as_deref(), Some("nightly@copy"));
    assert_eq!(call.external_id.as_deref(), Some("only-this"));
    assert_eq!(call.duration_seconds.as_deref(), Some("7200"));
}

#[tokio::test]
async fn a_missing_or_wrong_external_id_is_refused_with_advice() {
    let cloud = Cloud::new().await;
    cloud.stream(SINK, "words", 1).await;
    let role = cloud.role(SINK, "writer", None);
    cloud.directory.change_role(&role, |role| {
        role.external_id = Some("only-this".to_owned());
    });
    let without = cloud.through(&role);
    let wrong = with(cloud.through(&role), &[("stsExternalId", "canary-id")]);
    for options in [without, wrong] {
        let (kind, text) = cloud.refusal("words", &options).await;
        assert_eq!(kind, ErrorKind::AccessDenied);
        for part in [
            "AssumeRole by the access key of the options failed: AccessDenied",
            "sts:AssumeRole",
            role.as_str(),
            "trust policy",
            "external id",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        for secret in ["canary", "only-this", &cloud.ada.secret] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    // Each error is permanent, so STS was not called again.
    assert_eq!(cloud.sts.assumed(&role).len(), 2);
}

#[tokio::test]
async fn a_session_longer_than_the_role_allows_is_refused() {
    let cloud = Cloud::new().await;
    cloud.stream(SINK, "words", 1).await;
    let role = cloud.role(SINK, "writer", None);
    let long = with(cloud.through(&role), &[("stsSessionDurationSec", "3601")]);
    let (kind, text) = cloud.refusal("words", &long).await;
    assert_eq!(kind, ErrorKind::AccessDenied);
    assert!(text.contains("MaxSessionDuration"), "{text}");
    assert!(text.contains(&role), "{text}");
}

/// A chain across three accounts, in which each role trusts only the one before it.
fn chain(cloud: &Cloud) -> [String; 3] {
    let first = cloud.role(HOME, "door", None);
    let second = Role::new(SOURCE, "hall").trusting(&first);
    let second = cloud.directory.add_role(second);
    let third = Role::new(SINK, "room").trusting(&second);
    let third = cloud.directory.add_role(third);
    [first, second, third]
}

/// Asserts the STS calls for the roles `before` the last.
fn assert_passed_through(cloud: &Cloud, before: &[String]) {
    for role in before {
        let call = only_call(cloud, role);
        assert_eq!(call.session_name.as_deref(), Some("chained"));
        assert_eq!(call.duration_seconds.as_deref(), Some("3600"));
        assert_eq!(call.external_id, None, "{role}");
    }
    let first = only_call(cloud, &before[0]);
    assert_eq!(first.access_key_id, Some(cloud.ada.access_key_id.clone()));
}

fn chained(cloud: &Cloud, roles: &[String]) -> Options {
    let said = [
        ("stsSessionName", "chained"),
        ("stsExternalId", "only-this"),
        ("stsSessionDurationSec", "900"),
    ];
    with(cloud.through(&roles.join(",")), &said)
}

#[tokio::test]
async fn a_role_chain_crosses_accounts_and_sends_the_external_id_last() {
    let cloud = Cloud::new().await;
    let roles = chain(&cloud);
    for (length, account) in [(2, SOURCE), (3, SINK)] {
        let cloud = Cloud::new().await;
        assert_eq!(chain(&cloud), roles);
        cloud.stream(account, "words", 1).await;
        let (last, before) = roles[..length].split_last().unwrap();
        cloud.directory.change_role(last, |role| {
            role.external_id = Some("only-this".to_owned());
        });
        let options = chained(&cloud, &roles[..length]);
        cloud.table("words", &options).await;
        assert_passed_through(&cloud, before);
        let call = only_call(&cloud, last);
        assert_eq!(call.session_name.as_deref(), Some("chained"));
        assert_eq!(call.duration_seconds.as_deref(), Some("900"));
        assert_eq!(call.external_id.as_deref(), Some("only-this"));
        assert_ne!(call.access_key_id, Some(cloud.ada.access_key_id.clone()));
        assert_eq!(cloud.accounts.keys(account).len(), 1);
        assert!(cloud.accounts.keys(HOME).is_empty());
    }
}

#[tokio::test]
async fn a_broken_chain_reports_the_role_and_its_caller() {
    let cloud = Cloud::new().await;
    let [first, second, third] = chain(&cloud);
    cloud
        .directory
        .change_role(&second, |role| role.trusted.clear());
    let options = cloud.through(&format!("{first},{second},{third}"));
    let (kind, text) = cloud.refusal("words", &options).await;
    assert_eq!(kind, ErrorKind::AccessDenied);
    let asked = format!("role '{second}': AssumeRole by role '{first}' failed: AccessDenied");
    assert!(text.contains(&asked), "{text}");
    assert_eq!(cloud.sts.assumed(&third).len(), 0);
}
