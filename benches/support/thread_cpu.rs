//! The CPU time of one thread of this process.

use std::path::PathBuf;
use std::time::Duration;

/// A thread that is running.
#[derive(Debug)]
pub(crate) struct Thread(PathBuf);

impl Thread {
    /// The thread with this name.
    pub(crate) fn named(name: &str) -> Self {
        let tasks = std::fs::read_dir("/proc/self/task").expect("Linux shows its threads");
        let mut tasks = tasks.filter_map(|task| Some(task.ok()?.path()));
        let found = tasks.find(|task| {
            let comm = std::fs::read_to_string(task.join("comm"));
            comm.is_ok_and(|comm| comm.trim_end() == name)
        });
        Self(found.expect("the thread runs"))
    }

    /// Its CPU time so far, in nanoseconds.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(self.0.join("schedstat")).expect("the thread runs");
        let nanos = stat.split_whitespace().next().and_then(|n| n.parse().ok());
        Duration::from_nanos(nanos.expect("a number of nanoseconds"))
    }
}
