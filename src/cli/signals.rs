//! Waits for Ctrl-C and SIGTERM.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The requested kind of stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Ctrl-C: end the statement.
    Interrupt,
    /// SIGTERM: end the process.
    Terminate,
}

/// Receives signals from its creation on: those between two waits are kept, earlier ones are
/// ignored.
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
    /// Both signals. From the first call on, SIGTERM no longer ends the process by itself.
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

    /// The next signal. Cancel safe.
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

    /// The next signal. Cancel safe.
    #[cfg(windows)]
    pub(super) async fn next(&mut self) -> Stop {
        self.interrupt.recv().await;
        Stop::Interrupt
    }
}
