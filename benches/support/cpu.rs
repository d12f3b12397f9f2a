//! The CPU time of this process.

/// CPU seconds of this process so far, over all threads, user and system. Linux counts in units of
/// 10 ms.
pub(crate) fn cpu_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux shows its processes");
    // The process name is in parentheses and may contain spaces.
    let rest = stat.rsplit(')').next().expect("there is a name");
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().expect("a number of ticks");
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}
