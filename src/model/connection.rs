//! How to reach the service, as plain data.

use std::fmt;
use std::time::Duration;

/// Text that cannot be printed: `Debug` shows stars, and there is no `Display`.
///
/// ```compile_fail
/// let secret = datafusion_kinesis::model::Secret::new("k3y");
/// println!("{secret}");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for whoever signs requests with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An access key that is written down, with the token of temporary credentials.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StaticCredentials {
    /// Access key id.
    pub access_key_id: Secret,
    /// Secret access key.
    pub secret_key: Secret,
    /// Token of temporary credentials.
    pub session_token: Option<Secret>,
}

/// Who asks at first, before any role is assumed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BaseCredentials {
    /// An access key.
    Static(StaticCredentials),
    /// A profile of the files that AWS tools share, by its name.
    Profile(String),
    /// A provider of one's own.
    Provider {
        /// The name it was registered by.
        name: String,
        /// What it is given.
        param: Option<Secret>,
    },
}

/// Roles to assume, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoleSettings {
    /// Their ARNs, at least one: each is assumed by the one before it, the first by the base.
    pub chain: Vec<String>,
    /// What their sessions are called.
    pub session_name: String,
    /// What the last role asks for besides.
    pub external_id: Option<Secret>,
    /// How long a session of the last role lives.
    pub session_length: Duration,
    /// An endpoint instead of that of the region.
    pub endpoint_url: Option<String>,
}

impl RoleSettings {
    /// What sessions are called where nothing is said.
    pub const SESSION_NAME: &'static str = "datafusion-kinesis";

    /// How long a session lives where nothing is said (STS API reference, AssumeRole,
    /// `DurationSeconds`); also the longest of a role that was assumed by another.
    pub const SESSION_LENGTH: Duration = Duration::from_secs(3_600);
}

/// Who asks; what is `None` comes from the environment, as with every AWS tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CredentialSettings {
    /// Credentials instead of the default chain.
    pub base: Option<BaseCredentials>,
    /// Roles that they assume.
    pub role: Option<RoleSettings>,
}

impl CredentialSettings {
    /// This access key, and no role.
    pub fn keys(keys: StaticCredentials) -> Self {
        Self {
            base: Some(BaseCredentials::Static(keys)),
            role: None,
        }
    }

    /// What is not said here, by `defaults`: all of them where nothing is said, their base where only a
    /// role is.
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

/// Where the service is and who asks; what is `None` comes from the environment, as with every
/// AWS tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConnectionSettings {
    /// An endpoint instead of the region's public one.
    pub endpoint_url: Option<String>,
    /// The region to sign for.
    pub region: Option<String>,
    /// Credentials, and roles to assume.
    pub credentials: CredentialSettings,
    /// Whether an endpoint beyond this machine may be reached without encryption.
    pub allow_http: bool,
    /// A proxy instead of those that the environment names.
    pub proxy: Option<ProxySettings>,
}

/// A proxy that options name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxySettings {
    /// `http://host:port` or `https://host:port`.
    pub url: String,
    /// Whom the proxy lets through, where it asks.
    pub login: Option<ProxyLogin>,
}

/// A user of a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyLogin {
    /// Name of the user.
    pub username: String,
    /// Password of the user.
    pub password: Secret,
}

/// How often and how patiently a request is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Repeats after the first try; a success starts the count anew.
    pub max_retries: u32,
    /// The wait before the first repeat; each later one doubles it.
    pub first_interval: Duration,
    /// The longest wait.
    pub max_interval: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_shows_in_debug() {
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
    fn a_role_without_a_base_is_assumed_by_the_default_one() {
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
