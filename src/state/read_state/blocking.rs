//! Runs asynchronous work where the engine expects a synchronous result.

use std::thread;

use tokio::runtime::Builder;

use crate::error::{Error, Result};

/// Waits for `work` on a new thread with its own runtime: the caller may be on any runtime or none, and its clock may be
/// paused.
pub(super) fn wait<T: Send>(work: impl Future<Output = Result<T>> + Send) -> Result<T> {
    let run = || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Error::internal(format!(
                "cannot create a runtime to read the state: {error}"
            ))
            .with_source(error)
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
        Err(error) => Err(Error::internal(format!(
            "cannot create a thread to read the state: {error}"
        ))
        .with_source(error)),
    }
}
