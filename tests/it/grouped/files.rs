//! State files: their number, their removal, and errors about damaged ones.

use std::fs;
use std::path::{Path, PathBuf};

use datafusion_kinesis::ErrorKind;
use serde_json::Value;

use super::*;
use crate::support::{folder, without_checksum};

/// The names of the state files.
fn names(place: &Path) -> Vec<String> {
    let files = fs::read_dir(place.join("state")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The state entry of the newest commit.
fn newest(place: &Path) -> Value {
    let commits = fs::read_dir(place.join("commits")).unwrap();
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u64>().ok();
    let newest = commits.filter_map(|entry| number(entry.unwrap())).max();
    let path = place.join(format!("commits/{}", newest.unwrap()));
    let commit: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    commit["operators"][0]["files"].clone()
}

fn named(state: &Value) -> Vec<String> {
    let lists = [&state["snapshot"]["parts"], &state["deltas"]];
    let all = lists.into_iter().filter_map(Value::as_array).flatten();
    all.map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Checks that progress counts the files that the newest commit names.
fn expect_files(query: &StreamingQuery, place: &Path) {
    let progress = query.last_progress().unwrap();
    let state = progress.state_operator.as_ref().unwrap();
    let files = state.files.as_ref().unwrap();
    let named = newest(place);
    let sizes = |list: &Value| -> Vec<u64> {
        let names = list.as_array().into_iter().flatten();
        let paths = names.map(|name| place.join("state").join(name.as_str().unwrap()));
        paths
            .map(|path| fs::metadata(path).unwrap().len())
            .collect()
    };
    let snapshot = files.snapshot_batch.map(|batch| batch.0);
    assert_eq!(snapshot, named["snapshot"]["batch"].as_u64());
    for (list, count, bytes) in [
        (
            &named["snapshot"]["parts"],
            files.snapshot_files,
            files.snapshot_bytes,
        ),
        (&named["deltas"], files.delta_files, files.delta_bytes),
    ] {
        let sizes = sizes(list);
        assert_eq!(
            (sizes.len(), sizes.iter().sum()),
            (count, bytes as u64),
            "{named}"
        );
    }
}

/// A word count with its checkpoint in a folder.
async fn in_folder(name: &str) -> (Counting, PathBuf) {
    let place = folder(name);
    let options = format!("{FROM_THE_START}, 'kinesis.minBatchesToRetain' '2'");
    let counting = Counting::with_options(place.to_str().unwrap(), &options).await;
    (counting, place)
}

#[tokio::test(start_paused = true)]
async fn snapshots_replace_deltas_and_old_files_are_removed() {
    let (mut counting, place) = in_folder("grouped-snapshots").await;
    let left = [
        "1-00000000000000000000000000000000.delta",
        ".3-0f.delta.1f-1.tmp",
    ];
    for start in 0..4 {
        let query = counting.builder().start().await.unwrap();
        for _ in 0..20 {
            counting.put(5).await;
            query.process_all_available().await.unwrap();
        }
        query.stop().await.unwrap();
        counting.check(&format!("start {start}"));
        expect_files(&query, &place);
        if start == 0 {
            // Leftovers of killed writers, and an unrelated file.
            for name in left.iter().chain(&["notes.txt"]) {
                fs::write(place.join("state").join(name), b"x").unwrap();
            }
        }
    }
    let state = newest(&place);
    let snapshot = state["snapshot"]["batch"].as_u64().unwrap();
    assert!(snapshot > 40, "{state}");
    let (needed, there) = (named(&state), names(&place));
    let lost = needed.iter().find(|name| !there.contains(name));
    assert_eq!(lost, None, "{there:?}");
    for gone in left {
        assert!(!there.iter().any(|name| name == gone), "{gone}");
    }
    assert!(there.contains(&"notes.txt".to_owned()));
    // Includes files since the last cleanup, and those of the other retained entry.
    assert!(there.len() < 45, "{there:?}");
    counting.run().await;
    counting.put(7).await;
    counting.run().await;
    counting.check("");
    fs::remove_dir_all(place).unwrap();
}

/// Deltas that are small compared to the state do not cause a snapshot until a start would read too
/// many.
#[tokio::test(start_paused = true)]
async fn a_start_reads_a_limited_number_of_deltas() {
    let (counting, place) = in_folder("grouped-deltas").await;
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..8_000 {
        // Incompressible words.
        let word = format!("{:032x}{:032x}", random.u128(..), random.u128(..));
        counting.world.put("words", &word, word.clone()).await;
    }
    let query = counting.builder().start().await.unwrap();
    query.process_all_available().await.unwrap();
    let (mut snapshots, mut most) = (Vec::new(), 0);
    for _ in 0..230 {
        counting.world.put("words", "k", "7").await;
        query.process_all_available().await.unwrap();
        let state = newest(&place);
        most = most.max(state["deltas"].as_array().unwrap().len());
        snapshots.extend(state["snapshot"]["batch"].as_u64());
        snapshots.dedup();
    }
    query.stop().await.unwrap();
    assert_eq!(snapshots.len(), 2, "{snapshots:?}");
    assert!((190..=202).contains(&most), "{most}");
    let again = counting.builder().start().await.unwrap();
    counting.world.put("words", "k", "7").await;
    again.process_all_available().await.unwrap();
    again.stop().await.unwrap();
    assert_eq!(counting.lines.newest()["7"], "231");
    fs::remove_dir_all(place).unwrap();
}

/// A name, a modification of a file, and the expected message.
type Change<'a> = (&'a str, &'a dyn Fn(&Path), &'a str);

/// The error of a start after `change` was applied to a state file, and the name of that file.
async fn after(name: &str, change: impl FnOnce(&Path)) -> (String, String) {
    let (mut counting, place) = in_folder(name).await;
    counting.put(10).await;
    counting.run().await;
    let file = names(&place).remove(0);
    change(&place.join("state").join(&file));
    let log = |of: &str| fs::read_dir(place.join(of)).unwrap().count();
    let before = [log("offsets"), log("commits"), log("state")];
    counting.put(10).await;
    let error = fails(counting.builder()).await;
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    assert_eq!([log("offsets"), log("commits"), log("state")], before);
    fs::remove_dir_all(place).unwrap();
    (error.to_string(), file)
}

#[tokio::test(start_paused = true)]
async fn a_damaged_truncated_missing_or_foreign_file_is_reported() {
    let cut = |path: &Path| {
        let content = fs::read(path).unwrap();
        fs::write(path, &content[..content.len() / 2]).unwrap();
    };
    let flip = |path: &Path| {
        let mut content = fs::read(path).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        fs::write(path, content).unwrap();
    };
    let empty = |path: &Path| fs::write(path, b"").unwrap();
    let foreign = |path: &Path| fs::write(path, b"ARROW1 of somebody else").unwrap();
    let changed = "is damaged";
    let changes: [Change<'_>; 5] = [
        ("truncated", &cut, changed),
        ("damaged", &flip, changed),
        ("emptied", &empty, changed),
        ("foreign", &foreign, changed),
        (
            "missing",
            &|path: &Path| fs::remove_file(path).unwrap(),
            "is missing",
        ),
    ];
    for (name, change, words) in changes {
        let (error, file) = after(&format!("grouped-{name}"), change).await;
        assert!(error.contains(words), "{name}: {error}");
        assert!(error.contains(&format!("state/{file}")), "{name}: {error}");
        assert!(error.contains("new checkpoint location"), "{name}: {error}");
    }
}

/// A state file of another query, whose name the log was made to refer to.
#[tokio::test(start_paused = true)]
async fn a_file_of_another_aggregation_is_refused_with_a_comparison() {
    let (mut other, elsewhere) = in_folder("grouped-elsewhere").await;
    other.put(5).await;
    let sums = "SELECT CAST(data AS VARCHAR) AS word, max(partitionKey) FROM words GROUP BY word";
    let query = other
        .lines
        .of(grouped(&other.world, sums, OutputMode::Update));
    run(query.with_checkpoint_location(elsewhere.to_str().unwrap())).await;
    let foreign = names(&elsewhere).remove(0);
    let (mut counting, place) = in_folder("grouped-with-foreign").await;
    counting.put(10).await;
    counting.run().await;
    let own = named(&newest(&place)).remove(0);
    fs::copy(
        elsewhere.join("state").join(&foreign),
        place.join("state").join(&foreign),
    )
    .unwrap();
    let commit = place.join("commits/0");
    let text = fs::read_to_string(&commit).unwrap();
    let text = without_checksum(&text, |text| text.replace(&own, &foreign));
    fs::write(&commit, text).unwrap();
    let error = fails(counting.builder()).await;
    assert_eq!(error.kind(), ErrorKind::Checkpoint, "{error}");
    for part in [
        "another aggregation",
        "was: ",
        "now: ",
        "max(",
        "count(",
        &foreign,
    ] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    fs::remove_dir_all(place).unwrap();
    fs::remove_dir_all(elsewhere).unwrap();
}
