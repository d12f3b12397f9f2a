//! Opens the store of a URL. Nothing is sent yet.

use std::sync::Arc;

use object_store::ObjectStore;
use url::Url;

use super::location::{EXPECTED, host, wrong};
use super::memory;
use super::requests::CountRequests;
#[cfg(feature = "aws")]
use super::s3_client::{DefaultAccess, DefaultConnector, DefaultCredentials};
use crate::error::Result;

/// Settings of an object store by the names of their environment variables, such as `aws_endpoint`. They take
/// precedence over the environment.
pub(crate) type Settings = [(&'static str, String)];

/// How to open a store.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    /// What errors call the location.
    pub(crate) what: &'static str,
    #[cfg_attr(
        not(any(feature = "aws", feature = "gcp", feature = "azure")),
        expect(dead_code, reason = "the stores of this build have no settings")
    )]
    pub(crate) settings: &'a Settings,
    /// Whether the store repeats requests that fail. Otherwise its user does.
    #[cfg_attr(
        not(any(feature = "aws", feature = "gcp", feature = "azure")),
        expect(dead_code, reason = "the stores of this build have no choice")
    )]
    pub(crate) retries: bool,
    #[cfg_attr(
        not(feature = "aws"),
        expect(dead_code, reason = "only requests to S3 are counted")
    )]
    pub(crate) counter: Arc<dyn CountRequests>,
}

impl Opening<'_> {
    /// The store of `url`, whose path is that of an object in it.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::ErrorKind::InvalidOption) for an invalid URL or environment;
    /// [`Unsupported`](crate::ErrorKind::Unsupported) with the missing feature.
    pub(crate) fn store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let name = host(self.what, url)?;
        match url.scheme() {
            "memory" => Ok(memory::named(name)),
            "s3" | "s3a" => self.amazon(url),
            "gs" => self.google(url),
            "az" | "abfs" | "abfss" => self.microsoft(url),
            "hdfs" => self.hadoop(url),
            _ => Err(wrong(self.what, url, EXPECTED)),
        }
    }

    #[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
    fn retry(&self) -> object_store::RetryConfig {
        let default = object_store::RetryConfig::default();
        match self.retries {
            true => default,
            false => object_store::RetryConfig {
                max_retries: 0,
                ..default
            },
        }
    }

    #[cfg(any(feature = "aws", feature = "gcp", feature = "azure", feature = "hdfs"))]
    fn built<S: ObjectStore>(
        &self,
        url: &Url,
        store: object_store::Result<S>,
    ) -> Result<Arc<dyn ObjectStore>> {
        match store {
            Ok(store) => Ok(Arc::new(store)),
            Err(error) => {
                let reason = error.to_string();
                Err(wrong(self.what, url, &reason).with_source(error))
            }
        }
    }

    /// The settings that the store has.
    #[cfg(any(feature = "aws", feature = "gcp", feature = "azure"))]
    fn known<Key: std::str::FromStr>(&self) -> impl Iterator<Item = (Key, String)> {
        let known = |(name, value): &(&str, String)| Some((name.parse().ok()?, value.clone()));
        self.settings.iter().filter_map(known)
    }

    #[cfg(feature = "aws")]
    fn amazon(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let builder = object_store::aws::AmazonS3Builder::from_env();
        let access = DefaultAccess::new();
        let builder = builder
            .with_url(url.as_str())
            .with_retry(self.retry())
            .with_http_connector(DefaultConnector {
                access: Arc::clone(&access),
                counter: Arc::clone(&self.counter),
            });
        let builder = self.known().fold(builder, |builder, (key, value)| {
            builder.with_config(key, value)
        });
        let mut settings = self.settings.iter();
        let builder = match settings.any(|(name, _)| *name == "aws_access_key_id") {
            true => builder,
            false => builder.with_credentials(Arc::new(DefaultCredentials(access))),
        };
        self.built(url, builder.build())
    }

    #[cfg(not(feature = "aws"))]
    fn amazon(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        Err(not_built_in(self.what, url, "aws"))
    }

    #[cfg(feature = "gcp")]
    fn google(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let builder = object_store::gcp::GoogleCloudStorageBuilder::from_env();
        let builder = builder.with_url(url.as_str()).with_retry(self.retry());
        let builder = self.known().fold(builder, |builder, (key, value)| {
            builder.with_config(key, value)
        });
        self.built(url, builder.build())
    }

    #[cfg(not(feature = "gcp"))]
    fn google(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        Err(not_built_in(self.what, url, "gcp"))
    }

    #[cfg(feature = "azure")]
    fn microsoft(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let builder = object_store::azure::MicrosoftAzureBuilder::from_env();
        let builder = builder.with_url(url.as_str()).with_retry(self.retry());
        let builder = self.known().fold(builder, |builder, (key, value)| {
            builder.with_config(key, value)
        });
        self.built(url, builder.build())
    }

    #[cfg(not(feature = "azure"))]
    fn microsoft(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        Err(not_built_in(self.what, url, "azure"))
    }

    #[cfg(feature = "hdfs")]
    fn hadoop(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let builder = hdfs_native_object_store::HdfsObjectStoreBuilder::new();
        self.built(url, builder.with_url(url.as_str()).build())
    }

    #[cfg(not(feature = "hdfs"))]
    fn hadoop(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        Err(not_built_in(self.what, url, "hdfs"))
    }
}

/// The error for a store that this build lacks.
#[cfg(not(all(feature = "aws", feature = "gcp", feature = "azure", feature = "hdfs")))]
pub(crate) fn not_built_in(what: &str, url: &Url, feature: &str) -> crate::error::Error {
    let scheme = url.scheme();
    crate::error::Error::unsupported(format!(
        "{what} '{scheme}://…': this build does not support {scheme}://; build with the cargo feature '{feature}'"
    ))
}
