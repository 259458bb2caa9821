//! One request from its head to the head of its response.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, SET_COOKIE};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::time::{Instant, timeout_at};

use super::body::{Download, RequestBody, ResponseBody, Upload, UploadFault};
use super::exchange::{End, Exchange};
use super::headers::{self, Ask, Refusal};
use super::sticky::Bucket;
use super::table::Slot;
use super::upstream::{ConnectFailure, Lease};
use super::worker::{Active, Conn, Worker};
use super::{Upstream, sticky, tunnel};

/// Connections a request may be offered to; the last one is always new.
const MAX_OFFERS: u32 = 3;

type Answer = Response<ResponseBody>;

/// Serves one request. It never fails: what goes wrong becomes a response, or an error of the response body.
pub(super) async fn serve(
    worker: Rc<Worker>,
    conn: Rc<Conn>,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let started = Instant::now();
    let active = Active::begin(&conn);
    let version = request.version();
    if version != Version::HTTP_2 && conn.refuses_next_head() {
        return Ok(refuse(
            &worker,
            active,
            StatusCode::BAD_REQUEST,
            "ambiguous request framing\n",
            version,
        ));
    }
    let (mut parts, body) = request.into_parts();
    let ask = match headers::receive(&mut parts, &conn.client) {
        Ok(ask) => ask,
        Err(Refusal::Host) => {
            return Ok(refuse(
                &worker,
                active,
                StatusCode::BAD_REQUEST,
                "bad host\n",
                version,
            ));
        }
        Err(Refusal::Connect) => {
            return Ok(refuse(
                &worker,
                active,
                StatusCode::NOT_IMPLEMENTED,
                "no tunnels here\n",
                version,
            ));
        }
        Err(Refusal::LastHop) => {
            return Ok(answer(active, StatusCode::NO_CONTENT, "", false));
        }
    };
    let upgrade = ask
        .upgrade
        .is_some()
        .then(|| parts.extensions.remove::<OnUpgrade>())
        .flatten();
    let bodiless = parts.method == Method::HEAD;

    let known = worker
        .sticky
        .as_ref()
        .and_then(|s| sticky::find(s, &parts.headers));
    let bucket = known.unwrap_or_else(|| worker.draw());
    let Some(slot) = worker.choose(bucket) else {
        return Ok(unrouted(&worker, active));
    };
    let mut passage = Passage {
        worker,
        exchange: Exchange::begin(slot, started),
        upload: None,
        bucket,
        stick: known.is_none(),
    };
    let (body, upload) = RequestBody::new(body, passage.worker.limits.body_idle_timeout, started);
    passage.upload = upload;

    let (response, lease) = match passage
        .exchange_heads(Request::from_parts(parts, body), &ask)
        .await
    {
        Ok(both) => both,
        Err(Failure::Unrouted) => {
            let Passage {
                worker, exchange, ..
            } = passage;
            exchange.withdraw();
            return Ok(unrouted(&worker, active));
        }
        Err(failure) => return Ok(passage.fail(active, failure, version)),
    };
    Ok(passage.respond(response, lease, conn, active, upgrade, bodiless))
}

/// Why there is no response to hand on.
enum Failure {
    Unrouted,
    Connect(ConnectFailure),
    HeadTimeout,
    Broken,
    Client(UploadFault),
}

/// A request on its way.
struct Passage {
    worker: Rc<Worker>,
    exchange: Exchange,
    upload: Option<Rc<Upload>>,
    bucket: Bucket,
    /// Whether the response gives the client its bucket.
    stick: bool,
}

impl Passage {
    /// Sends the request and waits for the response head; offers it to another connection only if it came back untouched.
    async fn exchange_heads(
        &mut self,
        mut request: Request<RequestBody>,
        ask: &Ask,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let mut offers = 0;
        loop {
            self.keep_or_move()?;
            let slot = Rc::clone(self.exchange.slot());
            let fresh = offers + 1 >= MAX_OFFERS;
            let mut lease = match slot.pool.lease(fresh, &self.worker.limits).await {
                Ok(lease) => lease,
                Err(failure) => return Err(Failure::Connect(failure)),
            };
            if lease.waited && !self.worker.is_current(&slot) {
                lease.give_back();
                continue;
            }
            request = shape(request, ask, &slot);
            self.exchange.mark_routed();
            match self.wait(&mut lease, request).await? {
                Offered::Answered(response) => return Ok((response, lease)),
                Offered::Untouched(_) if fresh => {
                    return Err(Failure::Connect(ConnectFailure::Refused));
                }
                Offered::Untouched(back) => request = back,
            }
            offers += 1;
        }
    }

    /// Chooses again if the slot lost its share while the request waited.
    fn keep_or_move(&mut self) -> Result<(), Failure> {
        if self.worker.is_current(self.exchange.slot()) {
            return Ok(());
        }
        let slot = self.worker.choose(self.bucket).ok_or(Failure::Unrouted)?;
        self.exchange.move_to(slot);
        Ok(())
    }

    async fn wait(
        &self,
        lease: &mut Lease,
        request: Request<RequestBody>,
    ) -> Result<Offered, Failure> {
        let limit = self.worker.limits.response_header_timeout;
        let mut sending = std::pin::pin!(lease.send(request));
        let mut until = Instant::now() + limit;
        loop {
            match timeout_at(until, sending.as_mut()).await {
                Ok(Ok(response)) => return Ok(Offered::Answered(response)),
                Ok(Err(mut refused)) => {
                    let fault = self.upload.as_ref().and_then(|u| u.fault.get());
                    return match (refused.take_message(), fault) {
                        (Some(request), _) => Ok(Offered::Untouched(request)),
                        (None, Some(fault)) => Err(Failure::Client(fault)),
                        (None, None) => Err(Failure::Broken),
                    };
                }
                Err(_) => until = self.patience(limit).ok_or(Failure::HeadTimeout)?,
            }
        }
    }

    /// The later deadline of a request whose body was still moving; `None` when the upstream has had its time.
    fn patience(&self, limit: Duration) -> Option<Instant> {
        let upload = self.upload.as_ref()?;
        let now = Instant::now();
        if upload.waits_for_client.get() {
            return Some(now + limit);
        }
        Some(upload.last.get() + limit).filter(|until| *until > now)
    }

    fn fail(mut self, active: Active, failure: Failure, version: Version) -> Answer {
        let (end, status, text) = match failure {
            Failure::Unrouted | Failure::Connect(ConnectFailure::Refused) => (
                End::ConnectError,
                StatusCode::BAD_GATEWAY,
                "upstream cannot be reached\n",
            ),
            Failure::Connect(ConnectFailure::TimedOut) => (
                End::ConnectError,
                StatusCode::GATEWAY_TIMEOUT,
                "upstream cannot be reached\n",
            ),
            Failure::HeadTimeout => (
                End::Timeout,
                StatusCode::GATEWAY_TIMEOUT,
                "upstream did not answer in time\n",
            ),
            Failure::Broken => (
                End::Aborted,
                StatusCode::BAD_GATEWAY,
                "upstream broke off\n",
            ),
            Failure::Client(UploadFault::Silent) => (
                End::ClientGone,
                StatusCode::REQUEST_TIMEOUT,
                "request body did not come in time\n",
            ),
            Failure::Client(UploadFault::Gone) => (
                End::ClientGone,
                StatusCode::BAD_REQUEST,
                "request body broke off\n",
            ),
            Failure::Client(UploadFault::Broken) => {
                self.worker.stats.bad_requests.up();
                (
                    End::ClientGone,
                    StatusCode::BAD_REQUEST,
                    "broken request body\n",
                )
            }
        };
        self.exchange.end(end);
        // What is left of the request body is not worth reading.
        answer(
            active,
            status,
            text,
            self.upload.is_some() && version != Version::HTTP_2,
        )
    }

    fn respond(
        mut self,
        mut response: Response<Incoming>,
        lease: Lease,
        conn: Rc<Conn>,
        active: Active,
        upgrade: Option<OnUpgrade>,
        bodiless: bool,
    ) -> Answer {
        let status = response.status();
        let switching = status == StatusCode::SWITCHING_PROTOCOLS;
        let mut tunnelled = None;
        if switching {
            let Some(client) = upgrade else {
                return self.fail(active, Failure::Broken, Version::HTTP_11);
            };
            tunnelled = Some((client, hyper::upgrade::on(&mut response)));
        }
        let (mut parts, body) = response.into_parts();
        headers::respond(&mut parts, switching);
        if self.stick
            && let Some(sticky) = &self.worker.sticky
            && let Some(cookie) = sticky::set_cookie(sticky, self.bucket)
        {
            parts.headers.append(SET_COOKIE, cookie);
        }
        if let Some((client, upstream)) = tunnelled {
            conn.notes.make_opaque();
            self.exchange.end(End::Status(status));
            tunnel::join(self.exchange.slot(), conn, client, upstream);
            return Response::from_parts(parts, ResponseBody::text("", active));
        }
        let bodiless =
            bodiless || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        let download = Download::new(
            self.exchange,
            lease,
            status,
            self.worker.limits.body_idle_timeout,
        );
        Response::from_parts(
            parts,
            ResponseBody::upstream(body, download, bodiless, active),
        )
    }
}

/// What became of an offered request.
enum Offered {
    Answered(Response<Incoming>),
    /// Nothing of it was sent.
    Untouched(Request<RequestBody>),
}

fn shape(request: Request<RequestBody>, ask: &Ask, slot: &Slot) -> Request<RequestBody> {
    let (mut parts, body) = request.into_parts();
    match slot.route.protocol {
        Upstream::Http1 => {
            headers::shape_h1(&mut parts, ask, &slot.authority, body.unknown_length())
        }
        Upstream::H2c => headers::shape_h2(&mut parts, ask, &slot.authority),
    }
    Request::from_parts(parts, body)
}

/// A response of our own.
fn answer(active: Active, status: StatusCode, text: &'static str, close: bool) -> Answer {
    let mut response = Response::new(ResponseBody::text(text, active));
    *response.status_mut() = status;
    if !text.is_empty() {
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
    }
    if close {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn refuse(
    worker: &Worker,
    active: Active,
    status: StatusCode,
    text: &'static str,
    version: Version,
) -> Answer {
    worker.stats.bad_requests.up();
    answer(active, status, text, version != Version::HTTP_2)
}

fn unrouted(worker: &Worker, active: Active) -> Answer {
    worker.stats.unrouted.up();
    let mut response = answer(
        active,
        StatusCode::SERVICE_UNAVAILABLE,
        "no version is ready to serve this request\n",
        false,
    );
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
