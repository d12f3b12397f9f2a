//! The bucket of the server: in memory, with the consistency of S3.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

/// The number of names on a page of a listing; S3 has a thousand.
const PAGE: usize = 50;

/// The bucket `bucket`.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    objects: Mutex<BTreeMap<String, Bytes>>,
    overwrites: bool,
}

impl Bucket {
    /// A bucket of a server that ignores `If-None-Match`.
    pub(super) fn overwriting() -> Self {
        Self {
            overwrites: true,
            ..Self::default()
        }
    }

    fn get(&self, bucket: &str, key: &str) -> S3Result<Bytes> {
        expect_bucket(bucket)?;
        let found = self.objects.lock().unwrap().get(key).cloned();
        found.ok_or_else(|| s3_error!(NoSuchKey))
    }
}

fn expect_bucket(bucket: &str) -> S3Result<()> {
    match bucket {
        "bucket" => Ok(()),
        _ => Err(s3_error!(NoSuchBucket)),
    }
}

fn written() -> Option<Timestamp> {
    Some(SystemTime::UNIX_EPOCH.into())
}

fn tag() -> Option<ETag> {
    Some(ETag::Strong("tag".to_owned()))
}

fn length(content: &Bytes) -> Option<i64> {
    Some(i64::try_from(content.len()).unwrap())
}

#[async_trait]
impl S3 for Bucket {
    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        expect_bucket(&input.bucket)?;
        let body = input.body.ok_or_else(|| s3_error!(IncompleteBody))?;
        let parts: Vec<Bytes> = body
            .try_collect()
            .await
            .map_err(|_| s3_error!(IncompleteBody))?;
        let mut objects = self.objects.lock().unwrap();
        if input.if_none_match == Some(ETagCondition::Any)
            && !self.overwrites
            && objects.contains_key(&input.key)
        {
            return Err(s3_error!(PreconditionFailed));
        }
        objects.insert(input.key, parts.concat().into());
        Ok(S3Response::new(PutObjectOutput {
            e_tag: tag(),
            ..Default::default()
        }))
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let mut content = self.get(&request.input.bucket, &request.input.key)?;
        let mut content_range = None;
        if let Some(range) = request.input.range {
            let whole = content.len();
            let part = range.check(whole as u64)?;
            content_range = Some(format!("bytes {}-{}/{whole}", part.start, part.end - 1));
            content = content.slice(part.start as usize..part.end as usize);
        }
        Ok(S3Response::new(GetObjectOutput {
            content_range,
            content_length: length(&content),
            e_tag: tag(),
            last_modified: written(),
            body: Some(s3s::Body::from(content).into()),
            ..Default::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let content = self.get(&request.input.bucket, &request.input.key)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: length(&content),
            e_tag: tag(),
            last_modified: written(),
            ..Default::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        expect_bucket(&input.bucket)?;
        let prefix = input.prefix.unwrap_or_default();
        let after = input.continuation_token.or(input.start_after);
        let after = after.unwrap_or_default();
        let most = input.max_keys.map_or(PAGE, |max| PAGE.min(max as usize));
        let objects = self.objects.lock().unwrap();
        let mut output = ListObjectsV2Output::default();
        let (mut keys, mut folders) = (Vec::new(), Vec::<CommonPrefix>::new());
        let mut last = after.clone();
        let beyond = (Bound::Excluded(after.as_str()), Bound::Unbounded);
        for (key, content) in objects.range::<str, _>(beyond) {
            let Some(rest) = key.strip_prefix(&prefix) else {
                continue;
            };
            let folder = input.delimiter.as_ref().and_then(|by| {
                let (first, _) = rest.split_once(by.as_str())?;
                Some(format!("{prefix}{first}{by}"))
            });
            if folder.as_ref() == Some(&last) {
                continue; // listed already
            }
            if keys.len() + folders.len() == most {
                output.next_continuation_token = Some(last);
                break;
            }
            last = folder.clone().unwrap_or_else(|| key.clone());
            match folder {
                Some(folder) => folders.push(CommonPrefix {
                    prefix: Some(folder),
                }),
                None => keys.push(Object {
                    key: Some(key.clone()),
                    size: length(content),
                    e_tag: tag(),
                    last_modified: written(),
                    ..Default::default()
                }),
            }
        }
        output.is_truncated = Some(output.next_continuation_token.is_some());
        output.contents = Some(keys);
        output.common_prefixes = Some(folders);
        Ok(S3Response::new(output))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = request.input;
        expect_bucket(&input.bucket)?;
        let mut objects = self.objects.lock().unwrap();
        let delete = |object: ObjectIdentifier| {
            objects.remove(&object.key);
            DeletedObject {
                key: Some(object.key),
                ..Default::default()
            }
        };
        let deleted = input.delete.objects.into_iter().map(delete).collect();
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            ..Default::default()
        }))
    }
}
