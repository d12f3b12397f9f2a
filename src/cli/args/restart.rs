//! Arguments about restarts.

use clap::ValueEnum;

/// When streaming statements are started again.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Restart {
    /// Start a streaming statement again when it fails with an error that may pass, such as an
    /// unreachable service
    #[arg(long, value_enum, value_name = "WHEN")]
    restart: Option<When>,
    /// Give up after this many restarts in a row, each after less than 5 minutes (default: never)
    #[arg(long, value_name = "COUNT", requires = "restart")]
    restart_limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum When {
    /// After a failure that may pass
    OnFailure,
}

/// What `--restart on-failure` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct RestartPolicy {
    /// The most restarts in a row; `None` is unlimited.
    pub(in crate::cli) limit: Option<u32>,
}

impl Restart {
    pub(in crate::cli) fn policy(&self) -> Option<RestartPolicy> {
        let When::OnFailure = self.restart?;
        Some(RestartPolicy {
            limit: self.restart_limit,
        })
    }
}
