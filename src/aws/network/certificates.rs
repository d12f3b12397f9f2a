//! Loads trusted certificates.

use std::fmt;
use std::fs;

use aws_config::SdkConfig;
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use aws_types::service_config::ServiceConfigKey;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::{Error, Result};

/// The variable that AWS tools read, and the equivalent profile setting.
const VARIABLE: &str = "AWS_CA_BUNDLE";
const SETTING: &str = "ca_bundle";

/// Source of trusted certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(in crate::aws) enum CertificateSource {
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR`, or the system's certificates if they are not set.
    #[default]
    System,
    /// A file, together with `SSL_CERT_FILE` and `SSL_CERT_DIR` but without the system's
    /// certificates.
    Bundle {
        path: String,
        named_by: &'static str,
    },
}

/// Trusted certificates and their source.
#[derive(Debug)]
pub(crate) struct Certificates {
    source: CertificateSource,
    count: usize,
    /// Certificates of a file. The TLS libraries load those of the system themselves.
    bundle: Option<Vec<CertificateDer<'static>>>,
}

impl CertificateSource {
    /// The source set by the environment and the profile of `sdk`.
    pub(in crate::aws) fn of(sdk: &SdkConfig) -> Self {
        let key = ServiceConfigKey::builder()
            .service_id("")
            .env(VARIABLE)
            .profile(SETTING)
            .build()
            .expect("all parts are set");
        let said = sdk.service_config().and_then(|said| said.load_config(key));
        match said.map(|path| path.trim().to_owned()) {
            None => Self::System,
            Some(path) if path.is_empty() => Self::System,
            Some(path) => Self::Bundle {
                path,
                named_by: match std::env::var_os(VARIABLE) {
                    Some(_) => VARIABLE,
                    None => "ca_bundle in the profile",
                },
            },
        }
    }

    /// Loads the certificates.
    ///
    /// # Errors
    /// The file cannot be read, or contains no usable certificate.
    pub(in crate::aws) fn load(&self) -> Result<Certificates> {
        let (path, named_by) = match self {
            Self::System => {
                return Ok(Certificates {
                    source: self.clone(),
                    count: rustls_native_certs::load_native_certs().certs.len(),
                    bundle: None,
                });
            }
            Self::Bundle { path, named_by } => (path, named_by),
        };
        let wrong = |what: &dyn fmt::Display| {
            Error::invalid_option(format!(
                "{named_by} = '{path}': {what}; expected a file with certificates in PEM format"
            ))
        };
        let text = fs::read(path).map_err(|error| wrong(&error).with_source(error))?;
        let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let found = found.map_err(|error| wrong(&error))?;
        let named = match named_variables().is_empty() {
            true => Vec::new(),
            // Loads only what the variables name.
            false => rustls_native_certs::load_native_certs().certs,
        };
        // Skips unusable certificates, as other tools do: bundles contain hundreds.
        let usable =
            |one: &CertificateDer<'static>| RootCertStore::empty().add(one.clone()).is_ok();
        let mut bundle: Vec<_> = found.into_iter().filter(usable).collect();
        if bundle.is_empty() {
            return Err(wrong(&"contains no usable certificate"));
        }
        bundle.extend(named.into_iter().filter(usable));
        // The bundle and the variables often name the same file.
        bundle.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
        bundle.dedup();
        Ok(Certificates {
            source: self.clone(),
            count: bundle.len(),
            bundle: Some(bundle),
        })
    }
}

impl Certificates {
    /// The TLS context for the HTTP client of the SDK.
    pub(in crate::aws) fn tls_context(&self) -> TlsContext {
        let trusted = match &self.bundle {
            Some(bundle) => bundle.iter().fold(TrustStore::empty(), |trusted, one| {
                trusted.with_pem_certificate(pem(one))
            }),
            // The client panics if the system has no certificates.
            None if self.count == 0 => TrustStore::empty(),
            None => TrustStore::default(),
        };
        let context = TlsContext::builder().with_trust_store(trusted).build();
        context.expect("unusable certificates were filtered out")
    }

    /// The certificates of a file; `None` if those of the system are trusted.
    #[cfg(feature = "aws")]
    pub(crate) fn bundle(&self) -> Option<impl Iterator<Item = &[u8]>> {
        let bundle = self.bundle.as_ref()?;
        Some(bundle.iter().map(AsRef::as_ref))
    }

    /// Whether a variable or setting names certificates.
    #[cfg(feature = "cli")]
    pub(crate) fn are_named(&self) -> bool {
        self.source != CertificateSource::System || !named_variables().is_empty()
    }
}

/// The number of certificates and their sources.
impl fmt::Display for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sources = named_variables();
        if let CertificateSource::Bundle { path, named_by } = &self.source {
            sources.insert(0, format!("'{path}' ({named_by})"));
        }
        match sources.as_slice() {
            [] => write!(f, "{} from the system", self.count),
            sources => write!(f, "{} from {}", self.count, sources.join(" and ")),
        }
    }
}

/// OpenSSL's variables that name certificates, with their values.
fn named_variables() -> Vec<String> {
    let names = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter();
    let named = names.filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok()?)));
    named.collect()
}

/// The only format that the HTTP client of the SDK accepts.
fn pem(certificate: &CertificateDer<'_>) -> Vec<u8> {
    let text = base64_simd::STANDARD.encode_to_string(certificate.as_ref());
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").into_bytes()
}
