//! Ctrl-C and SIGTERM as something to wait for.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the user or the system asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Ctrl-C: end the statement.
    Interrupt,
    /// SIGTERM: end the process.
    Terminate,
}

/// Listens from its creation on, so a signal between two waits is not lost, and one from before is not seen.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Interrupt,
    #[cfg(unix)]
    terminate: Option<Signal>,
}

#[cfg(unix)]
type Interrupt = Signal;
#[cfg(windows)]
type Interrupt = tokio::signal::windows::CtrlC;

impl Signals {
    /// Both signals. From the first call on SIGTERM no longer ends the process by itself.
    pub(super) fn all() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: Some(signal(SignalKind::terminate())?),
            ..Self::interrupts()?
        })
    }

    /// Ctrl-C only.
    pub(super) fn interrupts() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
            #[cfg(windows)]
            interrupt: tokio::signal::windows::ctrl_c()?,
            #[cfg(unix)]
            terminate: None,
        })
    }

    /// The next signal; may be dropped while it waits.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> Stop {
        let Some(terminate) = &mut self.terminate else {
            self.interrupt.recv().await;
            return Stop::Interrupt;
        };
        tokio::select! {
            _ = terminate.recv() => Stop::Terminate,
            _ = self.interrupt.recv() => Stop::Interrupt,
        }
    }

    /// The next signal; may be dropped while it waits.
    #[cfg(windows)]
    pub(super) async fn next(&mut self) -> Stop {
        self.interrupt.recv().await;
        Stop::Interrupt
    }
}
