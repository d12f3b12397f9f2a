//! The setting with the prices from which costs are estimated.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use super::{Setting, StreamingSettings, assign};
use crate::options::PriceList;

/// Larger than any list of prices.
const LARGEST_FILE: u64 = 1 << 20;

pub(super) const PRICES: Setting = Setting {
    name: "prices",
    description: "A JSON file of prices, which override the built-in list prices in estimates of what a streaming query costs.",
    get: |settings| settings.price_file.as_ref()?.file.clone(),
    set: |settings, text| assign(&mut settings.price_file, read(text).map(Some)),
    reset: |settings, default: StreamingSettings| settings.price_file = default.price_file,
};

/// The built-in prices with those in a file.
fn read(path: &str) -> Result<Arc<PriceList>, String> {
    let path = path.trim();
    let mut text = String::new();
    let file = File::open(path).map(|file| file.take(LARGEST_FILE));
    let read = file.and_then(|mut file| file.read_to_string(&mut text));
    read.map_err(|error| format!("expected a JSON file of prices: {error}"))?;
    PriceList::built_in().overridden(&text, path).map(Arc::new)
}
