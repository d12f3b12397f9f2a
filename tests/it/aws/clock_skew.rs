//! Clients whose clock differs from the service's.

use datafusion_kinesis::ErrorKind;

use super::cloud::{Cloud, HOME, SOURCE, with};

#[tokio::test]
async fn a_skew_of_ten_minutes_is_corrected() {
    for seconds in [600, -600] {
        let cloud = Cloud::new().await;
        cloud.stream(HOME, "words", 2).await;
        cloud.put(HOME, "words", 0..10).await;
        cloud.directory.set_seconds_ahead(seconds);
        let hasty = with(cloud.keys(), &[("clientRetryIntervalsMs", "10")]);
        cloud.table("words", &hasty).await;
        let count = cloud.world.number("SELECT count(*) FROM words").await;
        assert_eq!(count, 10);
        // The first response contains the time, so later signatures are valid.
        let refused = cloud.accounts.refused("InvalidSignatureException");
        assert_eq!(refused, 1, "{seconds}");
    }
}

#[tokio::test]
async fn without_retries_the_error_reports_the_skew() {
    let cloud = Cloud::new().await;
    cloud.stream(HOME, "words", 1).await;
    cloud.directory.set_seconds_ahead(600);
    let once = with(cloud.keys(), &[("clientNumRetries", "0")]);
    let (kind, text) = cloud.refusal("words", &once).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(text.contains("the clock of this machine is"), "{text}");
    assert!(text.contains("behind that of the service"), "{text}");
}

#[tokio::test]
async fn an_unknown_key_is_not_blamed_on_the_clock() {
    let cloud = Cloud::new().await;
    cloud.stream(HOME, "words", 1).await;
    cloud.directory.set_seconds_ahead(600);
    let mut unknown = cloud.keys();
    for (name, value) in &mut unknown {
        if *name == "awsAccessKeyId" {
            "AKIDNOBODY".clone_into(value);
        }
    }
    let (kind, text) = cloud.refusal("words", &unknown).await;
    assert_eq!(kind, ErrorKind::AccessDenied, "{text}");
    assert!(!text.contains("clock"), "{text}");
}

#[tokio::test]
async fn roles_are_assumed_despite_a_skew_shorter_than_a_session() {
    for seconds in [600, -600, 7_200] {
        let cloud = Cloud::new().await;
        cloud.stream(SOURCE, "words", 1).await;
        cloud.put(SOURCE, "words", 0..10).await;
        cloud.directory.set_seconds_ahead(seconds);
        let role = cloud.role(SOURCE, "reader", None);
        let hasty = [("clientRetryIntervalsMs", "10")];
        let options = with(cloud.through(&role), &hasty);
        cloud.table("words", &options).await;
        let count = cloud.world.number("SELECT count(*) FROM words").await;
        assert_eq!(count, 10, "{seconds}");
    }
}

#[tokio::test]
async fn sessions_that_arrive_expired_point_to_the_clock() {
    let cloud = Cloud::new().await;
    cloud.stream(SOURCE, "words", 1).await;
    cloud.directory.set_seconds_ahead(-7_200);
    let role = cloud.role(SOURCE, "reader", None);
    let hasty = [("clientRetryIntervalsMs", "10"), ("clientNumRetries", "1")];
    let options = with(cloud.through(&role), &hasty);
    let (kind, text) = cloud.refusal("words", &options).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    for part in [
        &format!("role '{role}'"),
        "expired",
        "the clock of this machine",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
