//! What a server has been asked, for tests to read and to wait for.

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How long a test waits for something that should come at once.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Book<T>(watch::Sender<T>);

impl<T> Book<T> {
    pub(super) fn new(empty: T) -> Self {
        Self(watch::Sender::new(empty))
    }

    pub(super) fn note(&self, note: impl FnOnce(&mut T)) {
        self.0.send_modify(note);
    }

    pub(super) fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.0.borrow())
    }

    /// Returns once `true_of` what is noted; a test that would wait for ever fails instead.
    pub(super) async fn until(&self, true_of: impl FnMut(&T) -> bool)
    where
        T: fmt::Debug,
    {
        let mut noted = self.0.subscribe();
        let came = timeout(PATIENCE, noted.wait_for(true_of)).await;
        let came = came.map(|came| drop(came.unwrap()));
        assert!(
            came.is_ok(),
            "waited in vain; noted: {:?}",
            *self.0.borrow()
        );
    }
}
