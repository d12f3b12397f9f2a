//! Checkpoints that were modified between two runs.

use super::*;
use std::fs;

use datafusion_kinesis::ErrorKind;
use datafusion_kinesis::model::Trigger;

/// Runs a query over `words`, applies `change` to its checkpoint folder, and returns the error of
/// the next start.
async fn changed(name: &str, change: impl FnOnce(&std::path::Path)) -> String {
    let world = world(1).await;
    let folder = crate::support::folder(name);
    let start = || {
        Sink::default()
            .of(words(&world))
            .with_trigger(Trigger::AvailableNow)
            .with_checkpoint_location(folder.to_str().unwrap())
            .start()
    };
    world.put("words", "k", "1").await;
    start().await.unwrap().await_termination().await.unwrap();
    change(&folder);
    let ended = match start().await {
        Ok(query) => query.await_termination().await,
        Err(error) => Err(error),
    };
    let error = ended.unwrap_err();
    fs::remove_dir_all(folder).unwrap();
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    error.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_log_without_metadata_is_refused() {
    let error = changed("no-metadata", |place| {
        fs::remove_file(place.join("metadata")).unwrap();
    });
    let error = error.await;
    assert!(
        error.contains("metadata is missing, but offsets/0 exists; restore metadata"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn ranges_of_another_stream_are_refused() {
    for (name, sources, expected) in [
        ("other-stream", "clicks", "'clicks'"),
        ("no-source", "", "no stream"),
    ] {
        let error = changed(name, |place| {
            let entry = place.join("offsets/0");
            let text = fs::read_to_string(&entry).unwrap();
            let text = crate::support::without_checksum(&text, |text| match sources {
                "" => {
                    let mut entry: serde_json::Value = serde_json::from_str(&text).unwrap();
                    entry["sources"] = serde_json::Value::Array(Vec::new());
                    entry.to_string()
                }
                other => text.replace("words", other),
            });
            fs::write(&entry, text).unwrap();
        });
        let error = error.await;
        assert!(error.contains("offsets/0"), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("'words'"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_edited_entry_is_refused() {
    for (entry, from, to) in [
        ("offsets/0", "\"rows\": 1", "\"rows\": 3"),
        ("commits/0", "\"epoch\": 1", "\"epoch\": 0"),
        ("metadata", "\"ForeachBatch\"", "\"Console\""),
    ] {
        let error = changed("edited", |place| {
            let path = place.join(entry);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{text}");
            fs::write(&path, text.replace(from, to)).unwrap();
        });
        let error = error.await;
        for part in [entry, "checksum", "restore it from a copy"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
