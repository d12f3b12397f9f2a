//! Failed requests and lost responses.

use super::*;

fn entry() -> Bytes {
    Bytes::from("entry")
}

/// A committer with an epoch.
async fn writer(dynamo: &Dynamo) -> (DynamoDbCommitter, Epoch) {
    let committer = handle(dynamo, "q");
    let epoch = committer.take_epoch(NONE).await.unwrap();
    (committer, epoch)
}

/// The error of a put whose transaction has this outcome.
async fn put_after(fate: Fate) -> StoreError {
    let dynamo = Dynamo::new();
    let (committer, epoch) = writer(&dynamo).await;
    dynamo.next("TransactWriteItems", &[fate]);
    let put = committer
        .put(epoch, Log::Offsets, BatchId(0), entry())
        .await;
    assert!(dynamo.is_played());
    put.unwrap_err()
}

#[tokio::test]
async fn only_transient_errors_are_retryable() {
    for (status, code) in [
        (400, "ProvisionedThroughputExceededException"),
        (400, "ThrottlingException"),
        (400, "RequestLimitExceeded"),
        (400, "LimitExceededException"),
        (400, "TransactionInProgressException"),
        (400, "ReplicatedWriteConflictException"),
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
        (500, "SomethingNew"),
    ] {
        let error = put_after(Fate::refused(status, code)).await;
        assert!(error.is_retryable(), "{error}");
        assert_eq!(error.into_error().kind(), ErrorKind::Unavailable);
    }
    for fate in [Fate::Lost, Fate::AnswerLost] {
        assert!(put_after(fate).await.is_retryable());
    }
    for (status, code, kind) in [
        (400, "ValidationException", ErrorKind::Checkpoint),
        (400, "ResourceNotFoundException", ErrorKind::NotFound),
        (400, "UnrecognizedClientException", ErrorKind::AccessDenied),
        (
            400,
            "IdempotentParameterMismatchException",
            ErrorKind::Checkpoint,
        ),
    ] {
        let error = put_after(Fate::refused(status, code)).await;
        assert!(!error.is_retryable(), "{error}");
        assert_eq!(error.into_error().kind(), kind);
    }
}

#[tokio::test]
async fn a_response_without_a_body_is_classified_by_its_status() {
    let error = put_after(Fate::Answered(502, String::new())).await;
    assert!(error.is_retryable(), "{error}");
    let text = error.to_string();
    assert!(
        text.ends_with("TransactWriteItems failed: HTTP 502: no message"),
        "{text}"
    );
}

#[tokio::test]
async fn a_transaction_conflict_is_retryable() {
    for code in [
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
    ] {
        for codes in [[code, "None"], ["None", code], [code, code]] {
            let error = put_after(Fate::canceled(&codes)).await;
            assert!(error.is_retryable(), "{codes:?}");
            assert!(error.to_string().contains(code), "{error}");
        }
    }
    let error = put_after(Fate::canceled(&["None", "ValidationError"])).await;
    assert!(!error.is_retryable());
    assert!(
        error.to_string().contains("canceled: ValidationError: no"),
        "{error}"
    );
}

#[tokio::test]
async fn a_denied_action_is_named_with_its_table() {
    let error = put_after(Fate::refused(400, "AccessDeniedException")).await;
    assert!(!error.is_retryable());
    let error = error.into_error();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    assert_eq!(
        error.to_string(),
        "checkpoint 'dynamodb://offsets/q': TransactWriteItems failed: AccessDeniedException: no; \
         allow dynamodb:PutItem, dynamodb:DeleteItem and dynamodb:ConditionCheckItem on table 'offsets'"
    );
    for operation in ["DescribeTable", "CreateTable", "GetItem"] {
        let dynamo = Dynamo::new();
        dynamo.next(operation, &[Fate::refused(400, "AccessDeniedException")]);
        let error = handle(&dynamo, "q")
            .metadata()
            .await
            .unwrap_err()
            .to_string();
        let expected = format!("allow dynamodb:{operation} on table 'offsets'");
        assert!(error.ends_with(&expected), "{error}");
    }
}

#[tokio::test]
async fn a_put_after_a_lost_response_finds_its_own_entry() {
    let dynamo = Dynamo::new();
    let (committer, epoch) = writer(&dynamo).await;
    dynamo.next("TransactWriteItems", &[Fate::AnswerLost]);
    let put = || committer.put(epoch, Log::Offsets, BatchId(0), entry());
    assert!(put().await.unwrap_err().is_retryable());
    assert_eq!(put().await.unwrap(), Put::Exists(entry()));

    // Another run takes over between the two tries.
    dynamo.next("TransactWriteItems", &[Fate::AnswerLost]);
    let put = || committer.put(epoch, Log::Commits, BatchId(0), entry());
    assert!(put().await.unwrap_err().is_retryable());
    let newer = handle(&dynamo, "q").take_epoch(NONE).await.unwrap();
    assert_eq!(put().await.unwrap(), Put::Fenced(newer));
}

#[tokio::test]
async fn an_epoch_is_skipped_after_a_lost_response() {
    let dynamo = Dynamo::new();
    dynamo.next("PutItem", &[Fate::Served, Fate::AnswerLost]);
    let (first, old) = writer(&dynamo).await;
    let second = handle(&dynamo, "q");
    assert!(second.take_epoch(NONE).await.unwrap_err().is_retryable());
    let epoch = second.take_epoch(NONE).await.unwrap();
    assert_eq!(epoch, Epoch(old.0 + 2));
    let put = first.put(old, Log::Offsets, BatchId(0), entry()).await;
    assert_eq!(put.unwrap(), Put::Fenced(epoch));
}

#[tokio::test(start_paused = true)]
async fn a_log_survives_throttling_conflicts_and_lost_responses() {
    let dynamo = Dynamo::new();
    let mut query = log(&dynamo, 1);
    assert_eq!(query.take_over().await.unwrap(), None);
    let storm = [
        Fate::refused(400, "ThrottlingException"),
        Fate::canceled(&["TransactionConflict", "None"]),
        Fate::Lost,
        Fate::AnswerLost,
        Fate::refused(500, "InternalServerError"),
    ];
    for id in 0..3 {
        let batch = batch(id, 2);
        dynamo.next("TransactWriteItems", &storm);
        assert_eq!(query.log_offsets(&batch).await.unwrap(), Logged::Done);
        dynamo.next("TransactWriteItems", &storm);
        let logged = query
            .log_commit(batch.id, UnixMillis(7), &Committed::default())
            .await;
        assert_eq!(logged.unwrap(), Logged::Done);
        assert!(dynamo.is_played());
    }
    for operation in ["Query", "GetItem", "PutItem"] {
        dynamo.next(
            operation,
            &[Fate::refused(400, "ThrottlingException"), Fate::Lost],
        );
    }
    let found = log(&dynamo, 2).take_over().await.unwrap().unwrap();
    assert!(dynamo.is_played());
    assert_eq!((found.batch, found.committed), (batch(2, 2), true));
}

#[tokio::test]
async fn debug_and_errors_show_no_secret() {
    let settings = ConnectionSettings {
        // Nothing listens there.
        endpoint_url: Some("http://127.0.0.1:1".to_owned()),
        region: Some("us-east-1".to_owned()),
        credentials: CredentialSettings::keys(StaticCredentials {
            access_key_id: Secret::new("AKIACANARY"),
            secret_key: Secret::new("canary-secret"),
            session_token: Some(Secret::new("canary-token")),
        }),
        ..ConnectionSettings::default()
    };
    let committer = DynamoDbCommitter::connect(&settings, TABLE, "q")
        .await
        .unwrap();
    let error = committer.metadata().await.unwrap_err();
    assert!(error.is_retryable());
    let shown = format!("{committer:?} {error:?} {error}");
    let text = format!("{shown} {:?}", error.into_error());
    assert!(text.contains("(endpoint http://127.0.0.1:1)"), "{text}");
    assert!(!text.to_lowercase().contains("canary"), "{text}");
}

#[tokio::test]
async fn a_server_without_transactions_is_refused() {
    for answer in [
        Fate::refused(400, "UnknownOperationException"),
        Fate::refused(501, "NotImplemented"),
    ] {
        let dynamo = Dynamo::new();
        let expected = |error: StoreError| {
            assert!(!error.is_retryable(), "{error}");
            let error = error.into_error();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            let text = error.to_string();
            assert!(
                text.starts_with("checkpoint 'dynamodb://offsets/q': ")
                    && text.contains("does not support transactions (TransactWriteItems failed"),
                "{text}"
            );
        };
        dynamo.next("TransactWriteItems", std::slice::from_ref(&answer));
        expected(handle(&dynamo, "q").metadata().await.unwrap_err());
        assert_eq!(dynamo.calls("CreateTable"), 0, "no table is made");

        assert_eq!(handle(&dynamo, "q").metadata().await.unwrap(), None);
        assert_eq!(dynamo.calls("CreateTable"), 1);
        dynamo.next("TransactWriteItems", std::slice::from_ref(&answer));
        let created = handle(&dynamo, "q").create_metadata(entry()).await;
        expected(created.unwrap_err());
        assert!(dynamo.is_played());
    }
}
