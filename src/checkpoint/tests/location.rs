//! The forms of a checkpoint location.

use super::super::objects::location::objects;
use super::*;
use crate::error::ErrorKind;

fn located(location: &str) -> String {
    objects(location).unwrap().location().to_owned()
}

#[test]
fn local_locations_are_file_urls_or_paths() {
    assert_eq!(
        located("file:///var/lib/word%20counts"),
        "/var/lib/word counts"
    );
    assert_eq!(
        located("file:///var/lib/word counts/"),
        "/var/lib/word counts/"
    );
    assert_eq!(located("file://localhost/tmp/x"), "/tmp/x");
    assert_eq!(
        located("/var/lib/100%20"),
        "/var/lib/100%20",
        "a path is taken as it is"
    );
    assert_eq!(located(r"/var/a\b"), r"/var/a\b");
    assert_eq!(located("file:///var/a%5Cb"), r"/var/a\b");
    let here = std::env::current_dir().unwrap();
    assert_eq!(
        located("check points/x"),
        here.join("check points/x").to_str().unwrap()
    );
    assert_eq!(located("./x"), here.join("x").to_str().unwrap());
}

#[tokio::test]
async fn memory_is_shared_by_name() {
    let at = |location| objects(location).unwrap();
    assert!(
        at("memory://shared/a b")
            .create("x", "1".into())
            .await
            .unwrap()
    );
    let content = at("memory://shared/a%20b/").read("x").await.unwrap();
    assert_eq!(content, Some("1".into()));
    assert!(!at("memory://shared/c").exists("x").await.unwrap());
    assert!(!at("memory://other/a b").exists("x").await.unwrap());
}

#[test]
fn invalid_locations_say_what_is_expected() {
    for (location, expected) in [
        ("", "expected file:///path"),
        ("memory:///x", "memory://name/path"),
        ("ftp://host/x", "expected file:///path"),
        ("file://host/x", "expected file:///path"),
        ("s3:///x", "expected file:///path"),
        ("hdfs:///x", "expected file:///path"),
        ("hdfs:///x", "hdfs://namenode:port/path"),
        ("http://[x", "not a URL"),
        (r"file:///var/a\b", "expected no backslash"),
        (r"file:\\var\a", "%5C"),
        ("memory://name/a//b", "empty path segment"),
    ] {
        let error = objects(location).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidOption,
            "{location}: {error}"
        );
        assert!(error.to_string().contains(expected), "{location}: {error}");
    }
}

#[test]
fn credentials_are_refused_and_not_shown() {
    for location in [
        "s3://AKIDHIDDEN:hush@bucket/x",
        "s3://AKIDHIDDEN@bucket/x",
        "hdfs://HIDDEN:hush@node:8020/x",
        "memory://name/x?sig=hush",
        "az://container/x?sig=hush",
        "abfss://container:hush@account.dfs.core.windows.net/x",
        "file:///x#hush",
    ] {
        let error = objects(location).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidOption,
            "{location}: {error}"
        );
        let shown = format!("{error:?}");
        assert!(shown.contains("environment"), "{shown}");
        assert!(
            !shown.contains("hush") && !shown.contains("HIDDEN"),
            "{shown}"
        );
    }
}

#[test]
fn a_store_that_is_not_enabled_names_its_feature() {
    for (location, feature, built_in) in [
        ("s3://bucket/x", "aws", cfg!(feature = "aws")),
        ("gs://bucket/x", "gcp", cfg!(feature = "gcp")),
        ("az://container/x", "azure", cfg!(feature = "azure")),
        ("hdfs://node:8020/x", "hdfs", cfg!(feature = "hdfs")),
        (
            "abfss://c@a.dfs.core.windows.net/x",
            "azure",
            cfg!(feature = "azure"),
        ),
    ] {
        if built_in {
            continue;
        }
        let error = open(location).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let feature = format!("feature '{feature}'");
        assert!(error.to_string().contains(&feature), "{error}");
    }
}
