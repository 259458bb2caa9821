//! What to send, where, how fast and for how long; checked before anything starts.

use bytes::Bytes;
use http::{Method, Uri};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

/// Where requests go: an address, the `Host` header and a path prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(crate) host: String,
    pub(crate) address: SocketAddr,
    pub(crate) prefix: String,
}

impl Target {
    /// Reads an `http://host[:port][/prefix]` URL and resolves its host, blocking.
    ///
    /// Errors: not such a URL (also `https`, which is not spoken here), or a host that does not resolve.
    pub fn parse(url: &str) -> Result<Self, LoadError> {
        let refuse = |why: &'static str| LoadError::Target {
            url: url.to_owned(),
            why: why.to_owned(),
        };
        let uri: Uri = url.parse().map_err(|_| refuse("it is not a URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(refuse("only http:// is spoken"));
        }
        let authority = uri.authority().ok_or_else(|| refuse("it has no host"))?;
        if uri.query().is_some() {
            return Err(refuse(
                "it has a query; give queries with the paths to ask for",
            ));
        }
        let name = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let address = (name, authority.port_u16().unwrap_or(80))
            .to_socket_addrs()
            .map_err(|cause| LoadError::Target {
                url: url.to_owned(),
                why: format!("its host does not resolve: {cause}"),
            })?
            .next()
            .ok_or_else(|| refuse("its host has no address"))?;
        Ok(Self {
            host: authority.as_str().to_owned(),
            address,
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: address.to_string(),
            address,
            prefix: String::new(),
        }
    }
}

/// When requests are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly spaced: request `n` is due at `n / rate`.
    Fixed,
    /// Independent exponential gaps of mean `1 / rate`, as many independent users make them.
    Poisson,
}

/// One kind of request in the mix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shot {
    /// How often relative to the other shots; 0 is never.
    pub weight: u32,
    /// The method.
    pub method: Method,
    /// Path and query, starting with `/`; the target's prefix goes before it.
    pub path: String,
    /// The body; sent as `application/json` when it is not empty.
    pub body: Bytes,
}

impl Shot {
    /// A `GET` of `path` with weight 1.
    pub fn read(path: impl Into<String>) -> Self {
        Self {
            weight: 1,
            method: Method::GET,
            path: path.into(),
            body: Bytes::new(),
        }
    }

    /// A `POST` of the JSON text `body` to `path` with weight 1.
    pub fn post(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            method: Method::POST,
            body: body.into(),
            ..Self::read(path)
        }
    }

    /// The same with another weight.
    pub fn weighted(self, weight: u32) -> Self {
        Self { weight, ..self }
    }
}

/// A load: what [`crate::Load::start`] takes.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadConfig {
    /// Where requests go.
    pub target: Target,
    /// Requests per second, over 0 and at most 100 000.
    pub rate: f64,
    /// How long requests are started; requests in flight at the end may take `timeout` longer.
    pub duration: Duration,
    /// At most this many requests, whatever the duration.
    pub total: Option<u64>,
    /// At most this many connections at a time; requests beyond wait, and the wait counts.
    pub connections: usize,
    /// How long a request may take from its intended start, waiting included.
    pub timeout: Duration,
    /// When requests are due.
    pub arrivals: Arrivals,
    /// Seed of the Poisson gaps and of the choice of shots: the same seed sends the same requests.
    pub seed: u64,
    /// The mix of requests; at least one with a weight above 0.
    pub mix: Vec<Shot>,
}

impl LoadConfig {
    /// 100 `GET /` a second for 10 s over at most 64 connections, evenly spaced, 5 s timeout.
    pub fn new(target: impl Into<Target>) -> Self {
        Self {
            target: target.into(),
            rate: 100.0,
            duration: Duration::from_secs(10),
            total: None,
            connections: 64,
            timeout: Duration::from_secs(5),
            arrivals: Arrivals::Fixed,
            seed: 0,
            mix: vec![Shot::read("/")],
        }
    }

    pub(crate) fn check(&self) -> Result<(), LoadError> {
        let refuse = |field, why| Err(LoadError::Config { field, why });
        if !(self.rate > 0.0 && self.rate <= 100_000.0) {
            return refuse(
                "rate",
                "it must lie above 0 and at most at 100000 requests a second",
            );
        }
        if self.connections == 0 {
            return refuse("connections", "at least one is needed");
        }
        if self.timeout.is_zero() || self.timeout > Duration::from_secs(3600) {
            return refuse("timeout", "it must lie above 0 and at most at an hour");
        }
        if self.mix.iter().all(|shot| shot.weight == 0) {
            return refuse(
                "mix",
                "at least one request with a weight above 0 is needed",
            );
        }
        for shot in &self.mix {
            let path = format!("{}{}", self.target.prefix, shot.path);
            if !shot.path.starts_with('/') || path.parse::<Uri>().is_err() {
                return refuse("mix", "every path must be a URL path that starts with `/`");
            }
        }
        Ok(())
    }
}

/// A load that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The target cannot be used.
    #[error("cannot send load to `{url}`: {why}; give a target such as http://127.0.0.1:8080")]
    Target {
        /// The target as given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A setting makes no sense.
    #[error("load setting `{field}` cannot be used: {why}")]
    Config {
        /// The field of [`LoadConfig`].
        field: &'static str,
        /// What is wrong and what would do.
        why: &'static str,
    },
    /// The thread or the runtime could not be made.
    #[error(
        "cannot start the load generator: {0}; the process may be out of threads or file descriptors"
    )]
    Start(#[from] std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_http_url_or_an_address() {
        let target = Target::parse("http://127.0.0.1:81/shop/").unwrap();
        assert_eq!(target.address, SocketAddr::from(([127, 0, 0, 1], 81)));
        assert_eq!(
            (target.host.as_str(), target.prefix.as_str()),
            ("127.0.0.1:81", "/shop")
        );
        assert_eq!(
            Target::parse("http://[::1]").unwrap().address.to_string(),
            "[::1]:80"
        );
        for (url, expected) in [
            ("https://127.0.0.1", "only http:// is spoken"),
            ("127.0.0.1:80", "only http:// is spoken"),
            ("http://127.0.0.1/?q=1", "it has a query"),
            ("http://", "not a URL"),
        ] {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(error.contains(expected), "{url}: {error}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_by_name() {
        let good = LoadConfig::new(SocketAddr::from(([127, 0, 0, 1], 1)));
        assert!(good.check().is_ok());
        let cases = [
            (
                "rate",
                LoadConfig {
                    rate: f64::NAN,
                    ..good.clone()
                },
            ),
            (
                "rate",
                LoadConfig {
                    rate: 0.0,
                    ..good.clone()
                },
            ),
            (
                "connections",
                LoadConfig {
                    connections: 0,
                    ..good.clone()
                },
            ),
            (
                "timeout",
                LoadConfig {
                    timeout: Duration::ZERO,
                    ..good.clone()
                },
            ),
            (
                "mix",
                LoadConfig {
                    mix: vec![],
                    ..good.clone()
                },
            ),
            (
                "mix",
                LoadConfig {
                    mix: vec![Shot::read("/").weighted(0)],
                    ..good.clone()
                },
            ),
            (
                "mix",
                LoadConfig {
                    mix: vec![Shot::read("no-slash")],
                    ..good
                },
            ),
        ];
        for (field, config) in cases {
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(&format!("`{field}`")), "{error}");
        }
    }
}
