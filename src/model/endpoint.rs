//! What can be inferred from an endpoint URL: whether it belongs to AWS, its region, and whether it
//! is encrypted.

use std::net::IpAddr;

/// Suffixes of AWS host names by partition, IPv4 and dual-stack (from the SDK's partitions).
const SUFFIXES: [&str; 14] = [
    ".amazonaws.com",
    ".api.aws",
    ".amazonaws.com.cn",
    ".api.amazonwebservices.com.cn",
    ".amazonaws.eu",
    ".api.amazonwebservices.eu",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
    ".api.aws.hci.ic.gov",
    ".api.aws.ic.gov",
    ".api.cloud-aws.adc-e.uk",
    ".api.aws.scloud",
];

/// The host name or address in a URL, without port.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    match authority.strip_prefix('[') {
        Some(address) => address.split(']').next(),
        None => authority.split(':').next(),
    }
}

/// The labels of an AWS host name before its suffix.
fn labels_of_aws(url: &str) -> Option<Vec<String>> {
    let host = host(url)?.to_ascii_lowercase();
    let front = SUFFIXES
        .iter()
        .find_map(|suffix| host.strip_suffix(suffix))?;
    Some(front.split('.').map(str::to_owned).collect())
}

/// Whether the URL is an endpoint of AWS: public, FIPS, or inside a VPC.
pub(crate) fn is_aws_host(url: &str) -> bool {
    labels_of_aws(url).is_some()
}

/// The region in the host name of an AWS endpoint of any service.
pub(crate) fn region_of_endpoint(url: &str) -> Option<String> {
    let mut labels = labels_of_aws(url)?;
    if labels.last().is_some_and(|last| last == "vpce") {
        labels.pop();
    }
    if labels == ["sts"] {
        // The only remaining endpoint without a region in its name.
        return Some("us-east-1".to_owned());
    }
    labels.pop().filter(|last| looks_like_region(last))
}

/// Whether `text` has the form of `eu-west-1` or `us-gov-east-1`.
fn looks_like_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    match parts.as_slice() {
        [words @ .., number] if words.len() >= 2 => digits(number) && words.iter().all(letters),
        _ => false,
    }
}

/// Whether `text` is usable as a region. The region becomes part of host names; emulators accept
/// any region.
pub(crate) fn is_region(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with('-')
}

/// Whether requests to this URL leave the machine unencrypted.
pub(crate) fn is_unencrypted(url: &str) -> bool {
    let plain = url
        .split_once("://")
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("http"));
    plain && !host(url).is_some_and(is_loopback)
}

fn is_loopback(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let address = host.parse::<IpAddr>();
    host == "localhost"
        || host.ends_with(".localhost")
        || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_parsed_from_aws_endpoints() {
        for (url, region) in [
            ("https://kinesis.eu-west-1.amazonaws.com", "eu-west-1"),
            ("https://Kinesis.EU-west-1.amazonaws.com:443/", "eu-west-1"),
            (
                "https://kinesis-fips.us-gov-west-1.amazonaws.com",
                "us-gov-west-1",
            ),
            ("https://kinesis.us-east-1.api.aws", "us-east-1"),
            ("https://kinesis-fips.us-east-2.api.aws/x", "us-east-2"),
            ("https://kinesis.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            (
                "https://kinesis.cn-northwest-1.api.amazonwebservices.com.cn",
                "cn-northwest-1",
            ),
            (
                "https://111122223333.data-kinesis.ap-southeast-2.amazonaws.com",
                "ap-southeast-2",
            ),
            (
                "https://vpce-0a1b-2c3d.kinesis.us-east-1.vpce.amazonaws.com",
                "us-east-1",
            ),
            (
                "https://vpce-0a1b-2c3d-us-east-1a.kinesis.us-east-1.vpce.amazonaws.com",
                "us-east-1",
            ),
            (
                "https://vpce-0a1b.kinesis.cn-north-1.vpce.amazonaws.com.cn",
                "cn-north-1",
            ),
            ("https://kinesis.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
            ("https://sts.eu-central-1.amazonaws.com", "eu-central-1"),
            ("https://sts.amazonaws.com", "us-east-1"),
            ("https://dynamodb.sa-east-1.amazonaws.com", "sa-east-1"),
        ] {
            assert_eq!(region_of_endpoint(url).as_deref(), Some(region), "{url}");
            assert!(is_aws_host(url), "{url}");
        }
    }

    #[test]
    fn other_endpoints_have_no_region() {
        for url in [
            "http://localhost:4567",
            "https://kinesis.eu-west-1.example.com",
            "https://amazonaws.com",
            "https://eu-west-1.amazonaws.com.example.org",
            "http://[::1]:4567",
            "kinesis.eu-west-1.amazonaws.com",
        ] {
            assert_eq!(region_of_endpoint(url), None, "{url}");
            assert!(!is_aws_host(url), "{url}");
        }
        assert_eq!(region_of_endpoint("https://kinesis.amazonaws.com"), None);
    }

    #[test]
    fn only_http_to_other_hosts_is_unencrypted() {
        for url in [
            "http://localhost:4567",
            "http://LOCALHOST",
            "http://kinesis.localhost:4567/x",
            "http://127.0.0.1",
            "http://127.9.8.7:80",
            "http://[::1]:4567",
            "https://kinesis.eu-west-1.amazonaws.com",
            "https://10.0.0.1",
        ] {
            assert!(!is_unencrypted(url), "{url}");
        }
        for url in [
            "http://localstack:4566",
            "HTTP://10.0.0.1",
            "http://[fe80::1]:4567",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            "http://kinesis.eu-west-1.amazonaws.com",
        ] {
            assert!(is_unencrypted(url), "{url}");
        }
    }

    #[test]
    fn a_region_is_valid_in_a_host_name() {
        assert!(is_region("eu-west-1") && is_region("local"));
        for text in ["", "eu west", "eu_west_1", "EU-WEST-1", "a.b", "-x", "x/y"] {
            assert!(!is_region(text), "{text}");
        }
        assert!(!is_region(&"x".repeat(64)));
    }
}
