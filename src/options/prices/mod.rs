//! What AWS charges: the list prices in `prices.json`, and files that override them.

mod parse;

use std::fmt;
use std::sync::{Arc, LazyLock};

/// The prices that are used unless others are given.
const BUILT_IN: &str = include_str!("prices.json");

/// A GB of the price list.
pub(crate) const GB: f64 = 1_073_741_824.0;

/// The hours in a month, as in AWS's calculations.
pub(crate) const HOURS_PER_MONTH: f64 = 730.0;

/// Defines the prices: name in the file, and how many units a price is for.
macro_rules! prices {
    ($($price:ident = $name:literal $per:expr,)*) => {
        /// Something that AWS charges for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Price {
            $($price,)*
        }

        impl Price {
            pub(crate) const ALL: &[Self] = &[$(Self::$price,)*];

            /// The name in a file of prices.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$price => $name,)*
                }
            }

            /// How many units the price is for.
            fn per(self) -> f64 {
                match self {
                    $(Self::$price => $per,)*
                }
            }
        }
    };
}

prices! {
    ShardHour = "shardHour" 1.0,
    ExtendedRetentionShardHour = "extendedRetentionShardHour" 1.0,
    PutPayloadUnit = "millionPutPayloadUnits" 1e6,
    FanOutShardHour = "fanOutShardHour" 1.0,
    FanOutByte = "fanOutGb" GB,
    OnDemandStreamHour = "onDemandStreamHour" 1.0,
    OnDemandByteIn = "onDemandGbIn" GB,
    OnDemandByteOut = "onDemandGbOut" GB,
    OnDemandFanOutByte = "onDemandFanOutGb" GB,
    S3Write = "thousandS3Writes" 1e3,
    S3Read = "thousandS3Reads" 1e3,
    DynamoDbWriteUnit = "millionDynamoDbWriteUnits" 1e6,
    DynamoDbReadUnit = "millionDynamoDbReadUnits" 1e6,
    CloudWatchMetricMonth = "cloudWatchMetricMonth" 1.0,
    PutMetricData = "thousandPutMetricData" 1e3,
}

/// Prices in US dollars. Displayed by where they are from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PriceList {
    /// The year, month or day of the prices.
    pub(crate) as_of: String,
    pub(crate) region: String,
    /// The file that overrides list prices; `None` for the built-in prices.
    pub(crate) file: Option<String>,
    /// In the order of [`Price::ALL`], each for as many units as the file says.
    dollars: [f64; Price::ALL.len()],
}

impl PriceList {
    /// The list prices in this program.
    pub(crate) fn built_in() -> Arc<Self> {
        static LIST: LazyLock<Arc<PriceList>> = LazyLock::new(|| {
            let list = PriceList::parse_complete(BUILT_IN);
            Arc::new(list.expect("a test parses it"))
        });
        Arc::clone(&LIST)
    }

    /// The cost of so many units: bytes, requests, shards for an hour.
    pub(crate) fn cost(&self, price: Price, units: f64) -> f64 {
        self.dollars[price as usize] * units / price.per()
    }
}

/// `list prices of 2025 (us-east-1)`
impl fmt::Display for PriceList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "list prices of {} ({})", self.as_of, self.region)?;
        match &self.file {
            Some(file) => write!(f, " with those in {file}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
