//! A small STS with the Query protocol, which validates requests like STS.

mod actions;
mod answers;
mod faults;
mod form;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use hyper::http::request::Parts;

use self::faults::Faults;
use self::form::Form;
use super::directory::Directory;
use super::http_server::{Answer, Respond, Server};
use super::observed::Observed;
use super::signature::Signature;

/// An STS on its own loopback port. Stops when dropped.
#[derive(Debug)]
pub(crate) struct LocalSts {
    server: Server,
    service: Arc<Service>,
}

#[derive(Debug)]
struct Service {
    directory: Arc<Directory>,
    calls: Observed<Vec<Call>>,
    faults: Faults,
}

/// A request as received, whatever the response was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) action: String,
    pub(crate) role: Option<String>,
    pub(crate) session_name: Option<String>,
    pub(crate) duration_seconds: Option<String>,
    pub(crate) external_id: Option<String>,
    /// The signer and the region; `None` if unsigned.
    pub(crate) access_key_id: Option<String>,
    pub(crate) region: Option<String>,
}

impl LocalSts {
    pub(crate) async fn start(directory: &Arc<Directory>) -> Self {
        let service = Arc::new(Service {
            directory: Arc::clone(directory),
            calls: Observed::new(Vec::new()),
            faults: Faults::default(),
        });
        Self {
            server: Server::start(Arc::clone(&service)).await,
            service,
        }
    }

    pub(crate) fn endpoint_url(&self) -> String {
        self.server.endpoint_url()
    }

    /// The calls of an action, in order.
    pub(crate) fn calls(&self, action: &str) -> Vec<Call> {
        let of_action = |calls: &Vec<Call>| {
            let calls = calls.iter().filter(|call| call.action == action);
            calls.cloned().collect()
        };
        self.service.calls.read(of_action)
    }

    /// The calls that assume a role, in order.
    pub(crate) fn assumed(&self, role: &str) -> Vec<Call> {
        let of_role = |calls: &Vec<Call>| {
            let calls = calls.iter().filter(|call| call.assumes(role));
            calls.cloned().collect()
        };
        self.service.calls.read(of_role)
    }

    /// Waits until at least `count` calls assume a role.
    pub(crate) async fn until_assumed(&self, role: &str, count: usize) {
        let enough = |calls: &Vec<Call>| {
            let calls = calls.iter().filter(|call| call.assumes(role));
            calls.count() >= count
        };
        self.service.calls.until(enough).await;
    }

    /// Throttles the next `count` calls.
    pub(crate) fn throttle_next(&self, count: u32) {
        self.service.faults.throttle_next(count);
    }

    /// Fails the next `count` calls with an internal error.
    pub(crate) fn fail_next(&self, count: u32) {
        self.service.faults.fail_next(count);
    }

    /// Makes the service unavailable, or available again.
    pub(crate) fn down(&self, down: bool) {
        self.service.faults.down(down);
    }

    /// Delays responses until called with `false`.
    pub(crate) fn hang(&self, hang: bool) {
        self.service.faults.hang(hang);
    }
}

impl Call {
    fn of(head: &Parts, form: &Form) -> Self {
        let owned = |name: &str| form.get(name).map(str::to_owned);
        let (access_key_id, region) = Signature::of(head)
            .map(|signature| (signature.access_key_id, signature.region))
            .unzip();
        Self {
            action: owned("Action").unwrap_or_default(),
            role: owned("RoleArn"),
            session_name: owned("RoleSessionName"),
            duration_seconds: owned("DurationSeconds"),
            external_id: owned("ExternalId"),
            access_key_id,
            region,
        }
    }

    fn assumes(&self, role: &str) -> bool {
        self.role.as_deref() == Some(role)
    }
}

impl Respond for Service {
    fn directory(&self) -> &Directory {
        &self.directory
    }

    async fn respond(self: Arc<Self>, head: Parts, body: Bytes) -> io::Result<Answer> {
        let form = Form::parse(&body);
        self.calls.note(|calls| calls.push(Call::of(&head, &form)));
        let fault = self.faults.next().await;
        let answer = fault.and_then(|()| actions::answer(&self.directory, &head, &body, &form));
        Ok(answers::respond(answer))
    }
}
