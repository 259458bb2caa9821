//! The client that asks the real services while recording: pooled HTTP/1.1, and HTTP/2 where TLS agrees on it.
//!
//! Invariants: redirects are not followed, no further proxy is asked, certificates are checked. A request is sent a second time only
//! if the library hands it back untouched.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::body::Sent;
use crate::error::Error;
use crate::settings::Settings;

pub(crate) type Upstream = Client<HttpsConnector<HttpConnector<Resolver>>, Sent>;

/// How long an unused connection is kept.
const POOLED: Duration = Duration::from_secs(4);

/// Makes the client.
pub(crate) fn client(
    settings: &Settings,
    roots: &[CertificateDer<'static>],
) -> Result<Upstream, Error> {
    let mut store = RootCertStore::empty();
    let (_, _) = store.add_parsable_certificates(roots.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::tls("set up TLS to upstreams")(e.to_string()))?
        .with_root_certificates(store)
        .with_no_client_auth();
    let mut http = HttpConnector::new_with_resolver(Resolver {
        fixed: Arc::new(settings.resolve.clone()),
    });
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(settings.limits.connect.to_std()));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        // Shorter than what servers usually grant, so that they seldom close what is just being used again.
        .pool_idle_timeout(POOLED)
        .timer(TokioTimer::new())
        .build(connector))
}

/// The system's roots, and those of a file of PEM certificates.
pub(crate) fn roots(extra: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Error> {
    // What of the system's cannot be read is not trusted; a connection that needs it says so.
    let mut roots = rustls_native_certs::load_native_certs().certs;
    if let Some(path) = extra {
        let what = format!("read certificates of {}", path.display());
        let bytes = std::fs::read(path).map_err(Error::io(&what))?;
        let own: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
            .collect::<Result<_, _>>()
            .map_err(|e| Error::tls(&what)(e.to_string()))?;
        if own.is_empty() {
            return Err(Error::tls(&what)("there are none in it".into()));
        }
        roots.extend(own);
    }
    Ok(roots)
}

/// Looks up names: those of the settings here, others where the system does.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    fixed: Arc<BTreeMap<String, SocketAddr>>,
}

impl tower_service::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let fixed = self.fixed.get(name.as_str()).copied();
        Box::pin(async move {
            if let Some(address) = fixed {
                return Ok(vec![address].into_iter());
            }
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.collect::<Vec<_>>().into_iter())
        })
    }
}
