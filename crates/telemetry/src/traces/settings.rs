//! Where spans go: the variables that every program with OpenTelemetry understands
//! (opentelemetry.io/docs/specs/otel/protocol/exporter), else what the configuration says.

use std::fmt;
use std::time::Duration;

/// How spans are exported.
#[derive(Clone, PartialEq, Eq)]
pub struct Exporting {
    /// Where they are posted.
    pub url: String,
    /// Further headers of each request; may hold secrets.
    pub headers: Vec<(String, String)>,
    /// Time for one request.
    pub within: Duration,
    /// What tells this program from others.
    pub resource: Vec<(String, String)>,
    /// Spans that may wait.
    pub queue: usize,
    /// Spans of one request.
    pub batch: usize,
    /// How long spans wait for more.
    pub every: Duration,
}

impl fmt::Debug for Exporting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Exporting")
            .field("url", &self.url)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

/// Reads the variables; `endpoint` is the configuration's, and counts where no variable names one. None where spans are not wanted.
///
/// # Errors
/// In words: a variable asks for what this program cannot do. No value of a header is told.
pub fn settings(
    variable: &dyn Fn(&str) -> Option<String>,
    endpoint: Option<&str>,
    service: &str,
) -> Result<Option<Exporting>, String> {
    let get = |name: &str| variable(name).filter(|v| !v.trim().is_empty());
    // What is said of traces alone counts before what is said of everything.
    let of = |what: &str| {
        let traces = get(&format!("OTEL_EXPORTER_OTLP_TRACES_{what}"));
        traces.or_else(|| get(&format!("OTEL_EXPORTER_OTLP_{what}")))
    };
    if get("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    match get("OTEL_TRACES_EXPORTER").as_deref().map(str::trim) {
        None | Some("otlp") => {}
        Some("none") => return Ok(None),
        Some(_) => return Err("OTEL_TRACES_EXPORTER: only `otlp` and `none` are known".into()),
    }
    let base = get("OTEL_EXPORTER_OTLP_ENDPOINT").or_else(|| endpoint.map(str::to_owned));
    let url = match (get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), base) {
        (Some(whole), _) => whole.trim().to_owned(),
        (None, Some(base)) => format!("{}/v1/traces", base.trim().trim_end_matches('/')),
        (None, None) => return Ok(None),
    };
    address(&url)?;
    if of("PROTOCOL").is_some_and(|p| p.trim() == "grpc") {
        let text = "OTEL_EXPORTER_OTLP_PROTOCOL: gRPC is not spoken; name the collector's HTTP port, which is 4318 as a rule";
        return Err(text.into());
    }
    let number = |name: &str, given: Option<String>, or: u64| match given {
        None => Ok(or),
        Some(text) => text
            .trim()
            .parse::<u64>()
            .ok()
            .filter(|n| (1..=1_000_000).contains(n))
            .ok_or_else(|| format!("{name}: expected a whole number from 1 to 1000000")),
    };
    let within = number("OTEL_EXPORTER_OTLP_TIMEOUT", of("TIMEOUT"), 10_000)?;
    let queue = get("OTEL_BSP_MAX_QUEUE_SIZE");
    let queue = number("OTEL_BSP_MAX_QUEUE_SIZE", queue, 2048)?;
    let batch = get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE");
    let batch = number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", batch, 512)?;
    let every = get("OTEL_BSP_SCHEDULE_DELAY");
    let every = number("OTEL_BSP_SCHEDULE_DELAY", every, 1_000)?;
    let mut resource = pairs(
        get("OTEL_RESOURCE_ATTRIBUTES")
            .as_deref()
            .unwrap_or_default(),
    );
    if let Some(name) = get("OTEL_SERVICE_NAME") {
        resource.retain(|(key, _)| key != "service.name");
        resource.push(("service.name".into(), name));
    }
    for (key, text) in [
        ("service.name", "gonogo"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("gonogo.service", service),
    ] {
        if !resource.iter().any(|(k, _)| k == key) {
            resource.push((key.into(), text.into()));
        }
    }
    let headers = pairs(of("HEADERS").as_deref().unwrap_or_default());
    for (name, value) in &headers {
        let good = http::HeaderName::try_from(name).is_ok()
            && http::HeaderValue::try_from(value.as_str()).is_ok();
        if !good {
            return Err("OTEL_EXPORTER_OTLP_HEADERS: one of them can be no header".into());
        }
    }
    Ok(Some(Exporting {
        url,
        headers,
        within: Duration::from_millis(within),
        resource,
        queue: usize::try_from(queue).unwrap_or(2048),
        batch: usize::try_from(batch.min(queue)).unwrap_or(512),
        every: Duration::from_millis(every),
    }))
}

fn address(url: &str) -> Result<(), String> {
    let told = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let uri: http::Uri = url.parse().map_err(|_| format!("{told}: no address"))?;
    let known = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    let secret = uri.authority().is_some_and(|a| a.as_str().contains('@'));
    match (known, secret) {
        (true, false) => Ok(()),
        (true, true) => Err(format!(
            "{told}: an address has no password in it; use OTEL_EXPORTER_OTLP_HEADERS"
        )),
        _ => Err(format!(
            "{told}: expected an address like `http://127.0.0.1:4318`"
        )),
    }
}

/// `name=value,name=value`, percent-encoded, as W3C Baggage has it; what is no pair is passed over.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').filter_map(|p| p.split_once('='));
    pairs
        .map(|(name, value)| (name.trim().to_owned(), decoded(value.trim())))
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let two = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match two.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        variables: &[(&str, &str)],
        endpoint: Option<&str>,
    ) -> Result<Option<Exporting>, String> {
        let get = |name: &str| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, v)| (*v).to_owned())
        };
        settings(&get, endpoint, "shop")
    }

    #[test]
    fn nothing_is_exported_unless_somebody_says_where() {
        assert_eq!(read(&[], None), Ok(None));
        let off = [("OTEL_SDK_DISABLED", "true")];
        assert_eq!(read(&off, Some("http://127.0.0.1:4318")), Ok(None));
        let none = [("OTEL_TRACES_EXPORTER", "none")];
        assert_eq!(read(&none, Some("http://127.0.0.1:4318")), Ok(None));
    }

    #[test]
    fn variables_count_before_the_configuration() {
        let url = |v: &[(&str, &str)]| {
            read(v, Some("http://of.configuration:1/"))
                .map(|e| e.map(|e| e.url))
                .unwrap()
                .unwrap()
        };
        assert_eq!(url(&[]), "http://of.configuration:1/v1/traces");
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:2/base");
        assert_eq!(url(&[all]), "http://all:2/base/v1/traces");
        let one = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://one:3/x");
        assert_eq!(url(&[all, one]), "https://one:3/x");
    }

    #[test]
    fn headers_times_and_names_are_read_and_no_secret_is_shown() {
        let read = read(
            &[
                (
                    "OTEL_EXPORTER_OTLP_HEADERS",
                    "authorization=Bearer%20s3cret, x-team = a",
                ),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
                ("OTEL_SERVICE_NAME", "releases"),
                (
                    "OTEL_RESOURCE_ATTRIBUTES",
                    "deployment.environment=test,service.name=no",
                ),
                ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
            ],
            Some("http://127.0.0.1:4318"),
        );
        let read = read.unwrap().unwrap();
        assert_eq!(read.headers[0].1, "Bearer s3cret");
        assert_eq!(read.headers[1], ("x-team".into(), "a".into()));
        assert_eq!(read.within, Duration::from_millis(250));
        assert_eq!((read.queue, read.batch), (10, 10));
        let name: Vec<_> = read
            .resource
            .iter()
            .filter(|(k, _)| k == "service.name")
            .collect();
        assert_eq!(name, [&("service.name".to_owned(), "releases".to_owned())]);
        assert!(!format!("{read:?}").contains("s3cret"));
    }

    #[test]
    fn what_cannot_be_done_is_said_without_its_value() {
        let endpoint = Some("http://127.0.0.1:4318");
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://ada:secret@collector"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=secret%0Ab"),
        ] {
            let told = read(&[(name, value)], endpoint).unwrap_err();
            assert!(told.starts_with("OTEL_"), "{told}");
            assert!(!told.contains("secret"), "{told}");
        }
    }
}
