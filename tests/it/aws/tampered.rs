//! Requests that are modified in transit.

use aws_sdk_sts::config::{ConfigBag, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

/// Modifies a request after it was signed.
#[derive(Debug)]
pub(super) struct Tampered(pub(super) fn(&mut HttpRequest));

#[dyn_dispatch_hint]
impl Intercept for Tampered {
    fn name(&self) -> &'static str {
        "Tampered"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0(context.request_mut());
        Ok(())
    }
}
