//! Local files on a full or read-only disk.

use std::process::Command;

use super::super::{Log, Put};
use super::conformance::skipped;
use super::*;
use crate::error::ErrorKind;

/// A small disk in memory with a location on it.
struct Disk(TestLocation);

impl Disk {
    /// A disk of `size`; mounting it requires root.
    fn of(size: &str) -> Result<Self, &'static str> {
        let place = TestLocation::local();
        std::fs::create_dir(place.folder()).unwrap();
        let options = format!("size={size}");
        let mounted = run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs"], &place);
        // Created only if the mount succeeded.
        mounted
            .then_some(place)
            .map(Self)
            .ok_or("may not mount a tmpfs")
    }

    fn change(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(run("mount", &["-o", &options], &self.0), "{options}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        assert!(run("umount", &[], &self.0));
    }
}

fn run(program: &str, arguments: &[&str], place: &TestLocation) -> bool {
    let command = Command::new(program)
        .args(arguments)
        .arg(place.folder())
        .output();
    command.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_full_disk_is_retried_and_leaves_no_partial_entry() {
    let test = "a_full_disk_is_retried_and_leaves_no_partial_entry";
    let disk = match Disk::of("64k") {
        Ok(disk) => disk,
        Err(why) => return skipped(test, why),
    };
    let committer = disk.0.open();
    let epoch = committer.take_epoch(NONE).await.unwrap();
    let large = Bytes::from(vec![b'x'; 200_000]);
    let put = || committer.put(epoch, Log::Offsets, BatchId(0), large.clone());
    let error = put().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(
        error
            .to_string()
            .contains("cannot write offsets/0: No space left"),
        "{error}"
    );
    let left = std::fs::read_dir(disk.0.folder().join("offsets")).unwrap();
    assert_eq!(
        left.count(),
        0,
        "what was written is gone, and its space free"
    );
    assert_eq!(committer.batches(Log::Offsets).await.unwrap(), []);
    disk.change("size=1m");
    assert_eq!(put().await.unwrap(), Put::Done);
}

#[tokio::test]
async fn a_read_only_disk_is_a_permanent_error_and_readable() {
    let test = "a_read_only_disk_is_a_permanent_error_and_readable";
    let disk = match Disk::of("1m") {
        Ok(disk) => disk,
        Err(why) => return skipped(test, why),
    };
    let committer = disk.0.open();
    let epoch = committer.take_epoch(NONE).await.unwrap();
    let put = |batch| committer.put(epoch, Log::Offsets, BatchId(batch), "x".into());
    assert_eq!(put(0).await.unwrap(), Put::Done);
    disk.change("ro");
    let error = put(1).await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    let text = error.to_string();
    assert!(text.contains(disk.0.location()), "{text}");
    assert!(text.contains("cannot write offsets/1: Read-only"), "{text}");
    assert_eq!(error.into_error().kind(), ErrorKind::AccessDenied);
    let found = committer.get(Log::Offsets, BatchId(0)).await.unwrap();
    assert_eq!(found, Some("x".into()));
}
