//! A subscription that nobody reads for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::OpenSubscription;

/// How long a subscription is kept unread. After it is dropped, the next one has to wait for five seconds. While it is
/// kept, its unread events take room in the window of its connection, which others share.
const KEPT_UNREAD: Duration = Duration::from_millis(500);

/// A subscription that is dropped unless it is taken in time.
#[derive(Debug)]
pub(super) struct ParkedSubscription {
    open: Arc<Mutex<Option<OpenSubscription>>>,
    dropping: JoinHandle<()>,
}

impl ParkedSubscription {
    pub(super) fn new(open: OpenSubscription) -> Self {
        let open = Arc::new(Mutex::new(Some(open)));
        let kept = Arc::clone(&open);
        let dropping = tokio::spawn(async move {
            tokio::time::sleep(KEPT_UNREAD).await;
            kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        });
        Self { open, dropping }
    }

    /// The subscription, if it was not dropped yet.
    pub(super) fn take(&mut self) -> Option<OpenSubscription> {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Drop for ParkedSubscription {
    fn drop(&mut self) {
        self.dropping.abort();
    }
}
