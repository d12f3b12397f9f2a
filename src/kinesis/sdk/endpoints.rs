//! The endpoint of a stream, by the rules of the SDK.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_kinesis::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

use crate::aws::{SdkConfig, causes};

/// Resolves the endpoint of calls about records, which may depend on the ARN in the request and on the account.
#[derive(Debug)]
pub(super) struct DataEndpoints {
    resolver: DefaultResolver,
    region: String,
    use_fips: Option<bool>,
    use_dual_stack: Option<bool>,
    account_id_mode: String,
    /// The endpoint of the options or the environment.
    given: Option<String>,
    /// The last one resolved. A client is mostly used for one stream.
    last: Mutex<Option<Resolved>>,
}

/// The ARN in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamedArn<'a> {
    Stream(&'a str),
    Consumer(&'a str),
}

impl<'a> NamedArn<'a> {
    fn stream(self) -> Option<&'a str> {
        match self {
            Self::Stream(arn) => Some(arn),
            Self::Consumer(_) => None,
        }
    }

    fn consumer(self) -> Option<&'a str> {
        match self {
            Self::Stream(_) => None,
            Self::Consumer(arn) => Some(arn),
        }
    }
}

#[derive(Debug)]
struct Resolved {
    stream_arn: Option<String>,
    consumer_arn: Option<String>,
    account_id: Option<String>,
    url: Arc<str>,
}

impl DataEndpoints {
    /// The endpoints in `region`, with the other settings of `sdk`.
    pub(super) fn new(sdk: &SdkConfig, region: &str, given: Option<&str>) -> Self {
        let mode = sdk.account_id_endpoint_mode().cloned();
        Self {
            resolver: DefaultResolver::new(),
            region: region.to_owned(),
            use_fips: sdk.use_fips(),
            use_dual_stack: sdk.use_dual_stack(),
            account_id_mode: mode.unwrap_or_default().to_string(),
            given: given.map(str::to_owned),
            last: Mutex::default(),
        }
    }

    /// The URL for requests that name `arn`, signed by credentials of `account_id` if that is known.
    ///
    /// # Errors
    /// The rules know none, or the endpoint of the options is no URL.
    pub(super) async fn url(
        &self,
        arn: Option<NamedArn<'_>>,
        account_id: Option<&str>,
    ) -> Result<Arc<str>, String> {
        let stream_arn = arn.and_then(NamedArn::stream);
        let consumer_arn = arn.and_then(NamedArn::consumer);
        if let Some(known) = self.known(stream_arn, consumer_arn, account_id) {
            return Ok(known);
        }
        let params = Params::builder()
            .region(&self.region)
            .set_use_fips(self.use_fips)
            .set_use_dual_stack(self.use_dual_stack)
            .set_endpoint(self.given.clone())
            .account_id_endpoint_mode(&self.account_id_mode)
            .set_account_id(account_id.map(str::to_owned))
            .operation_type("data")
            .set_stream_arn(stream_arn.map(str::to_owned))
            .set_consumer_arn(consumer_arn.map(str::to_owned))
            .build();
        let params = params.map_err(|error| causes(&error))?;
        let endpoint = self.resolver.resolve_endpoint(&params).await;
        let endpoint = endpoint.map_err(|error| causes(&*error))?;
        let url: Arc<str> = format!("{}/", endpoint.url().trim_end_matches('/')).into();
        let resolved = Resolved {
            stream_arn: stream_arn.map(str::to_owned),
            consumer_arn: consumer_arn.map(str::to_owned),
            account_id: account_id.map(str::to_owned),
            url: Arc::clone(&url),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(resolved);
        Ok(url)
    }

    fn known(
        &self,
        stream_arn: Option<&str>,
        consumer_arn: Option<&str>,
        account_id: Option<&str>,
    ) -> Option<Arc<str>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.as_ref()?;
        let is_same = last.stream_arn.as_deref() == stream_arn
            && last.consumer_arn.as_deref() == consumer_arn
            && last.account_id.as_deref() == account_id;
        is_same.then(|| Arc::clone(&last.url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_endpoint_follows_the_region_the_arn_and_the_options() {
        let sdk = SdkConfig::builder().build();
        let arn = "arn:aws:kinesis:eu-west-1:111122223333:stream/words";
        let consumer = format!("{arn}/consumer/sql:1525898737");
        let (arn, consumer) = (NamedArn::Stream(arn), NamedArn::Consumer(&consumer));
        let of_region = DataEndpoints::new(&sdk, "eu-west-1", None);
        let public = of_region.url(None, None).await.unwrap();
        assert_eq!(&*public, "https://kinesis.eu-west-1.amazonaws.com/");
        for arn in [arn, arn, consumer] {
            let of_account = of_region.url(Some(arn), None).await.unwrap();
            assert_eq!(
                &*of_account,
                "https://111122223333.data-kinesis.eu-west-1.amazonaws.com/"
            );
        }
        assert_eq!(of_region.url(None, None).await.unwrap(), public);
        for given in ["http://127.0.0.1:4567", "http://127.0.0.1:4567/"] {
            let given = DataEndpoints::new(&sdk, "eu-west-1", Some(given));
            let url = given.url(Some(arn), None).await.unwrap();
            assert_eq!(&*url, "http://127.0.0.1:4567/");
        }
        let fips = SdkConfig::builder().use_fips(true).build();
        let fips = DataEndpoints::new(&fips, "us-gov-west-1", None);
        let url = fips.url(None, None).await.unwrap();
        assert_eq!(&*url, "https://kinesis.us-gov-west-1.amazonaws.com/");
    }
}
