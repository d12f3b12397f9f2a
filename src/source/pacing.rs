//! When a shard may be asked again.

use std::time::Duration;

use crate::kinesis::limits::READ_BYTES_PER_SECOND;

/// The time from one GetRecords to the next: at least `interval`, and as long as a shard takes to
/// give `page_bytes` at 2 MiB a second. Asking earlier only earns a throttle. An interval of zero
/// turns pacing off, for servers without limits.
pub(super) fn wait_after(page_bytes: usize, interval: Duration) -> Duration {
    if interval.is_zero() {
        return Duration::ZERO;
    }
    let micros = (page_bytes as u64).saturating_mul(1_000_000) / READ_BYTES_PER_SECOND as u64;
    interval.max(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_page_waits_the_interval_and_a_full_one_five_seconds() {
        let interval = Duration::from_millis(200);
        assert_eq!(wait_after(0, interval), interval);
        assert_eq!(wait_after(100_000, interval), interval);
        assert_eq!(wait_after(10 << 20, interval), Duration::from_secs(5));
    }

    #[test]
    fn an_interval_of_zero_turns_pacing_off() {
        assert_eq!(wait_after(10 << 20, Duration::ZERO), Duration::ZERO);
    }
}
