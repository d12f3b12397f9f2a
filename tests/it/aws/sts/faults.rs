//! Faults that tests inject.

use std::sync::Mutex;

use hyper::StatusCode;
use tokio::sync::watch;

use super::answers::Failure;

#[derive(Debug, Default)]
pub(super) struct Faults {
    ordered: Mutex<Ordered>,
    hanging: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Ordered {
    throttled: u32,
    failing: u32,
    down: bool,
}

impl Faults {
    pub(super) fn throttle_next(&self, count: u32) {
        self.ordered.lock().unwrap().throttled = count;
    }

    pub(super) fn fail_next(&self, count: u32) {
        self.ordered.lock().unwrap().failing = count;
    }

    pub(super) fn down(&self, down: bool) {
        self.ordered.lock().unwrap().down = down;
    }

    pub(super) fn hang(&self, hang: bool) {
        self.hanging.send_replace(hang);
    }

    /// How the next call fails, if it does.
    pub(super) async fn next(&self) -> Result<(), Failure> {
        let mut hanging = self.hanging.subscribe();
        hanging.wait_for(|hanging| !hanging).await.unwrap();
        self.ordered.lock().unwrap().next()
    }
}

impl Ordered {
    fn next(&mut self) -> Result<(), Failure> {
        if self.down {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let words = "The service is unavailable.";
            return Err(Failure::new(status, "ServiceUnavailable", words));
        }
        if self.throttled > 0 {
            self.throttled -= 1;
            let status = StatusCode::BAD_REQUEST;
            return Err(Failure::new(status, "Throttling", "Rate exceeded"));
        }
        if self.failing > 0 {
            self.failing -= 1;
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            let words = "The request processing has failed because of an unknown error.";
            return Err(Failure::new(status, "InternalFailure", words));
        }
        Ok(())
    }
}
