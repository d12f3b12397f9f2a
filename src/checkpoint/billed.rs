//! Counts the requests to stores that AWS bills.

use std::ops::Add;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::stores::CountRequests;

/// What AWS bills for requests to a store since it was opened. Requests to other stores are not billed, or not by AWS.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct BilledRequests {
    /// PUT, POST and LIST requests to S3.
    pub s3_writes: u64,
    /// GET and HEAD requests to S3.
    pub s3_reads: u64,
    /// Write request units of DynamoDB.
    pub dynamodb_write_units: f64,
    /// Read request units of DynamoDB.
    pub dynamodb_read_units: f64,
}

impl Add for BilledRequests {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            s3_writes: self.s3_writes + other.s3_writes,
            s3_reads: self.s3_reads + other.s3_reads,
            dynamodb_write_units: self.dynamodb_write_units + other.dynamodb_write_units,
            dynamodb_read_units: self.dynamodb_read_units + other.dynamodb_read_units,
        }
    }
}

/// Counts them.
#[derive(Debug, Default)]
pub(super) struct BillCounter {
    s3_writes: AtomicU64,
    s3_reads: AtomicU64,
    /// In halves of a unit, the smallest that DynamoDB bills.
    write_halves: AtomicU64,
    read_halves: AtomicU64,
}

impl BillCounter {
    pub(super) fn now(&self) -> BilledRequests {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        BilledRequests {
            s3_writes: count(&self.s3_writes),
            s3_reads: count(&self.s3_reads),
            dynamodb_write_units: count(&self.write_halves) as f64 / 2.0,
            dynamodb_read_units: count(&self.read_halves) as f64 / 2.0,
        }
    }

    /// Counts write request units of DynamoDB.
    #[cfg(feature = "dynamodb")]
    pub(super) fn dynamodb_wrote(&self, units: Option<f64>) {
        self.write_halves
            .fetch_add(halves(units), Ordering::Relaxed);
    }

    /// Counts read request units of DynamoDB.
    #[cfg(feature = "dynamodb")]
    pub(super) fn dynamodb_read(&self, units: Option<f64>) {
        self.read_halves.fetch_add(halves(units), Ordering::Relaxed);
    }
}

impl CountRequests for BillCounter {
    /// Deletions are free.
    fn s3(&self, method: &str, query: Option<&str>) {
        let query = query.unwrap_or_default();
        let counter = match method {
            "DELETE" => return,
            "POST" if query == "delete" || query.starts_with("delete=") => return,
            "GET" | "HEAD" if !query.contains("list-type=") => &self.s3_reads,
            _ => &self.s3_writes,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whole halves. Servers other than AWS may leave the units out.
#[cfg(feature = "dynamodb")]
fn halves(units: Option<f64>) -> u64 {
    (units.unwrap_or(0.0) * 2.0).round() as u64
}

#[cfg(all(test, feature = "aws"))]
mod tests {
    use super::*;

    #[test]
    fn requests_to_s3_are_billed_by_their_kind() {
        let counter = BillCounter::default();
        for (method, query) in [
            ("PUT", None),
            ("GET", Some("list-type=2&prefix=commits")),
            ("GET", None),
            ("HEAD", None),
            ("DELETE", None),
            ("POST", Some("delete")),
            ("POST", Some("uploads")),
        ] {
            counter.s3(method, query);
        }
        let billed = counter.now();
        assert_eq!((billed.s3_writes, billed.s3_reads), (3, 2));
        let twice = billed + billed;
        assert_eq!((twice.s3_writes, twice.s3_reads), (6, 4));
    }
}
