//! Local files: names, temporary files of crashed writers, and foreign files.

use std::fs;

use super::super::{Log, Put};
use super::*;
use crate::error::ErrorKind;

#[tokio::test]
async fn files_have_plain_names_and_readable_text() {
    let place = TestLocation::local();
    let mut query = start(place.open(), 1);
    query.take_over().await.unwrap();
    query.log_offsets(&batch(0, 2)).await.unwrap();
    query
        .log_commit(BatchId(0), UnixMillis(0), &Committed::default())
        .await
        .unwrap();
    let text = fs::read_to_string(place.folder().join("offsets/0")).unwrap();
    let expected = r#"{
  "version": 4,
  "batch": 0,
  "epoch": 1,
  "run": "RUN",
  "time": "2023-11-14T22:13:20.000Z",
  "sources": [
    {
      "stream": "clicks",
      "created_at": "2020-09-13T12:26:40.007Z",
      "read_to": "2023-11-14T22:13:19.990Z",
      "retention_hours": 48,
      "shards": {
        "shardId-000000000000": "AFTER 495903382714902566085596925383615700000000",
        "shardId-000000000001": {
          "after": "AFTER 495903382714902566085596925383615700000000",
          "upto": "AFTER 495903382714902566085596925383615700000001.7",
          "rows": 1
        }
      }
    }
  ],
  "checksum": "CHECKSUM"
}
"#;
    let run = format!("{:016x}", fastrand::Rng::with_seed(1).u64(..));
    let (_, checksum) = text.split_once("\"checksum\": \"").unwrap();
    let expected = expected.replace("RUN", &run);
    assert_eq!(text, expected.replace("CHECKSUM", &checksum[..32]));
    let text = fs::read_to_string(place.folder().join("commits/0")).unwrap();
    assert!(
        text.contains(r#""time": "1970-01-01T00:00:00.000Z""#),
        "{text}"
    );
    for folder in ["", "offsets", "commits", "epochs"] {
        let files = fs::read_dir(place.folder().join(folder)).unwrap();
        let hidden = |name: &std::ffi::OsString| name.to_str().unwrap().starts_with('.');
        let left: Vec<_> = files
            .map(|file| file.unwrap().file_name())
            .filter(hidden)
            .collect();
        assert!(left.is_empty(), "{folder}: {left:?}");
    }
}

#[tokio::test]
async fn temporary_files_are_not_listed_and_deleted_at_the_next_start() {
    let place = TestLocation::local();
    let committer = place.open();
    let epoch = committer.take_epoch(NONE).await.unwrap();
    let put = committer.put(epoch, Log::Offsets, BatchId(3), "x".into());
    assert_eq!(put.await.unwrap(), Put::Done);
    let torn = [
        ".metadata.7-1.tmp",
        "offsets/.4.7-0.tmp",
        "epochs/.2.7-0.tmp",
    ];
    let others = ["offsets/4#1", "offsets/.3.crc", ".profile", "notes.7-1.tmp"];
    for name in torn.iter().chain(&others) {
        fs::write(place.folder().join(name), "{").unwrap();
    }
    let listed = committer.batches(Log::Offsets).await.unwrap();
    assert_eq!(listed, [BatchId(3)]);
    committer.take_epoch(NONE).await.unwrap();
    let there = |name: &&&str| place.folder().join(name).exists();
    assert_eq!(torn.iter().filter(there).count(), 0);
    assert_eq!(others.iter().filter(there).count(), others.len());
}

#[tokio::test]
async fn only_the_newest_epoch_is_kept() {
    let place = TestLocation::local();
    for _ in 0..11 {
        place.open().take_epoch(NONE).await.unwrap();
    }
    let files = fs::read_dir(place.folder().join("epochs")).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["11"]);
}

#[tokio::test]
async fn foreign_files_are_named() {
    for name in [
        "offsets/notes.txt",
        "commits/007",
        "epochs/-1",
        "offsets/1.json",
    ] {
        let place = TestLocation::local();
        let mut query = start(place.open(), 1);
        query.take_over().await.unwrap();
        query.log_offsets(&batch(0, 1)).await.unwrap();
        query
            .log_commit(BatchId(0), UnixMillis(0), &Committed::default())
            .await
            .unwrap();
        fs::write(place.folder().join(name), "x").unwrap();
        let error = query.take_over().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Checkpoint);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn a_removed_epoch_stops_its_writer() {
    let place = TestLocation::local();
    let committer = place.open();
    let epoch = committer.take_epoch(NONE).await.unwrap();
    fs::remove_dir_all(place.folder().join("epochs")).unwrap();
    let put = committer.put(epoch, Log::Offsets, BatchId(0), "x".into());
    let error = put.await.unwrap_err();
    assert!(!error.is_retryable());
    assert!(
        error.to_string().contains("epochs/1 was removed"),
        "{error}"
    );
}

#[tokio::test]
async fn a_location_without_write_permission_is_named() {
    let place = TestLocation::local();
    fs::write(place.folder(), "a file").unwrap();
    let error = place.open().take_epoch(NONE).await.unwrap_err();
    fs::remove_file(place.folder()).unwrap();
    assert!(!error.is_retryable(), "{error}");
    assert!(error.to_string().contains(place.location()), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_dangling_link_in_place_of_a_folder_is_a_permanent_error() {
    let place = TestLocation::local();
    std::os::unix::fs::symlink("/no such folder/of checkpoints", place.folder()).unwrap();
    let put = place.open().create_metadata("{}".into()).await;
    fs::remove_file(place.folder()).unwrap();
    let error = put.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    let error = error.into_error();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("is not a folder"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_system_without_hard_links_is_a_permanent_error() {
    use super::super::objects::local_files::{cannot_link, store_error};
    let said = |number| {
        let error = cannot_link(std::io::Error::from_raw_os_error(number));
        store_error("/mnt/stick", "write", "offsets/1", error)
    };
    // EPERM of vfat and exfat; EOPNOTSUPP and ENOSYS of network and FUSE mounts.
    for number in [1, 95, 38] {
        let error = said(number);
        assert!(!error.is_retryable(), "{error}");
        let text = error.to_string();
        let start =
            "checkpoint '/mnt/stick': cannot write offsets/1: the file system does not support";
        assert!(text.starts_with(start), "{text}");
        assert_eq!(error.into_error().kind(), ErrorKind::Unsupported);
    }
    let error = said(5); // EIO
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn a_stop_lock_is_taken_once() {
    for place in [TestLocation::local(), TestLocation::memory()] {
        let lock = StopLock::at(place.location()).unwrap();
        assert!(!lock.take().await.unwrap(), "there is none yet");
        let objects = objects::location::objects(place.location()).unwrap();
        assert!(objects.create("STOP_LOCK", "".into()).await.unwrap());
        assert!(lock.take().await.unwrap());
        assert!(!lock.take().await.unwrap());
    }
}
