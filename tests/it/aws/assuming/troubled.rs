//! A service in trouble, or with another time than its clients.

use super::{Ground, caller, now};

#[tokio::test]
async fn faults_come_when_ordered() {
    let ground = Ground::new().await;
    let user = ground.user();
    ground.sts.throttle_next(1);
    assert_eq!(caller(&user).await.unwrap_err(), "Throttling");
    ground.sts.fail_next(1);
    assert_eq!(caller(&user).await.unwrap_err(), "InternalFailure");
    ground.sts.down(true);
    assert_eq!(caller(&user).await.unwrap_err(), "ServiceUnavailable");
    ground.sts.down(false);
    assert!(caller(&user).await.is_ok());
    ground.sts.hang(true);
    let waiting = tokio::spawn(ground.assume(&user).send());
    ground.sts.until_assumed(&ground.role, 1).await;
    assert!(!waiting.is_finished());
    ground.sts.hang(false);
    assert!(waiting.await.unwrap().is_ok());
}

#[tokio::test]
async fn the_clock_of_aws_dates_answers_and_sessions_and_judges_signatures() {
    let ground = Ground::new().await;
    ground.directory.set_seconds_ahead(-3_600);
    let user = ground.user();
    assert_eq!(caller(&user).await.unwrap_err(), "SignatureDoesNotMatch");
    // The client has read the time off the answer.
    let answer = ground.assume(&user).send().await.unwrap();
    let life = answer.credentials.unwrap().expiration.secs() - now();
    assert!((-60..=0).contains(&life), "{life}");
    ground.directory.set_seconds_ahead(3_600);
    let fresh = ground.user();
    assert_eq!(caller(&fresh).await.unwrap_err(), "SignatureDoesNotMatch");
    assert!(caller(&fresh).await.is_ok());
}
