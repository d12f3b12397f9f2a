//! Credential providers that the program registers.

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::aws::credential_types::Credentials;
use datafusion_kinesis::aws::{CredentialProviders, ProviderError};

use super::cloud::{Cloud, HOME, Options, SINK};

fn provided(name: &str, param: &str) -> Options {
    vec![
        ("credentialProviderClass", name.to_owned()),
        ("credentialProviderParam", param.to_owned()),
    ]
}

/// Registers a provider that takes `key:secret` as its parameter.
fn register(name: &str) {
    CredentialProviders::register(name, |param| {
        let param = param.ok_or("expected a key and a secret")?;
        let (key, secret) = param
            .split_once(':')
            .ok_or_else(|| format!("no colon in '{param}'"))?;
        Ok(Credentials::new(key, secret, None, None, "test"))
    });
}

#[tokio::test]
async fn a_registered_provider_supplies_the_credentials() {
    let cloud = Cloud::new().await;
    cloud.stream(HOME, "words", 1).await;
    register("split");
    let param = format!("{}:{}", cloud.ada.access_key_id, cloud.ada.secret);
    cloud.table("words", &provided("split", &param)).await;
    cloud.world.run("SELECT data FROM words").await;
    let key = cloud.ada.access_key_id.clone();
    assert_eq!(cloud.accounts.keys(HOME), [key].into());
}

#[tokio::test]
async fn a_registered_provider_can_be_the_base_of_a_role() {
    let cloud = Cloud::new().await;
    cloud.stream(SINK, "words", 1).await;
    register("split for a role");
    let role = cloud.role(SINK, "writer", None);
    let param = format!("{}:{}", cloud.ada.access_key_id, cloud.ada.secret);
    let mut options = provided("split for a role", &param);
    options.push(("stsRoleArn", role.clone()));
    options.push(("stsEndpointUrl", cloud.sts.endpoint_url()));
    cloud.table("words", &options).await;
    let calls = cloud.sts.assumed(&role);
    assert_eq!(calls.len(), 1);
    let key = cloud.ada.access_key_id.clone();
    assert_eq!(calls[0].access_key_id, Some(key));
}

#[tokio::test]
async fn an_unregistered_provider_is_refused_with_the_registered_ones() {
    let cloud = Cloud::new().await;
    register("known");
    let (kind, text) = cloud.refusal("words", &provided("unknown", "x")).await;
    assert_eq!(kind, ErrorKind::InvalidOption);
    for part in ["'kinesis.credentialProviderClass'", "'unknown'", "'known'"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(cloud.accounts.keys(HOME).is_empty());
}

#[tokio::test]
async fn a_parameter_that_the_provider_refuses_is_not_shown() {
    let cloud = Cloud::new().await;
    register("strict");
    let (kind, text) = cloud.refusal("words", &provided("strict", "canary")).await;
    assert_eq!(kind, ErrorKind::InvalidOption);
    for part in ["'kinesis.credentialProviderParam'", "'strict'", "no colon"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("canary"), "{text}");
    CredentialProviders::register("broken", |_| {
        Err::<Credentials, ProviderError>("the vault is sealed".into())
    });
    let (kind, text) = cloud.refusal("words", &provided("broken", "canary")).await;
    assert_eq!(kind, ErrorKind::InvalidOption);
    assert!(text.contains("the vault is sealed"), "{text}");
}
