//! Serves the status page while statements run.

use std::env;

use super::args::{Ui, UiAddress};
use super::console::print_message;
use super::session::Session;
use crate::monitor::StatusServer;
use crate::{Error, Result};

/// The token, unless the arguments have it.
const TOKEN_VARIABLE: &str = "KINESIS_SQL_UI_TOKEN";

/// Starts the page, if the arguments ask for it, and prints its URL.
pub(super) fn start(ui: &Ui, session: &Session) -> Result<Option<StatusServer>> {
    let Some(address) = ui.ui else {
        return Ok(None);
    };
    let mut page = StatusServer::builder(&session.ctx);
    let token = ui.ui_token.clone().map(Ok);
    let token = token.or_else(|| match env::var(TOKEN_VARIABLE) {
        Err(env::VarError::NotPresent) => None,
        token => Some(token),
    });
    if let Some(token) = token {
        page = page.with_token(token.map_err(|_| {
            Error::invalid_option(format!("{TOKEN_VARIABLE} is not UTF-8: expected a token"))
        })?);
    }
    let server = match address {
        UiAddress::At(address) => page.bind(address)?,
        UiAddress::Near(address) => page.bind_near(address)?,
    };
    print_message(&format!("status page on {}", server.url()));
    Ok(Some(server))
}
