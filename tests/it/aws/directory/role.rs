//! Roles: who may assume them, and for how long.

use super::Caller;

/// A role of an account.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) account: String,
    pub(crate) name: String,
    /// Who may assume it: accounts by number; users, roles and sessions by ARN.
    pub(crate) trusted: Vec<String>,
    /// The external id that callers must pass.
    pub(crate) external_id: Option<String>,
    /// The token of an identity provider that may assume it without a signature.
    pub(crate) web_identity_token: Option<String>,
    pub(crate) max_session_seconds: u64,
    /// Lifetime of sessions, overriding the request.
    pub(crate) session_millis: Option<u64>,
}

impl Role {
    /// A role that trusts nobody.
    pub(crate) fn new(account: &str, name: &str) -> Self {
        Self {
            account: account.to_owned(),
            name: name.to_owned(),
            trusted: Vec::new(),
            external_id: None,
            web_identity_token: None,
            max_session_seconds: 3_600,
            session_millis: None,
        }
    }

    pub(crate) fn trusting(mut self, principal: &str) -> Self {
        self.trusted.push(principal.to_owned());
        self
    }

    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:iam::{}:role/{}", self.account, self.name)
    }

    /// Whether `caller` may assume it with `external_id`.
    pub(in crate::aws) fn trusts(&self, caller: &Caller, external_id: Option<&str>) -> bool {
        let principals = [
            Some(&caller.account),
            Some(&caller.arn),
            caller.role.as_ref(),
        ];
        let trusted = principals
            .into_iter()
            .flatten()
            .any(|principal| self.trusted.contains(principal));
        let wanted = self.external_id.as_deref();
        trusted && wanted.is_none_or(|wanted| external_id == Some(wanted))
    }
}
