//! Who may do what: everything within the own account, but for what a test forbids.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::Value;

use crate::aws::directory::Caller;

/// Principals, by ARN, and what each may not do.
#[derive(Debug, Default)]
pub(super) struct Denials(Mutex<BTreeSet<(String, String)>>);

impl Denials {
    pub(super) fn deny(&self, principal: &str, action: &str) {
        let denial = (principal.to_owned(), action.to_owned());
        self.0.lock().unwrap().insert(denial);
    }

    pub(super) fn allow(&self, principal: &str, action: &str) {
        let denial = (principal.to_owned(), action.to_owned());
        self.0.lock().unwrap().remove(&denial);
    }

    /// Refuses in words.
    pub(super) fn check(
        &self,
        caller: &Caller,
        region: &str,
        action: &str,
        body: &[u8],
    ) -> Result<(), String> {
        let action = format!("kinesis:{action}");
        let resource = resource(caller, region, body);
        // The streams here have no policies of their own, which is what other accounts would need.
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

/// The ARN of the stream that a request names, `*` where it names none.
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
