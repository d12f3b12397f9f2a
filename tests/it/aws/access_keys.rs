//! Access keys in table options.

use datafusion_kinesis::ErrorKind;

use super::assume_role::session;
use super::cloud::{Cloud, HOME, SINK, keys, with};
use crate::sdk;

#[tokio::test]
async fn keys_of_the_options_sign_every_request() {
    let cloud = Cloud::new().await;
    cloud.stream(HOME, "words", 2).await;
    cloud.put(HOME, "words", 0..10).await;
    cloud.table("words", &cloud.keys()).await;
    let count = cloud.world.number("SELECT count(*) FROM words").await;
    assert_eq!(count, 10);
    let insert = "INSERT INTO words (partitionKey, data) VALUES ('k', '10')";
    cloud.world.run(insert).await;
    assert_eq!(cloud.numbers(HOME, "words").await.len(), 11);
    let key = cloud.ada.access_key_id.clone();
    assert_eq!(cloud.accounts.keys(HOME), [key].into());
}

#[tokio::test]
async fn temporary_keys_need_their_token_and_expire() {
    let cloud = Cloud::new().await;
    cloud.stream(SINK, "words", 1).await;
    let role = cloud.role(SINK, "writer", None);
    let sts = sdk::sts(&cloud.sts.endpoint_url(), cloud.ada.credentials());
    let request = sts.assume_role().role_arn(&role).role_session_name("test");
    let session = session(&request.send().await.unwrap().credentials.unwrap());
    let bare = keys(session.access_key_id(), session.secret_access_key());
    let (kind, text) = cloud.refusal("words", &bare).await;
    assert_eq!(kind, ErrorKind::AccessDenied);
    assert!(text.contains("UnrecognizedClientException"), "{text}");
    let token = session.session_token().unwrap();
    let whole = with(bare, &[("sessionToken", token)]);
    cloud.table("words", &whole).await;
    cloud.world.run("SELECT data FROM words").await;

    cloud.directory.end_sessions(&role);
    let error = cloud.world.refusal("SELECT data FROM words").await;
    let (kind, text) = error;
    assert_eq!(kind, ErrorKind::AccessDenied, "{text}");
    assert!(text.contains("ExpiredTokenException"), "{text}");
    assert!(
        text.contains("(signed as the access key of the options)"),
        "{text}"
    );
    // There are no other credentials to retry with.
    assert_eq!(cloud.accounts.refused("ExpiredTokenException"), 1);
    assert!(!text.contains(token), "{text}");
}

#[tokio::test]
async fn wrong_keys_are_refused_and_not_shown() {
    let cloud = Cloud::new().await;
    cloud.stream(HOME, "words", 1).await;
    let wrong = keys(&cloud.ada.access_key_id, "canary-secret");
    let (kind, text) = cloud.refusal("words", &wrong).await;
    assert_eq!(kind, ErrorKind::AccessDenied);
    for part in [
        "stream 'words'",
        "DescribeStreamSummary",
        "InvalidSignatureException",
        "Check your AWS Secret Access Key",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("canary"), "{text}");
    assert_eq!(cloud.accounts.refused("InvalidSignatureException"), 1);

    let nobody = keys("AKIDNOBODY", "canary-secret");
    let (kind, text) = cloud.refusal("words", &nobody).await;
    assert_eq!(kind, ErrorKind::AccessDenied);
    assert!(text.contains("security token"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}
