//! Options of who asks: once for the stream, once for the DynamoDB table of the offsets.

use std::ops::RangeInclusive;

use super::put;
use crate::model::Secret;
use crate::options::spec::{OptionSpec, Role};
use crate::options::value::{self, Parsed};

/// How long a session can live, in seconds (STS API reference, AssumeRole, `DurationSeconds`).
const SESSION_SECONDS: RangeInclusive<u64> = 900..=43_200;

fn secret(text: &str) -> Parsed<Option<Secret>> {
    value::text(text).map(Secret::new).map(Some)
}

/// The rows whose names begin with `$prefix`, and which fill `$slot` of the draft.
macro_rules! rows {
    ($prefix:literal, $slot:ident, $role:expr, $intro:literal) => {
        &[
            OptionSpec::new(
                concat!($prefix, "awsAccessKeyId"),
                $role,
                None,
                concat!($intro, "Access key id, together with the secret key."),
                |draft, text| put(&mut draft.$slot.access_key_id, secret(text)),
            )
            .secret(),
            OptionSpec::new(
                concat!($prefix, "awsSecretKey"),
                $role,
                None,
                concat!($intro, "Secret access key."),
                |draft, text| put(&mut draft.$slot.secret_key, secret(text)),
            )
            .secret(),
            OptionSpec::new(
                concat!($prefix, "sessionToken"),
                $role,
                None,
                concat!($intro, "Token of temporary credentials, with the two keys."),
                |draft, text| put(&mut draft.$slot.session_token, secret(text)),
            )
            .secret(),
            OptionSpec::new(
                concat!($prefix, "awsProfile"),
                $role,
                None,
                concat!($intro, "Profile of `~/.aws/config` and `~/.aws/credentials`, instead of keys."),
                |draft, text| put(&mut draft.$slot.profile, value::text(text).map(Some)),
            ),
            OptionSpec::new(
                concat!($prefix, "credentialProviderClass"),
                $role,
                None,
                concat!($intro, "Name of a provider that the program has registered with `CredentialProviders::register`, instead of keys."),
                |draft, text| put(&mut draft.$slot.provider, value::text(text).map(Some)),
            ),
            OptionSpec::new(
                concat!($prefix, "credentialProviderParam"),
                $role,
                None,
                concat!($intro, "What that provider is given."),
                |draft, text| put(&mut draft.$slot.provider_param, secret(text)),
            )
            .secret(),
            OptionSpec::new(
                concat!($prefix, "stsRoleArn"),
                $role,
                None,
                concat!($intro, "ARN of a role to assume, by whoever the other options or the environment name. Several, separated by commas, are assumed one after the other."),
                |draft, text| put(&mut draft.$slot.roles, value::roles(text)),
            ),
            OptionSpec::new(
                concat!($prefix, "stsSessionName"),
                $role,
                None,
                concat!($intro, "What the sessions of the role are called; `datafusion-kinesis` when not given."),
                |draft, text| put(&mut draft.$slot.session_name, value::session_name(text).map(Some)),
            ),
            OptionSpec::new(
                concat!($prefix, "stsEndpointUrl"),
                $role,
                None,
                concat!($intro, "Endpoint of STS instead of the region's."),
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
                concat!($intro, "External id that the role, the last of several, asks for."),
                |draft, text| put(&mut draft.$slot.external_id, value::external_id(text).map(Secret::new).map(Some)),
            )
            .secret(),
            OptionSpec::new(
                concat!($prefix, "stsSessionDurationSec"),
                $role,
                None,
                concat!($intro, "How long a session lives, in seconds, 900 to 43200, or 3600 where several roles are assumed; 3600 when not given. Sessions are renewed before they end."),
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
