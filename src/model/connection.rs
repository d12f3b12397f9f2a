//! Connection settings: endpoint, region, credentials, proxy, retry policy.

use std::fmt;
use std::time::Duration;

/// Text that is never printed: `Debug` shows `***`, and `Display` is not implemented.
///
/// ```compile_fail
/// let secret = datafusion_kinesis::model::Secret::new("k3y");
/// println!("{secret}");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for signing requests.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An access key, with a session token if it is temporary.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StaticCredentials {
    /// Access key id.
    pub access_key_id: Secret,
    /// Secret access key.
    pub secret_key: Secret,
    /// Session token of temporary credentials.
    pub session_token: Option<Secret>,
}

/// The credentials used directly or to assume the first role.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BaseCredentials {
    /// An access key.
    Static(StaticCredentials),
    /// A profile of the shared AWS configuration files, by name.
    Profile(String),
    /// A credential provider registered by the program.
    Provider {
        /// The name it was registered under.
        name: String,
        /// The parameter passed to it.
        param: Option<Secret>,
    },
}

/// Roles to assume in sequence.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RoleSettings {
    /// The role ARNs, at least one. Each role is assumed by the previous one, the first by the base
    /// credentials.
    pub chain: Vec<String>,
    /// The name of the sessions.
    pub session_name: String,
    /// The external id that the last role requires.
    pub external_id: Option<Secret>,
    /// How long a session of the last role is valid.
    pub session_length: Duration,
    /// An STS endpoint instead of the region's.
    pub endpoint_url: Option<String>,
}

impl RoleSettings {
    /// The default session name.
    pub const SESSION_NAME: &'static str = "datafusion-kinesis";

    /// The default session length (STS API reference, AssumeRole, `DurationSeconds`). It is also
    /// the maximum for a role assumed by another role.
    pub const SESSION_LENGTH: Duration = Duration::from_secs(3_600);

    /// Assumes the roles of `chain`, given by ARN, one after the other, with default sessions.
    pub fn new(chain: Vec<String>) -> Self {
        Self {
            chain,
            session_name: Self::SESSION_NAME.to_owned(),
            external_id: None,
            session_length: Self::SESSION_LENGTH,
            endpoint_url: None,
        }
    }
}

/// The credentials to call AWS with. `None` means the default of the environment, as in all AWS tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CredentialSettings {
    /// Credentials instead of the default provider chain.
    pub base: Option<BaseCredentials>,
    /// Roles to assume with them.
    pub role: Option<RoleSettings>,
}

impl CredentialSettings {
    /// An access key without a role.
    pub fn keys(keys: StaticCredentials) -> Self {
        Self {
            base: Some(BaseCredentials::Static(keys)),
            role: None,
        }
    }

    /// Fills in unset values from `defaults`: everything if nothing is set, the base if only a role is set.
    #[must_use]
    pub fn or(&self, defaults: &Self) -> Self {
        if self.base.is_some() {
            return self.clone();
        }
        let role = self.role.as_ref().or(defaults.role.as_ref());
        Self {
            base: defaults.base.clone(),
            role: role.cloned(),
        }
    }
}

/// Where the service is and which credentials to use. `None` means the default of the environment,
/// as in all AWS tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ConnectionSettings {
    /// An endpoint instead of the region's public one.
    pub endpoint_url: Option<String>,
    /// The region to sign requests for.
    pub region: Option<String>,
    /// Credentials and roles to assume.
    pub credentials: CredentialSettings,
    /// Whether unencrypted endpoints on other hosts are allowed.
    pub allow_http: bool,
    /// A proxy instead of those configured in the environment.
    pub proxy: Option<ProxySettings>,
    /// The format of the requests that carry records.
    pub wire_format: WireFormat,
}

/// The format of GetRecords and PutRecords.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WireFormat {
    /// CBOR at endpoints of AWS, unless a server refuses it, and JSON elsewhere.
    #[default]
    Auto,
    /// JSON, which all servers speak.
    Json,
    /// CBOR, which is a quarter smaller. Not every emulator speaks it.
    Cbor,
}

impl ConnectionSettings {
    /// Sets [`endpoint_url`](Self::endpoint_url).
    #[must_use]
    pub fn with_endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint_url = Some(url.into());
        self
    }

    /// Sets [`region`](Self::region).
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Sets [`credentials`](Self::credentials).
    #[must_use]
    pub fn with_credentials(mut self, credentials: CredentialSettings) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets [`wire_format`](Self::wire_format).
    #[must_use]
    pub fn with_wire_format(mut self, format: WireFormat) -> Self {
        self.wire_format = format;
        self
    }
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ProxySettings {
    /// `http://host:port` or `https://host:port`.
    pub url: String,
    /// The login, if the proxy requires one.
    pub login: Option<ProxyLogin>,
}

impl ProxySettings {
    /// The proxy at `url`, without a login.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            login: None,
        }
    }
}

/// The login of a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyLogin {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// How failed requests are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The most consecutive retries after the first attempt; a success resets the count.
    pub max_retries: u32,
    /// The wait before the first retry; it doubles with each further one.
    pub first_interval: Duration,
    /// The longest wait.
    pub max_interval: Duration,
}

impl RetryPolicy {
    /// Retries up to `max_retries` times, after `first_interval` at first and at most `max_interval` later.
    pub const fn new(max_retries: u32, first_interval: Duration, max_interval: Duration) -> Self {
        Self {
            max_retries,
            first_interval,
            max_interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_secret() {
        let settings = ConnectionSettings {
            credentials: CredentialSettings {
                role: Some(role()),
                ..CredentialSettings::keys(StaticCredentials {
                    access_key_id: Secret::new("AKIACANARY"),
                    secret_key: Secret::new("canary-secret"),
                    session_token: Some(Secret::new("canary-token")),
                })
            },
            ..ConnectionSettings::default()
        };
        let provider = BaseCredentials::Provider {
            name: "vault".to_owned(),
            param: Some(Secret::new("canary-param")),
        };
        let text = format!("{settings:?} {settings:#?} {provider:?}");
        assert!(!text.to_lowercase().contains("canary"), "{text}");
    }

    fn role() -> RoleSettings {
        RoleSettings {
            chain: vec!["arn:aws:iam::111122223333:role/reader".to_owned()],
            session_name: RoleSettings::SESSION_NAME.to_owned(),
            external_id: Some(Secret::new("canary-id")),
            session_length: RoleSettings::SESSION_LENGTH,
            endpoint_url: None,
        }
    }

    #[test]
    fn a_role_without_base_credentials_uses_the_default_base() {
        let base = |name: &str| Some(BaseCredentials::Profile(name.to_owned()));
        let defaults = CredentialSettings {
            base: base("default"),
            role: Some(role()),
        };
        assert_eq!(CredentialSettings::default().or(&defaults), defaults);
        let own = RoleSettings {
            session_name: "own".to_owned(),
            ..role()
        };
        let only_a_role = CredentialSettings {
            base: None,
            role: Some(own.clone()),
        };
        let both = CredentialSettings {
            base: base("default"),
            role: Some(own),
        };
        assert_eq!(only_a_role.or(&defaults), both);
        let only_a_base = CredentialSettings {
            base: base("own"),
            role: None,
        };
        assert_eq!(only_a_base.or(&defaults), only_a_base);
    }
}
