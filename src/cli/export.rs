//! Sends metrics of streaming queries to receivers while statements run.

use datafusion::prelude::SessionContext;

use super::args::Export;
use crate::Result;
use crate::model::ConnectionSettings;
#[cfg(feature = "cloudwatch")]
use crate::monitor::{CloudWatchPublisher, CloudWatchPublishing};
#[cfg(feature = "otlp")]
use crate::monitor::{OtlpExporter, OtlpExporting};

/// The receivers of a run.
#[derive(Debug)]
pub(super) struct Exports {
    #[cfg(feature = "cloudwatch")]
    cloudwatch: Option<CloudWatchPublishing>,
    #[cfg(feature = "otlp")]
    otlp: Option<OtlpExporting>,
}

impl Exports {
    /// Starts to send what was asked for. CloudWatch is reached by `connection`.
    ///
    /// # Errors
    /// A setting cannot be used.
    #[cfg_attr(
        not(any(feature = "cloudwatch", feature = "otlp")),
        expect(
            clippy::unused_async,
            unused_variables,
            reason = "there are no receivers"
        )
    )]
    pub(super) async fn start(
        wanted: &Export,
        ctx: &SessionContext,
        connection: ConnectionSettings,
    ) -> Result<Self> {
        Ok(Self {
            #[cfg(feature = "cloudwatch")]
            cloudwatch: cloudwatch(wanted, ctx, connection).await?,
            #[cfg(feature = "otlp")]
            otlp: otlp(wanted, ctx).await?,
        })
    }

    /// Sends what is left.
    #[cfg_attr(
        not(any(feature = "cloudwatch", feature = "otlp")),
        expect(clippy::unused_async, reason = "there are no receivers")
    )]
    pub(super) async fn stop(self) {
        #[cfg(feature = "cloudwatch")]
        if let Some(publishing) = self.cloudwatch {
            publishing.stop().await;
        }
        #[cfg(feature = "otlp")]
        if let Some(exporting) = self.otlp {
            exporting.stop().await;
        }
    }
}

#[cfg(feature = "cloudwatch")]
async fn cloudwatch(
    wanted: &Export,
    ctx: &SessionContext,
    connection: ConnectionSettings,
) -> Result<Option<CloudWatchPublishing>> {
    let Some(namespace) = &wanted.cloudwatch_namespace else {
        return Ok(None);
    };
    let publisher = CloudWatchPublisher::new(namespace)?.with_connection(connection);
    let publishing = publisher.start(ctx).await?;
    super::console::print_message(publishing.cost());
    Ok(Some(publishing))
}

#[cfg(feature = "otlp")]
async fn otlp(wanted: &Export, ctx: &SessionContext) -> Result<Option<OtlpExporting>> {
    let exporter = match wanted.otlp.as_deref() {
        None if !OtlpExporter::is_configured() => return Ok(None),
        None | Some("") => OtlpExporter::new(),
        Some(endpoint) => OtlpExporter::new().with_endpoint(endpoint),
    };
    exporter.start(ctx).await.map(Some)
}
