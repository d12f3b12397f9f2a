//! Permissions: every action within the own account, except those that a test denies.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::Value;

use crate::aws::directory::Caller;

/// Principals by ARN, with the actions denied to them.
#[derive(Debug, Default)]
pub(super) struct Permissions(Mutex<BTreeSet<(String, String)>>);

impl Permissions {
    pub(super) fn deny(&self, principal: &str, action: &str) {
        let denial = (principal.to_owned(), action.to_owned());
        self.0.lock().unwrap().insert(denial);
    }

    pub(super) fn allow(&self, principal: &str, action: &str) {
        let denial = (principal.to_owned(), action.to_owned());
        self.0.lock().unwrap().remove(&denial);
    }

    /// Returns the message of AWS if the action is denied.
    pub(super) fn check(
        &self,
        caller: &Caller,
        region: &str,
        action: &str,
        body: &[u8],
    ) -> Result<(), String> {
        let action = format!("kinesis:{action}");
        let resource = resource(caller, region, body);
        // Streams have no resource policies here, so other accounts have no access.
        let foreign = resource.split(':').nth(4);
        let foreign = foreign.is_some_and(|account| account != caller.account);
        let denied = [Some(&caller.arn), caller.role.as_ref()]
            .into_iter()
            .flatten()
            .any(|principal| {
                let denial = (principal.clone(), action.clone());
                self.0.lock().unwrap().contains(&denial)
            });
        let policy = match (denied, foreign) {
            (false, false) => return Ok(()),
            (true, _) => "identity-based",
            (false, true) => "resource-based",
        };
        let who = &caller.arn;
        Err(format!(
            "User: {who} is not authorized to perform: {action} on resource: {resource} because \
             no {policy} policy allows the {action} action"
        ))
    }
}

/// The ARN of the stream that a request names, or `*`.
fn resource(caller: &Caller, region: &str, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(arn) = body["StreamARN"].as_str() {
        return arn.to_owned();
    }
    let account = &caller.account;
    body["StreamName"].as_str().map_or_else(
        || "*".to_owned(),
        |name| format!("arn:aws:kinesis:{region}:{account}:stream/{name}"),
    )
}
