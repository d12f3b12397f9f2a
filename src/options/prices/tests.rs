use super::*;
use crate::documented::expect_table;

#[test]
fn the_built_in_prices_are_complete_and_have_units() {
    let list = PriceList::parse_complete(BUILT_IN).unwrap();
    assert_eq!(list.to_string(), "list prices of 2025 (us-east-1)");
    assert_eq!(list.file, None);
    let file: serde_json::Value = serde_json::from_str(BUILT_IN).unwrap();
    let prices = file["prices"].as_object().unwrap();
    assert_eq!(prices.len(), Price::ALL.len());
    for (name, price) in prices {
        assert!(price["unit"].is_string(), "{name}");
    }
    assert!(file["source"].as_str().unwrap().contains("third parties"));
}

#[test]
fn a_cost_is_calculated_from_single_units() {
    let list = PriceList::built_in();
    let cost = |price, units| format!("{:.6}", list.cost(price, units));
    assert_eq!(cost(Price::ShardHour, 4.0), "0.060000");
    assert_eq!(cost(Price::PutPayloadUnit, 500_000.0), "0.007000");
    assert_eq!(cost(Price::FanOutByte, 10.0 * GB), "0.130000");
    assert_eq!(cost(Price::S3Write, 3_600.0), "0.018000");
    assert_eq!(cost(Price::CloudWatchMetricMonth, 6.0), "1.800000");
}

#[test]
fn a_file_overrides_the_prices_that_it_names() {
    let text = r#"{"asOf": "2026-11-30", "region": "eu-west-1", "currency": "USD", "source": "our contract",
        "prices": {"shardHour": 0.0165, "fanOutGb": {"price": 0, "unit": "GB"}}}"#;
    let list = PriceList::built_in().overridden(text, "/etc/prices.json");
    let list = list.unwrap();
    assert_eq!(
        list.to_string(),
        "list prices of 2026-11-30 (eu-west-1) with those in /etc/prices.json"
    );
    assert_eq!(list.cost(Price::ShardHour, 2.0), 0.033);
    assert_eq!(list.cost(Price::FanOutByte, GB), 0.0);
    assert_eq!(list.cost(Price::FanOutShardHour, 1.0), 0.015);
    let same = PriceList::built_in().overridden(BUILT_IN, "x").unwrap();
    assert_eq!(same.dollars, PriceList::built_in().dollars);
}

#[test]
fn an_error_says_what_is_wrong_in_a_file() {
    for (text, expected) in [
        (
            "",
            "expected JSON such as {\"prices\": {\"shardHour\": 0.018}}: EOF",
        ),
        (r#"{"prices": {"shardHour": NaN}}"#, "expected JSON such as"),
        ("[]", "expected a JSON object with 'prices'"),
        ("{}", "'prices' is missing: expected an object"),
        (r#"{"prices": 1}"#, "'prices' is 1: expected an object"),
        (
            r#"{"price": {}}"#,
            "'price' is unknown: expected a name such as 'prices'",
        ),
        (
            r#"{"prices": {"shardHours": 1}}"#,
            "price 'shardHours' is unknown: expected a name such as 'shardHour'",
        ),
        (
            r#"{"prices": {"shardHour": -0.01}}"#,
            "price 'shardHour' is -0.01: expected a number of US dollars that is not negative",
        ),
        (
            r#"{"prices": {"shardHour": "0.01"}}"#,
            "price 'shardHour' is \"0.01\": expected a number",
        ),
        (
            r#"{"prices": {"shardHour": {}}}"#,
            "price 'shardHour' has no 'price'",
        ),
        (
            r#"{"prices": {"shardHour": {"prize": 1}}}"#,
            "'prize' is unknown: expected a name such as 'price'",
        ),
        (
            r#"{"currency": "EUR", "prices": {}}"#,
            "'currency' is \"EUR\": expected \"USD\"",
        ),
        (
            r#"{"asOf": "today", "prices": {}}"#,
            "'asOf' is \"today\": expected a date such as",
        ),
        (
            r#"{"asOf": 2026, "prices": {}}"#,
            "'asOf' is 2026: expected a date such as",
        ),
        (
            r#"{"region": "", "prices": {}}"#,
            "'region' is \"\": expected a text",
        ),
    ] {
        let error = PriceList::built_in().overridden(text, "file").unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

/// The table of the documentation.
fn table() -> String {
    let file: serde_json::Value = serde_json::from_str(BUILT_IN).unwrap();
    let row = |price: &Price| {
        let described = &file["prices"][price.name()];
        let (dollars, unit) = (&described["price"], described["unit"].as_str().unwrap());
        format!("| `{}` | ${dollars} | {unit} |\n", price.name())
    };
    let rows: String = Price::ALL.iter().map(row).collect();
    format!("| Price | Built-in | For |\n|---|---|---|\n{rows}")
}

#[test]
fn the_documentation_lists_all_prices() {
    expect_table("monitoring.md", "| Price | Built-in |", &table());
}
