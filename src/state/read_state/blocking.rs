//! Waits where the engine cannot.

use std::thread;

use tokio::runtime::Builder;

use crate::error::{Error, Result};

/// Waits for `work` on a thread of its own, with a runtime of its own: the caller may be on any runtime,
/// or on none, and its clock may stand still.
pub(super) fn wait<T: Send>(work: impl Future<Output = Result<T>> + Send) -> Result<T> {
    let run = || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Error::internal(format!("no runtime to read the state in: {error}")).with_source(error)
        })?;
        runtime.block_on(work)
    };
    let ended = thread::scope(|scope| {
        let thread = thread::Builder::new().name("read_state".to_owned());
        let thread = thread.spawn_scoped(scope, run);
        thread.map(thread::ScopedJoinHandle::join)
    });
    match ended {
        Ok(Ok(found)) => found,
        Ok(Err(_)) => Err(Error::internal("the thread that reads the state panicked")),
        Err(error) => Err(
            Error::internal(format!("no thread to read the state on: {error}")).with_source(error),
        ),
    }
}
