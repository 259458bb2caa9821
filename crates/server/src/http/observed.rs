//! What the server tells of itself: `/metrics`, and a span for each request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use gonogo_app::AppError;
use gonogo_app::access::Scope;
use gonogo_app::calls::looked;
use gonogo_core::envelope::Class;
use gonogo_telemetry::{Context, Gauges, Kind, Metrics, Span, SpanId, TraceId, unix_nanos};

use super::reply::{Reply, short};
use super::{Door, guard};

/// How long a look at the store may take; then what was seen last is told.
const LOOK: Duration = Duration::from_secs(2);

/// The span of a request, for what is a part of it.
#[derive(Clone, Copy)]
struct Within(SpanId);

/// Counts each answer, and tells of each request where spans go somewhere.
pub(super) async fn watch(
    State(door): State<Arc<Door>>,
    mut request: Request,
    next: Next,
) -> Response {
    let meter = Arc::clone(door.lanes.meter());
    let caller = caller(request.headers());
    let sampled = caller.as_ref().is_none_or(|c| c.sampled);
    if !(meter.tracer.is_on() && sampled) {
        let response = next.run(request).await;
        meter.metrics.answered(response.status().as_u16());
        return response;
    }
    let (id, start) = (SpanId::new(gonogo_app::identity::random()), unix_nanos());
    request.extensions_mut().insert(Within(id));
    let method = request.method().to_string();
    let path = short(request.uri().path());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    meter.metrics.answered(status);
    let trace = response.headers().get("x-trace-id");
    // What is answered without a trace, like `/livez`, is nobody's question about a release.
    if let Some(trace) = trace.and_then(|t| t.to_str().ok()) {
        let caller = caller.filter(|c| c.trace == trace);
        meter.tracer.tell(Span {
            trace: TraceId::named(trace),
            id,
            parent: caller.and_then(|c| c.parent),
            name: format!("HTTP {method}"),
            kind: Kind::Server,
            start,
            end: unix_nanos(),
            attributes: vec![
                ("http.request.method", method.into()),
                ("url.path", path.into()),
                ("http.response.status_code", i64::from(status).into()),
                ("gonogo.trace_id", trace.into()),
            ],
            error: (status >= 500).then(|| status.to_string()),
        });
    }
    response
}

fn caller(headers: &HeaderMap) -> Option<Context> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    Context::read(text)
}

/// Where in its trace a request is: below its own span, else below the caller's.
pub(super) fn context(parts: &Parts, trace: &str) -> Context {
    let caller = caller(&parts.headers);
    let sampled = caller.as_ref().is_none_or(|c| c.sampled);
    let of_caller = caller.filter(|c| c.trace == trace).and_then(|c| c.parent);
    let own = parts.extensions.get::<Within>().map(|w| w.0);
    Context {
        trace: trace.to_owned(),
        parent: own.or(of_caller),
        sampled,
    }
}

/// What was seen last; one look at a time.
#[derive(Default)]
pub(crate) struct Looking {
    now: Arc<tokio::sync::Mutex<()>>,
    last: Arc<Mutex<Option<Gauges>>>,
}

/// `GET /metrics`, for whoever may look.
pub(super) async fn metrics(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let reply = Reply::to(&parts.headers, "metrics", Class::Read);
    let may = || -> Result<(), AppError> {
        // A file that was broken since opens nothing.
        let config = door.lanes.project().config();
        if config.is_ok_and(|c| c.telemetry.metrics_open) {
            return guard::host(&door, &parts);
        }
        guard::enter(&door, &parts)?.must_have(Scope::Read)
    };
    match may() {
        Ok(()) => told(&door).await,
        Err(e) => reply.fail(&e),
    }
}

/// `GET /metrics` where it is for everybody.
pub(super) async fn open(State(door): State<Arc<Door>>) -> Response {
    told(&door).await
}

async fn told(door: &Arc<Door>) -> Response {
    let meter = door.lanes.meter();
    let looked = look(door).await;
    let last = door.looking.last.lock();
    let last = last.unwrap_or_else(PoisonError::into_inner).clone();
    // What is older than this answer is told, and that it is older.
    meter.metrics.look(last.as_ref());
    if !looked {
        meter.metrics.look(None);
    }
    meter.metrics.spans(&meter.tracer.lost());
    meter.metrics.followed(door.feed.readers());
    let mut response = Response::new(Body::from(meter.metrics.text()));
    let kind = HeaderValue::from_static(Metrics::CONTENT_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Looks at the store, unless somebody does already or it takes too long; says whether what is kept is of now.
async fn look(door: &Arc<Door>) -> bool {
    let looking = async {
        let one = Arc::clone(&door.looking.now).lock_owned().await;
        let (of, last) = (Arc::clone(door), Arc::clone(&door.looking.last));
        let work = move || {
            // Held until the look is done, also one that nobody waits for any more: a store that hangs takes one thread.
            let _one = one;
            let seen = looked(of.lanes.project().root()).ok()?;
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
            Some(())
        };
        tokio::task::spawn_blocking(work).await.ok().flatten()
    };
    matches!(tokio::time::timeout(LOOK, looking).await, Ok(Some(())))
}
