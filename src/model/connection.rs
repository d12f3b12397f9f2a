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

/// Credentials that stand in the options of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StaticCredentials {
    /// Access key id.
    pub access_key_id: Secret,
    /// Secret access key.
    pub secret_key: Secret,
    /// Token of temporary credentials.
    pub session_token: Option<Secret>,
}

/// Where the service is and who asks; what is `None` comes from the environment, as with every
/// AWS tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ConnectionSettings {
    /// An endpoint instead of the region's public one.
    pub endpoint_url: Option<String>,
    /// The region to sign for.
    pub region: Option<String>,
    /// Credentials instead of the default chain.
    pub credentials: Option<StaticCredentials>,
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
            credentials: Some(StaticCredentials {
                access_key_id: Secret::new("AKIACANARY"),
                secret_key: Secret::new("canary-secret"),
                session_token: Some(Secret::new("canary-token")),
            }),
            ..ConnectionSettings::default()
        };
        let text = format!("{settings:?} {settings:#?}");
        assert!(!text.to_lowercase().contains("canary"), "{text}");
    }
}
