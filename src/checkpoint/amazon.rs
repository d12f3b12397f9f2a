//! Credentials of S3, from the places where those of a stream are looked for when nothing is said.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::aws::AwsCredential;
use object_store::{CredentialProvider, Error as Store, Result as StoreResult};
use tokio::sync::OnceCell;

use crate::aws::{AwsAccess, Identity};
use crate::error::Error;
use crate::model::{ConnectionSettings, Secret};

/// The default chain, asked anew only when what it gave ends. That of the `object_store` crate reads no
/// profiles.
#[derive(Debug)]
pub(super) struct DefaultCredentials {
    access: AwsAccess,
    identity: OnceCell<Identity>,
}

impl DefaultCredentials {
    pub(super) fn new() -> Self {
        Self {
            access: AwsAccess::new(),
            identity: OnceCell::new(),
        }
    }

    async fn identity(&self) -> StoreResult<&Identity> {
        let settings = ConnectionSettings {
            // Whether the endpoint of the store may be http:// is for its own settings to say.
            allow_http: true,
            ..ConnectionSettings::default()
        };
        let made = self.identity.get_or_try_init(async || {
            let access = self.access.of(&settings).await?;
            Ok::<_, Error>(access.identity)
        });
        made.await.map_err(|error| Store::Generic {
            store: "S3",
            source: Box::new(error),
        })
    }
}

#[async_trait]
impl CredentialProvider for DefaultCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> StoreResult<Arc<AwsCredential>> {
        let keys = self.identity().await?.keys().await;
        let keys = keys.map_err(|trouble| match trouble.passing {
            true => Store::Generic {
                store: "S3",
                source: Box::new(trouble),
            },
            false => Store::Unauthenticated {
                path: String::new(),
                source: Box::new(trouble),
            },
        })?;
        Ok(Arc::new(AwsCredential {
            key_id: keys.access_key_id.reveal().to_owned(),
            secret_key: keys.secret_key.reveal().to_owned(),
            token: keys
                .session_token
                .as_ref()
                .map(Secret::reveal)
                .map(str::to_owned),
        }))
    }
}
