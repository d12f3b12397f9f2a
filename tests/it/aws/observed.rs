//! Records what a server was asked, for tests to read and wait for.

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How long a test waits for something that should happen at once.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Observed<T>(watch::Sender<T>);

impl<T> Observed<T> {
    pub(super) fn new(empty: T) -> Self {
        Self(watch::Sender::new(empty))
    }

    pub(super) fn note(&self, note: impl FnOnce(&mut T)) {
        self.0.send_modify(note);
    }

    pub(super) fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.0.borrow())
    }

    /// Waits until `true_of` holds; fails the test instead of waiting forever.
    pub(super) async fn until(&self, true_of: impl FnMut(&T) -> bool)
    where
        T: fmt::Debug,
    {
        let mut noted = self.0.subscribe();
        let came = timeout(PATIENCE, noted.wait_for(true_of)).await;
        let came = came.map(|came| drop(came.unwrap()));
        assert!(came.is_ok(), "timed out; recorded: {:?}", *self.0.borrow());
    }
}
