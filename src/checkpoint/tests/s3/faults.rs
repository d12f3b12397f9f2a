//! A log on S3 with failing requests.

use super::super::*;
use super::Fault;
use crate::checkpoint::{Log, Put};
use crate::error::ErrorKind;

const PASSING: [Fault; 5] = [
    Fault::Answers(503, "SlowDown"),
    Fault::Answers(500, "InternalError"),
    // Two concurrent writers of an object.
    Fault::Answers(409, "ConditionalRequestConflict"),
    Fault::Breaks,
    Fault::LosesAnswer,
];

const ENTRY: &str = "x";

#[tokio::test]
async fn transient_and_permanent_errors_are_distinguished() {
    let place = TestLocation::s3().await;
    let (server, committer) = (place.server(), place.open());
    let epoch = committer.take_epoch(NONE).await.unwrap();
    let put = || committer.put(epoch, Log::Offsets, BatchId(0), ENTRY.into());
    for (fault, kind, retryable, said) in [
        (
            Fault::Answers(503, "SlowDown"),
            ErrorKind::Unavailable,
            true,
            "SlowDown",
        ),
        (
            Fault::Answers(500, "InternalError"),
            ErrorKind::Unavailable,
            true,
            "InternalError",
        ),
        (Fault::Breaks, ErrorKind::Unavailable, true, "error"),
        (
            Fault::Answers(403, "AccessDenied"),
            ErrorKind::AccessDenied,
            false,
            "AccessDenied",
        ),
        (
            Fault::Answers(401, "Unauthorized"),
            ErrorKind::AccessDenied,
            false,
            "Unauthorized",
        ),
    ] {
        server.next(&[fault]);
        let error = put().await.unwrap_err();
        assert_eq!(error.is_retryable(), retryable, "{fault:?}: {error}");
        let error = error.into_error();
        assert_eq!(error.kind(), kind, "{fault:?}: {error}");
        let text = error.to_string();
        let place = format!("checkpoint '{}': cannot read epochs/1: ", place.shown());
        assert!(text.starts_with(&place), "{text}");
        assert!(text.contains(said), "{text}");
        assert!(!format!("{error:?}").contains(super::SECRET), "{error:?}");
    }
    assert_eq!(put().await.unwrap(), Put::Done);
}

#[tokio::test]
async fn a_refused_listing_is_not_retried() {
    for (status, code, kind, said) in [
        (
            403,
            "AccessDenied",
            ErrorKind::AccessDenied,
            "s3:ListBucket",
        ),
        (
            401,
            "Unauthorized",
            ErrorKind::AccessDenied,
            "s3:ListBucket",
        ),
        (404, "NoSuchBucket", ErrorKind::NotFound, "does not exist"),
        (
            301,
            "PermanentRedirect",
            ErrorKind::InvalidOption,
            "AWS_REGION",
        ),
    ] {
        let place = TestLocation::s3().await;
        place.server().always(Fault::Answers(status, code));
        let error = start(place.open(), 1).take_over().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(place.server().seen().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    let place = TestLocation::s3().await.moved("s3://no-such-bucket/q1");
    let error = place.open().take_epoch(NONE).await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    let error = error.into_error();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    for said in ["s3://no-such-bucket/q1", "NoSuchBucket", "does not exist"] {
        assert!(error.to_string().contains(said), "{error}");
    }
    let error = start(place.open(), 1).create_metadata(&metadata("a")).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_http_endpoint_is_refused_with_the_setting_that_allows_it() {
    let place = TestLocation::s3()
        .await
        .with_setting("aws_allow_http", "false");
    let error = place.open().take_epoch(NONE).await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    let error = error.into_error();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("AWS_ALLOW_HTTP=true"), "{error}");
    assert!(place.server().seen().is_empty());
}

#[tokio::test]
async fn the_explanation_comes_before_the_text_of_the_store() {
    let place = TestLocation::s3().await.moved("s3://no-such-bucket/q1");
    let error = place.open().take_epoch(NONE).await.unwrap_err().to_string();
    let start = "checkpoint 's3://no-such-bucket/q1': cannot list epochs: the bucket or \
                 container does not exist; create it, or correct its name: ";
    assert!(error.starts_with(start), "{error}");
}

#[tokio::test]
async fn wrong_keys_are_a_permanent_error_and_not_shown() {
    let place = TestLocation::s3().await;
    let place = place.with_setting("aws_secret_access_key", "a-wrong-secret");
    let error = start(place.open(), 1).take_over().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    let shown = format!("{error:?}");
    assert!(shown.contains("SignatureDoesNotMatch"), "{shown}");
    assert!(
        shown.contains("s3:PutObject"),
        "says what is needed: {shown}"
    );
    assert!(!shown.contains("a-wrong-secret"), "{shown}");
    assert_eq!(place.server().seen().len(), 1, "one try");
}

/// What a run of a query does over a log of two batches, of which it retains one.
async fn run_two_batches(place: &TestLocation) {
    let mut query = Checkpoint::new(place.open(), RETRY, 1, fastrand::Rng::with_seed(7));
    let created = query.create_metadata(&metadata("a")).await.unwrap();
    assert_eq!(created, metadata("a"));
    assert_eq!(query.take_over().await.unwrap(), None);
    for id in 0..2 {
        let logged = query.log_offsets(&batch(id, 3)).await;
        assert_eq!(logged.unwrap(), Logged::Done);
        let logged = query
            .log_commit(BatchId(id), UnixMillis(1), &Committed::default())
            .await;
        assert_eq!(logged.unwrap(), Logged::Done);
    }
    query.purge(BatchId(1)).await;
}

#[tokio::test]
async fn a_transient_fault_at_any_request_changes_nothing() {
    let calm = TestLocation::s3().await;
    run_two_batches(&calm).await;
    let requests = calm.server().seen();
    assert!(requests.len() > 10, "{requests:?}");
    for fault in PASSING {
        for (number, request) in requests.iter().enumerate() {
            // A purge leaves what it cannot delete to the next one.
            let conflict = matches!(fault, Fault::Answers(409, _));
            if request.starts_with("POST") || (conflict && !request.starts_with("PUT")) {
                continue;
            }
            let place = TestLocation::s3().await;
            place.server().at(number, fault);
            run_two_batches(&place).await;
            let context = format!("{fault:?} at {number}, {request}");
            assert!(place.server().seen().len() >= requests.len(), "{context}");
            let recovered = start(place.open(), 8).take_over().await.unwrap();
            let (batch, committed) = (batch(1, 3), true);
            assert_eq!(
                recovered,
                Some(Recovered {
                    batch,
                    committed,
                    before: Committed::default()
                }),
                "{context}"
            );
            for log in [Log::Offsets, Log::Commits] {
                let listed = place.open().batches(log).await.unwrap();
                assert_eq!(listed, [BatchId(1)], "{context}");
            }
        }
    }
}

#[tokio::test]
async fn a_purge_leaves_to_the_next_what_cannot_be_deleted() {
    let place = TestLocation::s3().await;
    let mut query = Checkpoint::new(place.open(), RETRY, 1, fastrand::Rng::with_seed(7));
    query.take_over().await.unwrap();
    for id in 0..3 {
        query.log_offsets(&batch(id, 1)).await.unwrap();
        query
            .log_commit(BatchId(id), UnixMillis(1), &Committed::default())
            .await
            .unwrap();
    }
    place.server().next(&[Fault::Answers(503, "SlowDown")]);
    query.purge(BatchId(2)).await;
    let listed = || async { place.open().batches(Log::Offsets).await.unwrap() };
    assert_eq!(listed().await, [0, 1, 2].map(BatchId));
    query.purge(BatchId(2)).await;
    assert_eq!(listed().await, [BatchId(2)]);
}

#[tokio::test]
async fn a_store_that_stays_away_is_named_with_the_tries() {
    let place = TestLocation::s3().await;
    place.server().always(Fault::Answers(503, "SlowDown"));
    let error = start(place.open(), 1).take_over().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let text = error.to_string();
    assert!(text.contains("SlowDown"), "{text}");
    assert!(text.ends_with("(gave up after 6 tries)"), "{text}");
    assert_eq!(
        place.server().seen().len(),
        6,
        "no tries of the client's own"
    );
}

#[tokio::test]
async fn a_store_that_overwrites_objects_is_refused() {
    let server = super::S3Server::with(super::Bucket::overwriting()).await;
    let committer = ObjectStoreCommitter::over(objects(&server));
    let error = committer.create_metadata(ENTRY.into()).await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    let error = error.into_error();
    assert_eq!(error.kind(), ErrorKind::Checkpoint);
    let text = error.to_string();
    assert!(
        text.starts_with("checkpoint 's3://bucket/q': the store overwrote an existing object")
            && text.contains("If-None-Match"),
        "{text}"
    );
    assert_eq!(committer.metadata().await.unwrap(), None);
    let left = objects(&server).list("offsets").await.unwrap();
    assert_eq!(left, [""; 0], "nothing is left behind");
}

fn objects(server: &super::S3Server) -> Arc<dyn objects::Objects> {
    objects::location::objects_with("s3://bucket/q", &server.settings()).unwrap()
}
