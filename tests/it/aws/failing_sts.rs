//! A failing STS does not affect queries with a valid session, and delays others only while it fails.

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::query::StreamingQuery;
use futures::future::join_all;

use super::LocalSts;
use super::cloud::{Cloud, SOURCE, catch_up, with};

const COPY: &str = "INSERT INTO copied (partitionKey, data) SELECT partitionKey, data FROM words";

/// A copy within one account that uses one role.
struct Copy {
    cloud: Cloud,
    role: String,
    query: StreamingQuery,
}

impl Copy {
    /// `millis` is the lifetime of the role's sessions.
    async fn start(place: &str, millis: u64) -> Self {
        let cloud = Cloud::new().await;
        cloud.stream(SOURCE, "words", 2).await;
        cloud.stream(SOURCE, "copied", 2).await;
        let role = cloud.role(SOURCE, "worker", Some(millis));
        let waits = [
            ("clientRetryIntervalsMs", "100"),
            ("clientMaxRetryIntervalMs", "500"),
        ];
        let options = with(cloud.through(&role), &waits);
        cloud.unbounded("words", &options).await;
        cloud.table("copied", &options).await;
        let query = StreamingQuery::builder(&cloud.world.ctx, COPY);
        let query = query.with_checkpoint_location(format!("memory://{place}"));
        let query = query.start().await.unwrap();
        Self { cloud, role, query }
    }

    async fn put(&self, numbers: std::ops::Range<u64>) {
        self.cloud.put(SOURCE, "words", numbers).await;
    }

    /// Puts numbers and asserts that all numbers so far are written exactly once.
    async fn continues(&self, numbers: std::ops::Range<u64>) {
        let end = numbers.end;
        self.put(numbers).await;
        self.catches_up(end).await;
    }

    async fn catches_up(&self, end: u64) {
        catch_up(&self.query).await;
        let written = self.cloud.numbers(SOURCE, "copied").await;
        assert_eq!(written, (0..end).collect::<Vec<_>>());
    }

    fn assumed(&self) -> usize {
        self.cloud.sts.assumed(&self.role).len()
    }

    fn sessions(&self) -> usize {
        self.cloud.accounts.keys(SOURCE).len()
    }

    /// Waits for `times` more STS calls.
    async fn until_asked(&self, times: usize) {
        let asked = self.assumed() + times;
        self.cloud.sts.until_assumed(&self.role, asked).await;
    }
}

/// A kind of failure, turned on with `true` and off with `false`.
type SetFailure = fn(&LocalSts, bool);

const FAILURES: [(&str, SetFailure); 4] = [
    ("throttled", |sts, on| {
        sts.throttle_next(if on { 1_000 } else { 0 });
    }),
    ("failing", |sts, on| {
        sts.fail_next(if on { 1_000 } else { 0 });
    }),
    ("down", LocalSts::down),
    ("hanging", LocalSts::hang),
];

async fn survives((name, set_failure): (&str, SetFailure)) {
    let copy = Copy::start(&format!("through-{name}"), 9_000).await;
    copy.continues(0..10).await;
    set_failure(&copy.cloud.sts, true);
    copy.until_asked(1).await;
    copy.continues(10..20).await;
    assert_eq!(copy.sessions(), 1, "{name}");
    set_failure(&copy.cloud.sts, false);
    let mut put = 20;
    while copy.sessions() < 2 {
        copy.continues(put..put + 1).await;
        put += 1;
    }
    copy.query.stop().await.unwrap();
}

#[tokio::test]
async fn a_query_with_a_valid_session_survives_any_sts_failure() {
    join_all(FAILURES.map(survives)).await;
}

#[tokio::test]
async fn a_query_whose_session_expired_waits_for_sts() {
    let copy = Copy::start("beyond", 2_000).await;
    copy.continues(0..10).await;
    copy.cloud.sts.down(true);
    copy.cloud.directory.until_over(&copy.role).await;
    copy.put(10..20).await;
    // One try to get credentials makes three calls, and one may have been in flight.
    copy.until_asked(7).await;
    assert!(copy.query.is_active());
    let written = copy.cloud.numbers(SOURCE, "copied").await;
    assert_eq!(written.len(), 10);
    copy.cloud.sts.down(false);
    copy.catches_up(20).await;
    copy.query.stop().await.unwrap();
}

#[tokio::test]
async fn a_role_that_revokes_trust_ends_the_query_with_its_session() {
    let copy = Copy::start("distrusted", 2_000).await;
    copy.continues(0..10).await;
    copy.cloud
        .directory
        .change_role(&copy.role, |role| role.trusted.clear());
    let error = copy.query.await_termination().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    let text = error.to_string();
    for part in ["sts:AssumeRole", copy.role.as_str(), "trust policy"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn a_bounded_statement_gives_up_after_its_retries_with_the_sts_error() {
    let cloud = Cloud::new().await;
    cloud.stream(SOURCE, "words", 2).await;
    let role = cloud.role(SOURCE, "reader", Some(1_000));
    let retries = [("clientNumRetries", "2"), ("clientRetryIntervalsMs", "10")];
    let options = with(cloud.through(&role), &retries);
    cloud.table("words", &options).await;
    cloud.directory.until_over(&role).await;
    cloud.sts.down(true);
    for statement in [
        "SELECT count(*) FROM words",
        "INSERT INTO words (partitionKey, data) VALUES ('k', 'v')",
    ] {
        let (kind, text) = cloud.world.refusal(statement).await;
        assert_eq!(kind, ErrorKind::Unavailable, "{statement}: {text}");
        for part in [
            "gave up after 3 tries",
            &format!("role '{role}'"),
            "ServiceUnavailable: The service is unavailable.",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    cloud.sts.down(false);
}
