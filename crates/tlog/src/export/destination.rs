//! Where an export goes, behind one small interface: read an object, create one, replace one that is known.
//!
//! Invariant: each call says exactly what is certain. [`Put::Unclear`] means that the object may or may not be there.

use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;

use super::directory::Directory;
#[cfg(feature = "object-store")]
use super::store::Store;
use crate::error::Error;

/// A place to export to; clones are the same place.
#[derive(Debug, Clone)]
pub struct Destination(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Directory(Directory),
    #[cfg(feature = "object-store")]
    Store(Store),
}

/// An object as it was read.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    pub(super) version: Version,
}

/// What an object must still be for [`Destination::replace`] to replace it.
#[derive(Debug, Clone)]
pub(super) enum Version {
    /// These bytes.
    Bytes(Bytes),
    /// What the store calls it.
    #[cfg(feature = "object-store")]
    Store(object_store::UpdateVersion),
}

/// How a write ended.
#[derive(Debug)]
pub(super) enum Put {
    /// It is there, and was not before.
    Landed,
    /// The store says that something else is there, or that somebody was faster. To be read back.
    Taken,
    /// Nobody knows.
    #[cfg_attr(
        not(feature = "object-store"),
        expect(dead_code, reason = "a directory knows")
    )]
    Unclear(String),
}

/// Why a read or write ended without an answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// May be over in a moment.
    #[cfg_attr(
        not(feature = "object-store"),
        expect(dead_code, reason = "a directory's failures are our own")
    )]
    Passing(String),
    /// Will not be over by waiting.
    Lasting(String),
    /// Of this machine.
    Own(Error),
}

impl Destination {
    /// A local directory, made if it does not exist. It is held for this process until the last clone is dropped.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Busy`] if another export writes there.
    pub fn directory(dir: impl Into<PathBuf>) -> Result<Self, Error> {
        Directory::open(dir.into()).map(|d| Self(Kind::Directory(d)))
    }

    /// A place by its name: `s3://bucket/prefix`, `file:///absolute/path`, or a path. `environment` holds the `AWS_*` settings of an S3
    /// destination (keys, `AWS_REGION`, `AWS_ENDPOINT`, `AWS_ALLOW_HTTP` for a plain-text endpoint); other variables are ignored.
    ///
    /// # Errors
    /// [`Error::Destination`] if the name or its settings cannot be used, and what [`Destination::directory`] gives.
    pub fn open(
        name: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let bad = |text: &str| Error::Destination {
            url: name.to_owned(),
            text: text.to_owned(),
        };
        match name.split_once("://") {
            None if name.is_empty() => Err(bad("it is empty")),
            None => Self::directory(name),
            Some(("file", path)) if path.starts_with('/') => Self::directory(path),
            Some(("file", _)) => Err(bad("a file address names an absolute path, `file:///…`")),
            Some(("s3", _)) => Self::s3(name, environment),
            Some(_) => Err(bad("use `s3://bucket/prefix` or a directory")),
        }
    }

    #[cfg(feature = "object-store")]
    fn s3(
        name: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        Store::s3(name, environment, super::store::DEADLINE).map(|s| Self(Kind::Store(s)))
    }

    #[cfg(not(feature = "object-store"))]
    fn s3(
        name: &str,
        _environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        Err(Error::Destination {
            url: name.to_owned(),
            text: "this build leaves object storage out; export to a directory and copy that"
                .into(),
        })
    }

    /// Any store of the `object_store` crate, below `prefix`; `name` is for people.
    #[cfg(feature = "object-store")]
    #[must_use]
    pub fn store(
        store: std::sync::Arc<dyn object_store::ObjectStore>,
        prefix: object_store::path::Path,
        name: &str,
    ) -> Self {
        Self(Kind::Store(Store::new(store, prefix, name)))
    }

    /// An S3 destination as [`Destination::open`] makes it, with another deadline for each request than 30 s.
    ///
    /// # Errors
    /// [`Error::Destination`] if the name or its settings cannot be used.
    #[cfg(feature = "object-store")]
    pub fn s3_within(
        name: &str,
        environment: impl IntoIterator<Item = (String, String)>,
        deadline: std::time::Duration,
    ) -> Result<Self, Error> {
        Store::s3(name, environment, deadline).map(|s| Self(Kind::Store(s)))
    }

    /// Reads an object of at most `limit` bytes; `None` if it certainly does not exist.
    pub(super) async fn read(&self, name: &str, limit: u64) -> Result<Option<Object>, Failure> {
        match &self.0 {
            Kind::Directory(directory) => {
                let (directory, name) = (directory.clone(), name.to_owned());
                blocking(move || directory.read(&name, limit)).await
            }
            #[cfg(feature = "object-store")]
            Kind::Store(store) => store.read(name, limit).await,
        }
    }

    /// Writes an object unless it exists.
    pub(super) async fn create(&self, name: &str, bytes: Bytes) -> Result<Put, Failure> {
        match &self.0 {
            Kind::Directory(directory) => {
                let directory = directory.clone();
                let name = name.to_owned();
                blocking(move || directory.create(&name, &bytes)).await
            }
            #[cfg(feature = "object-store")]
            Kind::Store(store) => store.create(name, bytes).await,
        }
    }

    /// Writes an object in the place of one that is still what it was when it was read.
    pub(super) async fn replace(
        &self,
        name: &str,
        bytes: Bytes,
        was: &Version,
    ) -> Result<Put, Failure> {
        match &self.0 {
            Kind::Directory(directory) => {
                let (directory, name, was) = (directory.clone(), name.to_owned(), was.clone());
                blocking(move || directory.replace(&name, &bytes, &was)).await
            }
            #[cfg(feature = "object-store")]
            Kind::Store(store) => store.replace(name, bytes, was).await,
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Failure::Lasting(e.to_string()))?
        .map_err(Failure::Own)
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Directory(directory) => write!(f, "{}", directory.dir().display()),
            #[cfg(feature = "object-store")]
            Kind::Store(store) => f.write_str(store.name()),
        }
    }
}
