//! Arguments of the status page.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The address without one in the arguments.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4040);

/// Where the status page is served, and who may see it.
#[derive(clap::Args)]
pub(in crate::cli) struct Ui {
    /// Serve a status page of the streaming queries, their metrics and probes, until the command ends
    ///
    /// ADDR is an address with a port, or a port of 127.0.0.1. Without ADDR it is 127.0.0.1:4040, or the next of 15 ports
    /// that is free.
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "", value_parser = address)]
    pub(in crate::cli) ui: Option<UiAddress>,
    /// Token that --ui asks for, of at least 16 characters; required unless ADDR is a loopback address
    ///
    /// Other users of the machine see command lines; the environment variable KINESIS_SQL_UI_TOKEN sets it, too.
    #[arg(long, value_name = "TOKEN", requires = "ui")]
    pub(in crate::cli) ui_token: Option<String>,
}

/// Where the status page is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum UiAddress {
    /// Here.
    At(SocketAddr),
    /// Here, or on one of the next ports.
    Near(SocketAddr),
}

/// Omits the token.
impl fmt::Debug for Ui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ui")
            .field("ui", &self.ui)
            .finish_non_exhaustive()
    }
}

fn address(text: &str) -> Result<UiAddress, String> {
    if text.is_empty() {
        return Ok(UiAddress::Near(DEFAULT));
    }
    if let Ok(port) = text.parse() {
        return Ok(UiAddress::At(SocketAddr::new(DEFAULT.ip(), port)));
    }
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("{}:{port}", DEFAULT.ip()),
        None => text.to_owned(),
    };
    let address = numeric.parse().map(UiAddress::At);
    address.map_err(|_| "expected an address such as 127.0.0.1:4040, or a port".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_a_port() {
        let at = |text: &str| Ok(UiAddress::At(text.parse().unwrap()));
        assert_eq!(address(""), Ok(UiAddress::Near(DEFAULT)));
        assert_eq!(address("4041"), at("127.0.0.1:4041"));
        assert_eq!(address("localhost:0"), at("127.0.0.1:0"));
        assert_eq!(address("0.0.0.0:80"), at("0.0.0.0:80"));
        assert_eq!(address("[::1]:80"), at("[::1]:80"));
        for wrong in ["70000", "host:80", "127.0.0.1", "localhost"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
