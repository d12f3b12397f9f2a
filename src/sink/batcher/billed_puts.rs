//! What Kinesis bills for records that are put.

/// A PUT payload unit of a provisioned stream.
const PAYLOAD_UNIT: usize = 25 * 1024;

/// What an on-demand stream rounds the size of each record up to.
const KILOBYTE: usize = 1024;

/// What the service bills for records that it has accepted, also for those that have to be sent again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::sink) struct BilledPuts {
    /// Units of 25 KB, or a part of it, of each record: for provisioned streams.
    pub(in crate::sink) payload_units: u64,
    /// Kilobytes, or a part of one, of each record: for on-demand streams.
    pub(in crate::sink) kilobytes: u64,
}

impl BilledPuts {
    /// Adds a record of `bytes` bytes. An empty one counts as the smallest.
    pub(super) fn add(&mut self, bytes: usize) {
        let bytes = bytes.max(1);
        self.payload_units += bytes.div_ceil(PAYLOAD_UNIT) as u64;
        self.kilobytes += bytes.div_ceil(KILOBYTE) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_is_rounded_up() {
        for (bytes, payload_units, kilobytes) in [
            (0, 1, 1),
            (1, 1, 1),
            (1_024, 1, 1),
            (1_025, 1, 2),
            (25_600, 1, 25),
            (25_601, 2, 26),
            (51_200, 2, 50),
            (1 << 20, 41, 1_024),
        ] {
            let mut billed = BilledPuts::default();
            billed.add(bytes);
            let expected = BilledPuts {
                payload_units,
                kilobytes,
            };
            assert_eq!(billed, expected, "{bytes}");
        }
    }
}
