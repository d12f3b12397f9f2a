//! Object stores by URL, for checkpoints and for tables of files: S3, Google Cloud Storage, Azure, HDFS, memory.
//!
//! Credentials, endpoints and regions come from the environment, and those of S3 from the profiles of AWS, too. Requests
//! to S3 use the proxies and certificates of this crate.

mod location;
mod meaning;
mod memory;
mod opening;
mod requests;
#[cfg(feature = "aws")]
mod s3_client;

#[cfg(feature = "hdfs")]
pub(crate) use location::host;
pub(crate) use location::{EXPECTED, is_store, refuse_credentials_and_query, wrong};
pub(crate) use meaning::meaning;
#[doc(hidden)]
pub use memory::set as set_memory;
#[cfg(not(feature = "hdfs"))]
pub(crate) use opening::not_built_in;
pub(crate) use opening::{Opening, Settings};
pub(crate) use requests::{CountRequests, Uncounted};
