//! What a process costs from its start to its end.

use std::process::Command;
use std::time::Duration;

/// CPU and memory of an ended process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessCost {
    /// User and system time of all threads. Linux counts in units of 10 ms.
    pub(crate) cpu_seconds: f64,
    /// The peak of the resident memory.
    pub(crate) peak_kilobytes: usize,
}

/// Runs `command` to its end. Its output goes nowhere.
pub(crate) fn cost_of(command: &mut Command) -> ProcessCost {
    let before = cpu_seconds_of_children();
    let mut process = command
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the command starts");
    let status = format!("/proc/{}/status", process.id());
    let mut peak_kilobytes = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        let peak = number.and_then(|number| number.parse().ok()).unwrap_or(0);
        peak_kilobytes = peak_kilobytes.max(peak);
        if let Some(status) = process.try_wait().expect("the process is ours") {
            assert!(status.success(), "{command:?}: {status}");
            break;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    ProcessCost {
        cpu_seconds: cpu_seconds_of_children() - before,
        peak_kilobytes,
    }
}

/// CPU seconds of all ended children of this process.
fn cpu_seconds_of_children() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux shows its processes");
    // The process name is in parentheses and may contain spaces.
    let rest = stat.rsplit(')').next().expect("there is a name");
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().expect("a number of ticks");
    (ticks(13) + ticks(14)) / TICKS_PER_SECOND
}
