//! Credential options, for the stream and for the DynamoDB table of offsets.

use std::ops::RangeInclusive;

use super::put;
use crate::model::Secret;
use crate::options::spec::{OptionSpec, Role};
use crate::options::value::{self, Parsed};

/// The allowed session lengths in seconds (STS API reference, AssumeRole, `DurationSeconds`).
const SESSION_SECONDS: RangeInclusive<u64> = 900..=43_200;

fn secret(text: &str) -> Parsed<Option<Secret>> {
    value::text(text).map(Secret::new).map(Some)
}

/// The options whose names start with `$prefix`; they set field `$slot` of the draft.
macro_rules! rows {
    ($prefix:literal, $slot:ident, $role:expr, $intro:literal) => {
        &[
            OptionSpec::new(
                concat!($prefix, "awsAccessKeyId"),
                $role,
                None,
                concat!($intro, "Access key id. Requires the secret key."),
                |draft, text| put(&mut draft.$slot.access_key_id, secret(text)),
            )
            .secret(),
            OptionSpec::new(
                concat!($prefix, "awsSecretKey"),
                $role,
                None,
                concat!($intro, "Secret access key. Requires the access key id."),
                |draft, text| put(&mut draft.$slot.secret_key, secret(text)),
            )
            .secret(),
            OptionSpec::new(
                concat!($prefix, "sessionToken"),
                $role,
                None,
                concat!($intro, "Session token of temporary credentials. Requires both keys."),
                |draft, text| put(&mut draft.$slot.session_token, secret(text)),
            )
            .secret(),
            OptionSpec::new(
                concat!($prefix, "awsProfile"),
                $role,
                None,
                concat!($intro, "Profile in `~/.aws/config` and `~/.aws/credentials`, instead of keys."),
                |draft, text| put(&mut draft.$slot.profile, value::text(text).map(Some)),
            ),
            OptionSpec::new(
                concat!($prefix, "credentialProviderClass"),
                $role,
                None,
                concat!($intro, "Name of a credential provider that the program registered with `CredentialProviders::register`, instead of keys."),
                |draft, text| put(&mut draft.$slot.provider, value::text(text).map(Some)),
            ),
            OptionSpec::new(
                concat!($prefix, "credentialProviderParam"),
                $role,
                None,
                concat!($intro, "Parameter that is passed to that provider."),
                |draft, text| put(&mut draft.$slot.provider_param, secret(text)),
            )
            .secret(),
            OptionSpec::new(
                concat!($prefix, "stsRoleArn"),
                $role,
                None,
                concat!($intro, "ARN of a role to assume with the credentials from the other options or the environment. Several ARNs, separated by commas, are assumed in sequence."),
                |draft, text| put(&mut draft.$slot.roles, value::roles(text)),
            ),
            OptionSpec::new(
                concat!($prefix, "stsSessionName"),
                $role,
                None,
                concat!($intro, "Name of the role sessions. Without it: `datafusion-kinesis`."),
                |draft, text| put(&mut draft.$slot.session_name, value::session_name(text).map(Some)),
            ),
            OptionSpec::new(
                concat!($prefix, "stsEndpointUrl"),
                $role,
                None,
                concat!($intro, "STS endpoint URL instead of the region's public endpoint."),
                |draft, text| {
                    put(
                        &mut draft.$slot.sts_endpoint_url,
                        value::endpoint_url(text, "sts").map(Some),
                    )
                },
            ),
            OptionSpec::new(
                concat!($prefix, "stsExternalId"),
                $role,
                None,
                concat!($intro, "External id that the role requires. With several roles, it applies to the last one."),
                |draft, text| put(&mut draft.$slot.external_id, value::external_id(text).map(Secret::new).map(Some)),
            )
            .secret(),
            OptionSpec::new(
                concat!($prefix, "stsSessionDurationSec"),
                $role,
                None,
                concat!($intro, "Length of a role session in seconds, 900 to 43200, or to 3600 if several roles are assumed. Without it: 3600. Sessions are renewed before they expire."),
                |draft, text| {
                    put(
                        &mut draft.$slot.session_length,
                        value::seconds(text, &SESSION_SECONDS).map(Some),
                    )
                },
            ),
        ]
    };
}

pub(super) const ROWS: &[OptionSpec] = rows!("kinesis.", credentials, Role::Table, "");

pub(super) const DYNAMODB_ROWS: &[OptionSpec] = rows!(
    "kinesis.dynamodb.",
    dynamodb_credentials,
    Role::Source,
    "For the DynamoDB table: "
);
