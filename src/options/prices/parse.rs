//! Reads files of prices.

use serde_json::{Map, Value};

use super::{Price, PriceList};
use crate::options::nearest;

const AS_OF: &str = "asOf";
const REGION: &str = "region";
const CURRENCY: &str = "currency";
const SOURCE: &str = "source";
const PRICES: &str = "prices";
const PRICE: &str = "price";
const UNIT: &str = "unit";

impl PriceList {
    /// The prices in `text`, the content of `file`; those that it leaves out are as in `self`.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn overridden(&self, text: &str, file: &str) -> Result<Self, String> {
        let mut list = self.clone();
        list.file = Some(file.to_owned());
        list.read(text)?;
        Ok(list)
    }

    /// The prices in `text`, which has all of them.
    pub(super) fn parse_complete(text: &str) -> Result<Self, String> {
        let mut list = Self {
            as_of: String::new(),
            region: String::new(),
            file: None,
            dollars: [f64::NAN; Price::ALL.len()],
        };
        list.read(text)?;
        let missing = Price::ALL.iter().zip(&list.dollars);
        let missing = missing
            .filter(|(_, dollars)| dollars.is_nan())
            .map(|(price, _)| price.name())
            .next();
        match missing {
            Some(name) => Err(format!("price '{name}' is missing")),
            None if list.as_of.is_empty() => Err(format!("'{AS_OF}' is missing")),
            None if list.region.is_empty() => Err(format!("'{REGION}' is missing")),
            None => Ok(list),
        }
    }

    fn read(&mut self, text: &str) -> Result<(), String> {
        let file = serde_json::from_str(text).map_err(|error| {
            format!("expected JSON such as {{\"prices\": {{\"shardHour\": 0.018}}}}: {error}")
        })?;
        let Value::Object(file) = file else {
            return Err("expected a JSON object with 'prices'".to_owned());
        };
        for (name, value) in &file {
            match name.as_str() {
                AS_OF => self.as_of = date(value)?,
                REGION => self.region = words(name, value)?,
                SOURCE => drop(words(name, value)?),
                CURRENCY if value == "USD" => {}
                CURRENCY => return Err(format!("'{CURRENCY}' is {value}: expected \"USD\"")),
                PRICES => self.read_prices(value)?,
                _ => return Err(unknown(name, [AS_OF, REGION, CURRENCY, SOURCE, PRICES])),
            }
        }
        match file.contains_key(PRICES) {
            true => Ok(()),
            false => Err(format!("'{PRICES}' is missing: expected an object")),
        }
    }

    fn read_prices(&mut self, prices: &Value) -> Result<(), String> {
        let Value::Object(prices) = prices else {
            return Err(format!("'{PRICES}' is {prices}: expected an object"));
        };
        for (name, value) in prices {
            let known = Price::ALL.iter().find(|price| price.name() == name);
            let Some(price) = known else {
                let names = Price::ALL.iter().map(|price| price.name());
                let nearest = nearest(name, names);
                return Err(format!(
                    "price '{name}' is unknown: expected a name such as '{nearest}'"
                ));
            };
            self.dollars[*price as usize] = match value {
                Value::Object(described) => described_price(name, described)?,
                value => dollars(name, value)?,
            };
        }
        Ok(())
    }
}

/// A price with its unit, for people.
fn described_price(name: &str, described: &Map<String, Value>) -> Result<f64, String> {
    for (key, value) in described {
        match key.as_str() {
            PRICE => {}
            UNIT => drop(words(key, value)?),
            _ => return Err(unknown(key, [PRICE, UNIT])),
        }
    }
    let price = described.get(PRICE);
    let price = price.ok_or_else(|| format!("price '{name}' has no '{PRICE}'"))?;
    dollars(name, price)
}

fn dollars(name: &str, value: &Value) -> Result<f64, String> {
    let number = value.as_f64().filter(|number| *number >= 0.0);
    number.ok_or_else(|| {
        format!("price '{name}' is {value}: expected a number of US dollars that is not negative")
    })
}

/// A year, a month or a day.
fn date(value: &Value) -> Result<String, String> {
    let text = value.as_str().unwrap_or_default();
    let is_number = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut parts = text.split('-');
    let is_date = parts.next().is_some_and(|year| is_number(year, 4))
        && parts.clone().count() <= 2
        && parts.all(|part| is_number(part, 2));
    match is_date {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "'{AS_OF}' is {value}: expected a date such as \"2026-11-30\" or \"2026\""
        )),
    }
}

fn words(name: &str, value: &Value) -> Result<String, String> {
    let text = value
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| format!("'{name}' is {value}: expected a text"))?;
    Ok(text.to_owned())
}

fn unknown<const N: usize>(name: &str, names: [&'static str; N]) -> String {
    let nearest = nearest(name, names.into_iter());
    format!("'{name}' is unknown: expected a name such as '{nearest}'")
}
