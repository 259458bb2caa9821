//! Signatures of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, base64, behind `v1,`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;

use crate::identity::random;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// A secret: 24 to 64 bytes, as the specification asks. It has no way to be shown.
pub(super) struct Secret(hmac::Key);

impl Secret {
    /// Reads `whsec_…`.
    ///
    /// # Errors
    /// In words that do not repeat it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let encoded = text
            .strip_prefix(PREFIX)
            .ok_or("it does not begin with `whsec_`")?;
        let bytes = BASE64
            .decode(encoded)
            .map_err(|_| "what follows `whsec_` is not base64")?;
        if (24..=64).contains(&bytes.len()) {
            Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
        } else {
            Err("it has less than 24 or more than 64 bytes")
        }
    }

    fn sign(&self, id: &str, at: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{at}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64.encode(context.sign()))
    }
}

/// A new secret of 32 bytes.
pub fn new_secret() -> String {
    format!(
        "{PREFIX}{}",
        BASE64.encode([random(), random(), random(), random()].concat())
    )
}

/// The header `webhook-signature`: one signature a secret, `at` in seconds since 1970.
pub(super) fn header(secrets: &[Secret], id: &str, at: i64, body: &[u8]) -> String {
    let all: Vec<String> = secrets.iter().map(|s| s.sign(id, at, body)).collect();
    all.join(" ")
}

/// The signature of one body with one secret, for whoever checks a receiver.
///
/// # Errors
/// In words: the secret is none.
pub fn signature(secret: &str, id: &str, at: i64, body: &[u8]) -> Result<String, &'static str> {
    Ok(Secret::parse(secret)?.sign(id, at, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn signs_as_the_specification_does() {
        let said = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(
            said,
            Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".into())
        );
    }

    #[test]
    fn a_secret_that_is_none_is_told_without_being_repeated() {
        for text in [
            "",
            "whsec_",
            "whsec_AAAA",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_!!!",
        ] {
            let why = signature(text, "m", 0, b"").unwrap_err();
            assert!(
                text.is_empty() || !why.contains(text) || text == "whsec_",
                "{why}"
            );
        }
        assert!(signature(&new_secret(), "m", 0, b"").is_ok());
        assert_ne!(new_secret(), new_secret());
    }
}
