//! A session whose tables use a server.

use datafusion::prelude::SessionContext;
use datafusion_kinesis::model::{
    ConnectionSettings, CredentialSettings, Secret, StaticCredentials,
};
use datafusion_kinesis::{Services, register_with};

use crate::support::Server;

pub(crate) fn session(server: &Server) -> SessionContext {
    let ctx = SessionContext::new();
    let key = || Secret::new("bench");
    let keys = CredentialSettings::keys(StaticCredentials {
        access_key_id: key(),
        secret_key: key(),
        session_token: None,
    });
    let defaults = ConnectionSettings::default()
        .with_endpoint_url(&server.url)
        .with_region("us-east-1")
        .with_credentials(keys);
    register_with(&ctx, Services::sdk(defaults));
    ctx
}
