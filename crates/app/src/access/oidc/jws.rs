//! A signed token as three texts with dots between (RFC 7515, section 3.1; RFC 7519).
//!
//! Nothing of it is believed here: what is read before the signature is checked is the algorithm and the key's id, and both are held
//! against what is configured. JSON with a key twice is refused, so that nobody reads another claim than somebody else did.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gonogo_core::{Timestamp, canonical};
use serde_json::Value;

/// The most that a token may have, in bytes.
const MOST: usize = 16 << 10;

/// A signed text that was not checked yet.
pub(super) struct Signed<'t> {
    /// `alg` of the header.
    pub(super) algorithm: String,
    /// `kid` of the header.
    pub(super) key: Option<String>,
    /// What is signed.
    pub(super) text: &'t str,
    /// The signature.
    pub(super) signature: Vec<u8>,
    payload: &'t str,
}

impl<'t> Signed<'t> {
    /// Takes a token apart.
    pub(super) fn read(token: &'t str) -> Result<Self, &'static str> {
        const NONE: &str = "the token is no signed token";
        if token.len() > MOST {
            return Err("the token is too long");
        }
        let (text, signature) = token.rsplit_once('.').ok_or(NONE)?;
        let (header, payload) = text.split_once('.').ok_or(NONE)?;
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| NONE);
        let header = canonical::parse(&bytes(header)?).map_err(|_| NONE)?;
        // Extensions that must be understood are not (section 4.1.11).
        if header.get("crit").is_some() {
            return Err("the token asks for extensions that are not known here");
        }
        let kind = match &header["typ"] {
            Value::Null => true,
            // RFC 7515, section 4.1.9: `application/` may be left out.
            Value::String(kind) => {
                let kind = kind.to_ascii_lowercase();
                let kind = kind.strip_prefix("application/").unwrap_or(&kind);
                matches!(kind, "jwt" | "at+jwt")
            }
            _ => false,
        };
        if !kind {
            return Err("the token is of another type than `JWT` and `at+jwt`");
        }
        let key = match &header["kid"] {
            Value::Null => None,
            Value::String(id) => Some(id.clone()),
            _ => return Err(NONE),
        };
        Ok(Self {
            algorithm: header["alg"].as_str().ok_or(NONE)?.to_owned(),
            key,
            text,
            signature: bytes(signature)?,
            payload,
        })
    }

    /// What it claims; to be asked only once the signature is checked.
    pub(super) fn claims(&self) -> Result<Value, &'static str> {
        const NONE: &str = "the token's claims are no JSON object";
        let bytes = URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| NONE)?;
        let claims = canonical::parse(&bytes).map_err(|_| NONE)?;
        claims.is_object().then_some(claims).ok_or(NONE)
    }
}

/// Seconds since 1970, with or without a fraction (RFC 7519, section 2), between 1970 and 2500.
pub(super) fn date(value: &Value) -> Option<Timestamp> {
    const LATEST: f64 = 16_725_225_600.0;
    let seconds = value.as_f64().filter(|s| (0.0..=LATEST).contains(s))?;
    Some(Timestamp::from_millis((seconds * 1000.0) as i64))
}
