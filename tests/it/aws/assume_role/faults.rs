//! The local STS with faults, or with a time that differs from that of its clients.

use super::{Fixture, caller, now};

#[tokio::test]
async fn injected_faults_take_effect() {
    let fixture = Fixture::new().await;
    let user = fixture.user();
    fixture.sts.throttle_next(1);
    assert_eq!(caller(&user).await.unwrap_err(), "Throttling");
    fixture.sts.fail_next(1);
    assert_eq!(caller(&user).await.unwrap_err(), "InternalFailure");
    fixture.sts.down(true);
    assert_eq!(caller(&user).await.unwrap_err(), "ServiceUnavailable");
    fixture.sts.down(false);
    assert!(caller(&user).await.is_ok());
    fixture.sts.hang(true);
    let waiting = tokio::spawn(fixture.assume(&user).send());
    fixture.sts.until_assumed(&fixture.role, 1).await;
    assert!(!waiting.is_finished());
    fixture.sts.hang(false);
    assert!(waiting.await.unwrap().is_ok());
}

#[tokio::test]
async fn the_clock_of_aws_applies_to_responses_sessions_and_signatures() {
    let fixture = Fixture::new().await;
    fixture.directory.set_seconds_ahead(-3_600);
    let user = fixture.user();
    assert_eq!(caller(&user).await.unwrap_err(), "SignatureDoesNotMatch");
    // The client has adopted the time of the previous response.
    let answer = fixture.assume(&user).send().await.unwrap();
    let life = answer.credentials.unwrap().expiration.secs() - now();
    assert!((-60..=0).contains(&life), "{life}");
    fixture.directory.set_seconds_ahead(3_600);
    let fresh = fixture.user();
    assert_eq!(caller(&fresh).await.unwrap_err(), "SignatureDoesNotMatch");
    assert!(caller(&fresh).await.is_ok());
}
