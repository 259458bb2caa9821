//! Requests and answers: routing, the probes, and the injected behaviour of shop requests.
//!
//! Every answer leaves through [`Shop::answer`], the one place that sets `x-version`. Shop requests
//! (anything but a probe) are refused with 503 until the service is ready, then take the drawn
//! latency, leak, and fail with the configured share — in that order, each drawn independently.

use crate::behaviour::Behaviour;
use crate::catalogue;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A cart that does not fit in this is not a cart.
const BODY_LIMIT: usize = 16 * 1024;

/// How much later than asked for a tokio timer fires on average: it knows whole milliseconds only
/// and rounds up. Without taking it off, the median of a good version would be twice what was set.
const TIMER_LAG: Duration = Duration::from_millis(1);

/// One running version of the shop.
pub(crate) struct Shop {
    behaviour: Behaviour,
    version: HeaderValue,
    started: Instant,
    random: Mutex<fastrand::Rng>,
    leaked: Mutex<Vec<Box<[u8]>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    product: String,
    #[serde(default = "one")]
    quantity: u32,
}

fn one() -> u32 {
    1
}

impl Shop {
    pub(crate) fn new(behaviour: Behaviour, seed: Option<u64>, started: Instant) -> Self {
        let version = HeaderValue::from_str(&behaviour.version)
            .expect("invariant: the behaviour file's reader admits visible ASCII only");
        Self {
            version,
            started,
            random: Mutex::new(seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed)),
            leaked: Mutex::default(),
            behaviour,
        }
    }

    /// Answers one request. Never fails: what goes wrong is an answer too.
    pub(crate) async fn answer<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<Full<Bytes>>, Infallible>
    where
        B: hyper::body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut response = self.route(request).await;
        response
            .headers_mut()
            .insert("x-version", self.version.clone());
        Ok(response)
    }

    async fn route<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: hyper::body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let read = matches!(parts.method, Method::GET | Method::HEAD);
        match path {
            "/healthz" if read => return text(StatusCode::OK, "ok\n"),
            "/readyz" if read && self.ready() => return text(StatusCode::OK, "ready\n"),
            "/readyz" if read => return text(StatusCode::SERVICE_UNAVAILABLE, "warming up\n"),
            "/version" if read => {
                return as_json(
                    StatusCode::OK,
                    &json!({ "version": self.behaviour.version }),
                );
            }
            _ => {}
        }
        if !self.ready() {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "the shop is not open yet");
        }
        if self.burden().await {
            let status = StatusCode::from_u16(self.behaviour.error_status)
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return problem(status, "the till is broken");
        }
        match (path, path.strip_prefix("/products/")) {
            ("/", _) if read => html(catalogue::page(&self.behaviour.version)),
            ("/products", _) if read => as_json(
                StatusCode::OK,
                &json!({ "version": self.behaviour.version, "products": catalogue::PRODUCTS }),
            ),
            (_, Some(id)) if read => match catalogue::find(id) {
                Some(product) => as_json(StatusCode::OK, &json!(product)),
                None => problem(StatusCode::NOT_FOUND, "no such product"),
            },
            ("/cart", _) if parts.method == Method::POST => self.fill(body).await,
            ("/" | "/products" | "/cart" | "/healthz" | "/readyz" | "/version", _)
            | (_, Some(_)) => problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "the shop does not do that here",
            ),
            _ => problem(StatusCode::NOT_FOUND, "no such page"),
        }
    }

    fn ready(&self) -> bool {
        !self.behaviour.never_ready && self.started.elapsed() >= self.behaviour.warm_up
    }

    /// Takes the drawn time, leaks what the version leaks, and says whether this request fails.
    async fn burden(&self) -> bool {
        let (latency, dice) = {
            let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
            (self.behaviour.latency.draw(&mut random), random.f64())
        };
        tokio::time::sleep(
            latency
                .saturating_sub(TIMER_LAG)
                .max(Duration::from_micros(1)),
        )
        .await;
        self.leak();
        self.started.elapsed() >= self.behaviour.errors_after && dice < self.behaviour.error_rate
    }

    fn leak(&self) {
        let size = self.behaviour.leak_per_request;
        if size == 0 {
            return;
        }
        let mut leaked = self.leaked.lock().unwrap_or_else(PoisonError::into_inner);
        let held = size.saturating_mul(leaked.len() as u64);
        if held.saturating_add(size) <= self.behaviour.leak_limit {
            // Not zero: untouched zero pages would not be resident.
            leaked.push(vec![0xA5; usize::try_from(size).unwrap_or(usize::MAX)].into_boxed_slice());
        }
    }

    async fn fill<B>(&self, body: B) -> Response<Full<Bytes>>
    where
        B: hyper::body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let bytes = match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                return problem(StatusCode::PAYLOAD_TOO_LARGE, "a cart is at most 16 KiB");
            }
            Err(_) => return problem(StatusCode::BAD_REQUEST, "the body did not arrive whole"),
        };
        let order: Order = match serde_json::from_slice(&bytes) {
            Ok(order) => order,
            Err(error) => {
                return problem(StatusCode::BAD_REQUEST, &format!("not an order: {error}"));
            }
        };
        let Some(product) = catalogue::find(&order.product) else {
            return problem(StatusCode::UNPROCESSABLE_ENTITY, "no such product");
        };
        if order.quantity == 0 {
            return problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "quantity must be at least 1",
            );
        }
        let number = self
            .random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .u64(..);
        as_json(
            StatusCode::CREATED,
            &json!({
                "cart": format!("c-{number:016x}"),
                "product": product.id,
                "quantity": order.quantity,
                "total_cents": product.price_cents * u64::from(order.quantity),
            }),
        )
    }
}

/// Names the concrete body for the connection code.
pub(crate) type IncomingRequest = Request<Incoming>;

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    respond(
        status,
        "text/plain; charset=utf-8",
        Bytes::from_static(body.as_bytes()),
    )
}

fn html(body: String) -> Response<Full<Bytes>> {
    respond(
        StatusCode::OK,
        "text/html; charset=utf-8",
        Bytes::from(body),
    )
}

fn as_json(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    respond(status, "application/json", Bytes::from(value.to_string()))
}

fn problem(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    as_json(status, &json!({ "error": why }))
}

fn respond(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
