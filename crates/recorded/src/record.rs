//! One exchange while recording: to the real service and back, written down as it passes.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::ResponseFuture;
use tokio::time::timeout;

use crate::body::{Sent, Way, chain};
use crate::coding;
use crate::door::{own, text_body};
use crate::draft::Held;
use crate::fields;
use crate::recorder::Shared;

/// Asks the upstream, answers what it answers.
pub(crate) async fn answer(
    request: Request<Incoming>,
    url: Uri,
    shared: &Arc<Shared>,
) -> Response<Sent> {
    let limits = &shared.settings.limits;
    if shared.log.begun() >= limits.interactions as u64 {
        let text = format!(
            "more than {} requests in one recording",
            limits.interactions
        );
        return shared.refuse(StatusCode::SERVICE_UNAVAILABLE, text);
    }
    let (mut head, body) = request.into_parts();
    let address = url.to_string();
    shared.learn(&address, &head.headers);
    fields::strip(&mut head.headers);
    head.headers.remove(HOST);
    let mut kept = head.headers.clone();
    kept.remove(CONTENT_LENGTH);
    let held = shared.log.begin(head.method.as_str(), address, kept);
    let tee = shared.tee(body, &held, Way::Request, limits.body);
    coding::narrow(&mut head.headers);
    let mut out = Request::new(tee.map_err(Into::into).boxed_unsync());
    *out.method_mut() = head.method.clone();
    *out.headers_mut() = head.headers;
    *out.uri_mut() = without_user_info(url, out.headers_mut());
    *out.version_mut() = Version::HTTP_11;
    let Some(upstream) = &shared.upstream else {
        return fail(
            &held,
            StatusCode::BAD_GATEWAY,
            "there is no client for upstreams".into(),
        );
    };
    let response = match head_of(upstream.request(out), &held, shared).await {
        Ok(response) if response.status().is_informational() => {
            let text = format!(
                "the upstream answered {}, which ends no exchange",
                response.status()
            );
            return fail(&held, StatusCode::BAD_GATEWAY, text);
        }
        Ok(response) => response,
        Err((status, text)) => return fail(&held, status, text),
    };
    pass(response, &head.method, &held, shared)
}

/// Waits for the head of the response. Silence counts from the last byte that the upstream took of the request.
async fn head_of(
    mut asked: ResponseFuture,
    held: &Held,
    shared: &Shared,
) -> Result<Response<Incoming>, (StatusCode, String)> {
    let limit: Duration = shared.settings.limits.response.to_std();
    let mut taken = 0;
    loop {
        match timeout(limit, &mut asked).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(e)) => return Err((StatusCode::BAD_GATEWAY, chain(&e))),
            Err(_) => {
                let now = held
                    .with(|draft, _| draft.request.body.length())
                    .unwrap_or(0);
                if now == taken {
                    let text = format!("no answer within {limit:?}");
                    return Err((StatusCode::GATEWAY_TIMEOUT, text));
                }
                taken = now;
            }
        }
    }
}

fn pass(
    response: Response<Incoming>,
    method: &Method,
    held: &Held,
    shared: &Arc<Shared>,
) -> Response<Sent> {
    let (mut head, body) = response.into_parts();
    fields::strip(&mut head.headers);
    let mut kept = head.headers.clone();
    // Where there is no body the length says what another method would have got.
    if !bodyless(method, head.status) {
        kept.remove(CONTENT_LENGTH);
    }
    held.with(|draft, _| {
        draft.status = Some(head.status);
        draft.response.headers = kept;
    });
    let tee = shared.tee(body, held, Way::Response, shared.settings.limits.body);
    let mut answer = Response::new(tee.boxed_unsync());
    *answer.status_mut() = head.status;
    *answer.headers_mut() = head.headers;
    answer
}

/// Whether a response has no body whatever its header says (RFC 9110 section 6.4.1).
pub(crate) fn bodyless(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD || matches!(status.as_u16(), 204 | 304)
}

fn fail(held: &Held, status: StatusCode, text: String) -> Response<Sent> {
    held.with(|draft, _| draft.failed = Some(text.clone()));
    own(status, &text_body("UPSTREAM", &text))
}

/// Moves the userinfo of a URL where servers look for it (RFC 9110 section 4.2.4 wants none in a request).
fn without_user_info(url: Uri, headers: &mut HeaderMap) -> Uri {
    let mut parts = url.into_parts();
    if let Some(authority) = &parts.authority
        && let Some((info, host)) = authority.as_str().rsplit_once('@')
        && let Ok(host) = host.parse()
    {
        let plain = crate::redact::percent_decoded(info.as_bytes());
        let value = format!("Basic {}", STANDARD.encode(plain));
        if !headers.contains_key(AUTHORIZATION)
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            headers.insert(AUTHORIZATION, value);
        }
        parts.authority = Some(host);
    }
    Uri::from_parts(parts).unwrap_or_default()
}
