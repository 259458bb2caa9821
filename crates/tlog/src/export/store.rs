//! Object storage as the destination, by the `object_store` crate over this crate's own HTTP client (docs/adr/0008-object-store.md).
//!
//! Retries inside `object_store` are off: it would repeat a write without looking at what the first one did. Every doubtful end
//! comes back as [`Put::Unclear`] or [`Put::Taken`] and is settled by reading.

mod connector;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutResult,
    RetryConfig, UpdateVersion,
};

use super::destination::{Failure, Object, Put, Version};
use crate::error::Error;
use crate::serve::{BYTES, FOR_EVER, FRESH, TEXT};
use connector::Connector;
use gonogo_outbound::NoAnswer;

/// For one request: a full bundle of 16 MiB over a slow line.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub(super) struct Store {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    name: String,
}

impl Store {
    pub(super) fn new(store: Arc<dyn ObjectStore>, prefix: Path, name: &str) -> Self {
        Self {
            store,
            prefix,
            name: name.to_owned(),
        }
    }

    pub(super) fn s3(
        url: &str,
        environment: impl IntoIterator<Item = (String, String)>,
        deadline: Duration,
    ) -> Result<Self, Error> {
        let bad = |text: String| Error::Destination {
            url: url.to_owned(),
            text,
        };
        let rest = url.strip_prefix("s3://").unwrap_or(url);
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty()
            || !bucket
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        {
            return Err(bad("expected `s3://bucket/prefix`".into()));
        }
        let prefix = Path::parse(prefix.trim_end_matches('/')).map_err(|e| bad(e.to_string()))?;
        let mut builder = AmazonS3Builder::new();
        for (key, value) in environment {
            if key.starts_with("AWS_")
                && let Ok(key) = key.to_ascii_lowercase().parse::<AmazonS3ConfigKey>()
            {
                builder = builder.with_config(key, value);
            }
        }
        let store = builder
            .with_bucket_name(bucket)
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            })
            .with_http_connector(Connector::new(deadline))
            .build()
            .map_err(|e| bad(e.to_string()))?;
        Ok(Self::new(Arc::new(store), prefix, url))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) async fn read(&self, name: &str, limit: u64) -> Result<Option<Object>, Failure> {
        let result = match self.store.get(&self.path(name)).await {
            Ok(result) => result,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(e) => return Err(failure(e)),
        };
        let size = result.meta.size;
        if size > limit {
            return Err(Failure::Lasting(format!(
                "it has {size} bytes, more than the {limit} that it may have"
            )));
        }
        let version = Version::Store(UpdateVersion {
            e_tag: result.meta.e_tag.clone(),
            version: result.meta.version.clone(),
        });
        let bytes = result.bytes().await.map_err(failure)?;
        Ok(Some(Object { bytes, version }))
    }

    pub(super) async fn create(&self, name: &str, bytes: Bytes) -> Result<Put, Failure> {
        self.put(name, bytes, PutMode::Create).await
    }

    pub(super) async fn replace(
        &self,
        name: &str,
        bytes: Bytes,
        was: &Version,
    ) -> Result<Put, Failure> {
        match was {
            Version::Store(was) => self.put(name, bytes, PutMode::Update(was.clone())).await,
            Version::Bytes(_) => Ok(Put::Taken),
        }
    }

    async fn put(&self, name: &str, bytes: Bytes, mode: PutMode) -> Result<Put, Failure> {
        let options = PutOptions {
            attributes: attributes(name),
            ..PutOptions::from(mode)
        };
        let put = self
            .store
            .put_opts(&self.path(name), bytes.into(), options)
            .await;
        match put {
            Ok(PutResult { .. }) => Ok(Put::Landed),
            // Conflict (409), precondition failed (412) and, for a replacement, not found. None of them says what is there.
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. }
                | object_store::Error::NotModified { .. },
            ) => Ok(Put::Taken),
            Err(e) => match failure(e) {
                Failure::Passing(text) => Ok(Put::Unclear(text)),
                lasting => Err(lasting),
            },
        }
    }

    fn path(&self, name: &str) -> Path {
        name.split('/')
            .fold(self.prefix.clone(), |path, part| path.join(part))
    }
}

/// What a bucket that is served as a site should say: the same as [`crate::serve`].
fn attributes(name: &str) -> Attributes {
    let (kind, cache) = if name.starts_with("tile/") {
        (BYTES, FOR_EVER)
    } else {
        (TEXT, FRESH)
    };
    Attributes::from_iter([
        (Attribute::ContentType, kind),
        (Attribute::CacheControl, cache),
    ])
}

fn failure(e: object_store::Error) -> Failure {
    use object_store::Error as E;

    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&e);
    let mut unsupported = false;
    while let Some(inner) = cause {
        unsupported |= matches!(inner.downcast_ref(), Some(NoAnswer::Unsupported(_)));
        cause = inner.source();
    }
    let lasting = unsupported
        || matches!(
            e,
            E::PermissionDenied { .. }
                | E::Unauthenticated { .. }
                | E::NotSupported { .. }
                | E::NotImplemented { .. }
                | E::InvalidPath { .. }
                | E::UnknownConfigurationKey { .. }
                | E::NotFound { .. }
        );
    let mut text: String = e.to_string().chars().take(500).collect();
    if matches!(e, E::PermissionDenied { .. }) {
        text.push_str(" (S3 says so of a missing object, too, unless the key may s3:ListBucket)");
    }
    if lasting {
        Failure::Lasting(text)
    } else {
        Failure::Passing(text)
    }
}
