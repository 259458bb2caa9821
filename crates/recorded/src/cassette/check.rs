//! What serde cannot say about a cassette: texts that must be methods, URLs, names and base64, and fields that exclude another.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Uri};

use super::{Body, Cassette, Field, FieldValue};

/// Says what is wrong, with its place as a JSON pointer.
pub(super) fn check(cassette: &Cassette) -> Result<(), String> {
    if cassette.interactions.is_empty() {
        return Err("/interactions: there are none, so nothing could ever be played".into());
    }
    for (n, interaction) in cassette.interactions.iter().enumerate() {
        let at = format!("/interactions/{n}");
        let request = &interaction.request;
        // As it came: a method is case-sensitive, so `patch` is one that few services know, and not PATCH.
        if Method::from_bytes(request.method.as_bytes()).is_err() {
            return Err(format!("{at}/request/method: no method"));
        }
        check_url(&request.url).map_err(|why| format!("{at}/request/url: {why}"))?;
        check_fields(&request.headers).map_err(|why| format!("{at}/request/headers/{why}"))?;
        check_fields(&request.trailers).map_err(|why| format!("{at}/request/trailers/{why}"))?;
        check_body(request.body.as_ref()).map_err(|why| format!("{at}/request/body{why}"))?;
        let response = &interaction.response;
        if !(200..=599).contains(&response.status) {
            return Err(format!("{at}/response/status: expected 200 to 599"));
        }
        check_fields(&response.headers).map_err(|why| format!("{at}/response/headers/{why}"))?;
        check_fields(&response.trailers).map_err(|why| format!("{at}/response/trailers/{why}"))?;
        check_body(response.body.as_ref()).map_err(|why| format!("{at}/response/body{why}"))?;
    }
    Ok(())
}

fn check_url(url: &str) -> Result<(), String> {
    // The mark of what was redacted may stand anywhere, also where a URL has no brackets.
    let plain = url.replace(crate::redact::MARK, "x");
    let uri: Uri = plain.parse().map_err(|e| format!("no URL: {e}"))?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    if !known || uri.host().is_none_or(str::is_empty) {
        return Err("expected an absolute http or https URL".into());
    }
    Ok(())
}

fn check_fields(fields: &[Field]) -> Result<(), String> {
    for (n, field) in fields.iter().enumerate() {
        let name = HeaderName::from_bytes(field.0.as_bytes())
            .map_err(|_| format!("{n}: no header name"))?;
        if name.as_str() != field.0 {
            return Err(format!("{n}: a header name is in lower case"));
        }
        let value = match &field.1 {
            FieldValue::Text(text) => text.clone().into_bytes(),
            FieldValue::Raw(raw) => STANDARD
                .decode(&raw.base64)
                .map_err(|e| format!("{n}: {e}"))?,
        };
        HeaderValue::from_bytes(&value).map_err(|_| format!("{n}: no header value"))?;
    }
    Ok(())
}

fn check_body(body: Option<&Body>) -> Result<(), String> {
    let Some(body) = body else { return Ok(()) };
    match (&body.chunks, &body.blob) {
        (Some(chunks), None) => {
            for (n, chunk) in chunks.iter().enumerate() {
                match (&chunk.text, &chunk.base64) {
                    (Some(_), None) => {}
                    (None, Some(coded)) => {
                        let read = STANDARD.decode(coded);
                        read.map_err(|e| format!("/chunks/{n}/base64: {e}"))?;
                    }
                    _ => return Err(format!("/chunks/{n}: either `text` or `base64`")),
                }
            }
            Ok(())
        }
        (None, Some(blob)) => {
            let mut last = 0;
            for (n, (end, _)) in blob.chunks.iter().enumerate() {
                if *end < last || *end > blob.bytes {
                    return Err(format!("/blob/chunks/{n}: not in order, or beyond the end"));
                }
                last = *end;
            }
            if !blob.chunks.is_empty() && last != blob.bytes {
                return Err("/blob/chunks: they do not reach the end".into());
            }
            Ok(())
        }
        _ => Err(": either `chunks` or `blob`".into()),
    }
}
