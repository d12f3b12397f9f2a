//! A session whose tables live on a server.

use datafusion::prelude::SessionContext;
use datafusion_kinesis::model::{
    ConnectionSettings, CredentialSettings, Secret, StaticCredentials,
};
use datafusion_kinesis::{Services, register_with};

use crate::support::Server;

pub(crate) fn session(server: &Server) -> SessionContext {
    let ctx = SessionContext::new();
    let key = || Secret::new("bench");
    let defaults = ConnectionSettings {
        endpoint_url: Some(server.url.clone()),
        region: Some("us-east-1".to_owned()),
        credentials: CredentialSettings::keys(StaticCredentials {
            access_key_id: key(),
            secret_key: key(),
            session_token: None,
        }),
        ..ConnectionSettings::default()
    };
    register_with(&ctx, Services::sdk(defaults));
    ctx
}
