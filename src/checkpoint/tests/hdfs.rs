//! HDFS: temporary files of crashed writers, and the meaning of errors.

use hdfs_native::HdfsError;

use super::super::objects::hdfs::store_error;
use super::super::{Log, Put};
use super::conformance::skipped;
use super::*;
use crate::error::ErrorKind;

#[tokio::test]
async fn temporary_files_are_deleted_at_the_next_start() {
    let test = "temporary_files_are_deleted_at_the_next_start";
    let place = match TestLocation::hdfs() {
        Ok(place) => place,
        Err(why) => return skipped(test, why),
    };
    let files = objects::location::objects(place.location()).unwrap();
    let torn = [
        ".metadata.7f-1.tmp",
        "offsets/.4.7f-0.tmp",
        "epochs/.2.7f-0.tmp",
    ];
    let others = ["offsets/.3.crc", ".profile", "STOP_LOCK"];
    for name in torn.iter().chain(&others) {
        assert!(files.create(name, "{".into()).await.unwrap());
    }
    let committer = place.open();
    assert_eq!(committer.batches(Log::Offsets).await.unwrap(), []);
    let epoch = committer.take_epoch(NONE).await.unwrap();
    for name in torn {
        assert!(!files.exists(name).await.unwrap(), "{name}");
    }
    for name in others {
        assert!(files.exists(name).await.unwrap(), "{name}");
    }
    for expected in [Put::Done, Put::Exists("x".into())] {
        let put = committer.put(epoch, Log::Offsets, BatchId(4), "x".into());
        assert_eq!(put.await.unwrap(), expected);
    }
    let mut left = files.list("offsets").await.unwrap();
    left.sort_unstable();
    assert_eq!(left, [".3.crc", "4"]);
    let lock = StopLock::at(place.location()).unwrap();
    assert!(lock.take().await.unwrap());
    assert!(!lock.take().await.unwrap());
}

#[tokio::test]
async fn an_unreachable_name_node_is_named_and_retryable() {
    let error = open("hdfs://127.0.0.1:1/q1")
        .unwrap()
        .take_epoch(NONE)
        .await;
    let error = error.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with("checkpoint 'hdfs://127.0.0.1:1/q1': cannot list epochs: "),
        "{text}"
    );
    assert!(text.contains("refused"), "{text}");
}

#[tokio::test]
async fn an_unconfigured_name_service_is_refused() {
    let error = open("hdfs://no-such-service/q1")
        .unwrap()
        .take_epoch(NONE)
        .await;
    let error = error.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    assert_eq!(error.into_error().kind(), ErrorKind::InvalidOption);
}

#[test]
fn server_errors_are_classified_by_their_java_class() {
    let class = |class: &str| HdfsError::RPCError(class.to_owned(), "why\n\tat java".to_owned());
    for (error, kind) in [
        (
            class("org.apache.hadoop.security.AccessControlException"),
            Some(ErrorKind::AccessDenied),
        ),
        (
            class("org.apache.hadoop.fs.InvalidPathException"),
            Some(ErrorKind::InvalidOption),
        ),
        (HdfsError::NoSASLMechanism, Some(ErrorKind::AccessDenied)),
        (class("org.apache.hadoop.ipc.StandbyException"), None),
        (
            class("org.apache.hadoop.hdfs.server.namenode.SafeModeException"),
            None,
        ),
        (
            class("org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException"),
            None,
        ),
        (HdfsError::DataTransferError("why".to_owned()), None),
    ] {
        let error = store_error("hdfs://node/q1", "write", "offsets/1", error);
        assert_eq!(error.is_retryable(), kind.is_none(), "{error}");
        let text = error.to_string();
        assert!(
            text.starts_with("checkpoint 'hdfs://node/q1': cannot write offsets/1: "),
            "{text}"
        );
        let error = error.into_error();
        let first: &(dyn std::error::Error + 'static) = &error;
        for cause in std::iter::successors(Some(first), |error| error.source()) {
            assert!(!cause.to_string().contains("at java"), "{cause}");
        }
        assert_eq!(error.kind(), kind.unwrap_or(ErrorKind::Unavailable));
    }
}
