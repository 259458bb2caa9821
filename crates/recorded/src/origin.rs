//! Whom a request is for: the absolute URL that is asked, matched and kept, whichever door the request came through.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Uri};

use crate::error::Error;

/// A service: scheme, host with port, and a path before all paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
    prefix: String,
    /// Whether the client believes that it speaks to the service itself.
    tunnel: bool,
}

impl Origin {
    /// Reads a base URL.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let bad = |why: &str| Error::setting(format!("upstream `{name}`: `{}`", shown(text)), why);
        let uri: Uri = text.parse().map_err(|_| bad("not a URL"))?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(bad("expected `http://HOST` or `https://HOST`"));
        };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(bad("expected `http://` or `https://`"));
        }
        if authority.as_str().contains('@') {
            return Err(bad(
                "credentials in a URL are kept by whoever reads the settings",
            ));
        }
        let path = parts
            .path_and_query
            .unwrap_or(PathAndQuery::from_static("/"));
        if path.query().is_some() || text.contains('#') {
            return Err(bad("a base URL has neither query nor fragment"));
        }
        Ok(Self {
            authority: plain(&scheme, &authority).ok_or_else(|| bad("no host"))?,
            scheme,
            prefix: path.path().trim_end_matches('/').to_owned(),
            tunnel: false,
        })
    }

    /// The service at the far end of a tunnel.
    pub(crate) fn tunnel(scheme: Scheme, authority: &Authority) -> Option<Self> {
        Some(Self {
            authority: plain(&scheme, authority)?,
            scheme,
            prefix: String::new(),
            tunnel: true,
        })
    }

    /// The URL of a request to this service. The target must be in origin form, or name this very service.
    pub(crate) fn url(&self, target: &Uri, headers: &HeaderMap) -> Result<Uri, Refusal> {
        let named = target.authority().cloned().or_else(|| host(headers));
        if let Some(named) = named {
            if self.tunnel && plain(&self.scheme, &named).is_none_or(|a| a != self.authority) {
                return Err(Refusal::Misdirected);
            }
            // HTTP/2 names an authority with every request; on a port of ours that is the port.
            if !self.tunnel && target.authority().is_some() && !is_loopback(named.host()) {
                return Err(Refusal::Target(
                    "this port stands for one service and is no proxy for others",
                ));
            }
        }
        let path = target.path_and_query().map_or("/", PathAndQuery::as_str);
        if path == "*" {
            return Err(Refusal::Target("`*` is no path; it cannot be recorded"));
        }
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        build(
            &self.scheme,
            &self.authority,
            &format!("{}{path}", self.prefix),
        )
    }
}

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is for another service than the one that the connection leads to.
    Misdirected,
    /// Its target cannot be used.
    Target(&'static str),
}

/// The URL of a request to the forward proxy, which must be absolute.
pub(crate) fn absolute(target: &Uri) -> Result<Uri, Refusal> {
    let (Some(scheme), Some(authority)) = (target.scheme(), target.authority()) else {
        return Err(Refusal::Target(
            "this port is a forward proxy: it expects `GET http://HOST/…` or `CONNECT HOST:PORT`",
        ));
    };
    if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
        return Err(Refusal::Target("only http and https can be recorded"));
    }
    let userinfo = authority.as_str().rsplit_once('@').map(|(info, _)| info);
    let host = plain(scheme, authority).ok_or(Refusal::Target("the URL names no host"))?;
    // Userinfo stays: redaction takes it out of what is kept.
    let host = match userinfo {
        Some(info) => format!("{info}@{host}")
            .parse()
            .map_err(|_| Refusal::Target("the URL's userinfo cannot be read"))?,
        None => host,
    };
    let path = target.path_and_query().map_or("/", PathAndQuery::as_str);
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    build(scheme, &host, &path)
}

fn build(scheme: &Scheme, authority: &Authority, path: &str) -> Result<Uri, Refusal> {
    Uri::builder()
        .scheme(scheme.clone())
        .authority(authority.clone())
        .path_and_query(path)
        .build()
        .map_err(|_| Refusal::Target("its URL cannot be read"))
}

/// Host in lower case, without userinfo and without the scheme's own port.
fn plain(scheme: &Scheme, authority: &Authority) -> Option<Authority> {
    let host = authority.host().to_ascii_lowercase();
    if host.is_empty() {
        return None;
    }
    let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    match authority.port_u16().filter(|port| *port != default) {
        Some(port) => format!("{host}:{port}").parse().ok(),
        None => host.parse().ok(),
    }
}

fn host(headers: &HeaderMap) -> Option<Authority> {
    headers.get("host")?.to_str().ok()?.parse().ok()
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// A setting's text without what may be a credential.
fn shown(text: &str) -> String {
    let shown = match text.split_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => text.to_owned(),
    };
    shown.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, target: &str) -> String {
        let origin = Origin::parse("api", base).unwrap();
        let url = origin.url(&target.parse().unwrap(), &HeaderMap::new());
        url.unwrap().to_string()
    }

    #[test]
    fn urls_have_one_spelling_of_the_host() {
        assert_eq!(
            url("https://API.example.com:443", "/a?b=C&b=%2f"),
            "https://api.example.com/a?b=C&b=%2f"
        );
        assert_eq!(url("http://h:443/v1/", "/x"), "http://h:443/v1/x");
        assert_eq!(url("http://[::1]:8080", "/"), "http://[::1]:8080/");
    }

    #[test]
    fn bases_that_mean_something_else_are_refused() {
        for bad in [
            "ftp://h",
            "api.example.com",
            "https://",
            "/x",
            "http://u:p@h",
            "http://h/?a=1",
            "",
        ] {
            assert!(Origin::parse("api", bad).is_err(), "{bad}");
        }
        let text = Origin::parse("api", "http://user:hunter2@h")
            .unwrap_err()
            .to_string();
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_tunnel_leads_to_one_host_and_a_port_to_one_service() {
        let ask = |origin: &Origin, target: &str, host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("host", http::HeaderValue::from_static(host));
            origin.url(&target.parse().unwrap(), &headers)
        };
        let end = "h.test:443".parse().unwrap();
        let tunnel = Origin::tunnel(Scheme::HTTPS, &end).unwrap();
        let url = ask(&tunnel, "/x", "H.test").unwrap();
        assert_eq!(url.to_string(), "https://h.test/x");
        assert_eq!(ask(&tunnel, "/x", "other"), Err(Refusal::Misdirected));
        let absolute = ask(&tunnel, "https://other/x", "h.test");
        assert_eq!(absolute, Err(Refusal::Misdirected));
        let port = Origin::parse("api", "https://h.test/v1").unwrap();
        for target in ["/x", "http://127.0.0.1:99/x", "http://[::1]:99/x"] {
            let url = ask(&port, target, "anything").unwrap();
            assert_eq!(url.to_string(), "https://h.test/v1/x");
        }
        assert!(matches!(
            ask(&port, "http://other/x", "x"),
            Err(Refusal::Target(_))
        ));
    }

    #[test]
    fn a_forward_proxy_wants_absolute_targets() {
        let ok = absolute(&"http://Host:80/p?q".parse().unwrap()).unwrap();
        assert_eq!(ok.to_string(), "http://host/p?q");
        assert!(absolute(&"/p".parse().unwrap()).is_err());
        assert!(absolute(&"ftp://h/p".parse().unwrap()).is_err());
    }
}
