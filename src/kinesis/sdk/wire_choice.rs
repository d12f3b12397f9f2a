//! Which format the requests of a client have.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::kinesis::wire::Format;
use crate::model::{WireFormat, is_aws_host};

/// The format of requests, which changes once if the server refuses CBOR.
#[derive(Debug)]
pub(super) struct WireChoice {
    is_cbor: AtomicBool,
    falls_back: bool,
}

impl WireChoice {
    /// The choice for a client of `endpoint`, or of AWS if there is none. A put in CBOR could be garbled silently by a
    /// server that does not know it.
    pub(super) fn new(format: WireFormat, endpoint: Option<&str>) -> Self {
        let is_cbor = match format {
            WireFormat::Auto => endpoint.is_none_or(is_aws_host),
            WireFormat::Json => false,
            WireFormat::Cbor => true,
        };
        Self {
            is_cbor: AtomicBool::new(is_cbor),
            falls_back: format == WireFormat::Auto,
        }
    }

    /// The format of the next request.
    pub(super) fn format(&self) -> Format {
        match self.is_cbor.load(Ordering::Relaxed) {
            true => Format::Cbor,
            false => Format::Json,
        }
    }

    /// What a refusal of a request in `format` means for CBOR. Changes to JSON if the settings allow it: nothing was
    /// done, so a retry in JSON is safe.
    pub(super) fn refused(&self, format: Format, status: Option<u16>, code: &str) -> Refused {
        const CODES: [&str; 2] = ["SerializationException", "UnknownOperationException"];
        let is_unknown = matches!(status, Some(404 | 415)) || CODES.contains(&code);
        if format != Format::Cbor || !is_unknown {
            return Refused::ForAnotherReason;
        }
        if !self.falls_back {
            return Refused::CborOfTheOptions;
        }
        self.is_cbor.store(false, Ordering::Relaxed);
        Refused::CborOnce
    }
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Not because of CBOR.
    ForAnotherReason,
    /// The server, or something on the way to it, does not know CBOR. Further requests are in JSON.
    CborOnce,
    /// As before, but the options demand CBOR.
    CborOfTheOptions,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_aws_get_cbor_and_others_json() {
        let vpc = "https://vpce-1-2.kinesis.eu-west-1.vpce.amazonaws.com";
        for (endpoint, expected) in [
            (None, Format::Cbor),
            (Some(vpc), Format::Cbor),
            (Some("http://localhost:4567"), Format::Json),
        ] {
            assert_eq!(
                WireChoice::new(WireFormat::Auto, endpoint).format(),
                expected
            );
            assert_eq!(
                WireChoice::new(WireFormat::Json, endpoint).format(),
                Format::Json
            );
            assert_eq!(
                WireChoice::new(WireFormat::Cbor, endpoint).format(),
                Format::Cbor
            );
        }
    }

    #[test]
    fn a_server_that_does_not_know_cbor_gets_json_from_then_on() {
        for (status, code) in [
            (Some(415), "HTTP 415"),
            (Some(404), "UnknownOperationException"),
            (Some(400), "SerializationException"),
        ] {
            let choice = WireChoice::new(WireFormat::Auto, None);
            for (status, code) in [(Some(400), "ResourceNotFoundException"), (None, "Timeout")] {
                let refused = choice.refused(Format::Cbor, status, code);
                assert_eq!(refused, Refused::ForAnotherReason);
            }
            assert_eq!(choice.format(), Format::Cbor);
            assert_eq!(
                choice.refused(Format::Cbor, status, code),
                Refused::CborOnce
            );
            assert_eq!(choice.format(), Format::Json);
            // A request that was in flight at the time is retried, too; one in JSON fails.
            assert_eq!(
                choice.refused(Format::Cbor, status, code),
                Refused::CborOnce
            );
            let in_json = choice.refused(Format::Json, status, code);
            assert_eq!(in_json, Refused::ForAnotherReason);
        }
        let forced = WireChoice::new(WireFormat::Cbor, None);
        let refused = forced.refused(Format::Cbor, Some(415), "");
        assert_eq!(refused, Refused::CborOfTheOptions);
        assert_eq!(forced.format(), Format::Cbor);
    }
}
