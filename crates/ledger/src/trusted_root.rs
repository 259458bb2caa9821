//! Sigstore TrustedRoot: the form in which stock Sigstore verifiers take the log's key.
//!
//! We write one log and nothing else. `baseUrl` is `https://` and the origin, because stock verifiers take a checkpoint's
//! signer name from the host of that URL; `logId` is the untruncated C2SP key hash, as in the bundles. The key is valid
//! without end: its end is said by a reader who no longer trusts it, with an `end` in a root of their own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::{Timestamp, canonical};
use serde_json::{Value, json};

use crate::error::Error;
use crate::note::Vkey;

/// The media type of a trusted root.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/// DER of SubjectPublicKeyInfo for Ed25519 (RFC 8410), up to the 32 bytes of the key.
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

const DETAILS: &str = "PKIX_ED25519";

const HASH: &str = "SHA2_256";

/// Returns the trusted root of one log with an Ed25519 key, RFC 8785 form.
///
/// # Errors
/// [`Error::TrustedRoot`] if the log's name cannot stand in JSON.
pub fn of_log(log: &Vkey) -> Result<Vec<u8>, Error> {
    let mut spki = SPKI_PREFIX.to_vec();
    spki.extend_from_slice(log.public());
    let value = json!({
        "mediaType": MEDIA_TYPE,
        "tlogs": [{
            "baseUrl": format!("https://{}", log.name()),
            "hashAlgorithm": HASH,
            "publicKey": {
                "rawBytes": STANDARD.encode(spki),
                "keyDetails": DETAILS,
                "validFor": {"start": "1970-01-01T00:00:00Z"},
            },
            "logId": {"keyId": STANDARD.encode(log.full_id().as_bytes())},
        }],
        "certificateAuthorities": [],
        "ctlogs": [],
        "timestampAuthorities": [],
    });
    canonical::to_vec(&value).map_err(|e| Error::TrustedRoot(e.to_string()))
}

/// Returns the Ed25519 logs that a trusted root names, by anybody, as far as it trusts them at the time `at`. Logs with other
/// keys are passed over: our checkpoints are never signed by them.
///
/// Records say when they were made, and nobody vouches for that; so what counts is when the reader asks. Who wants to
/// believe a log whose time is over says so by its key.
///
/// # Errors
/// [`Error::TrustedRoot`] if the text is no trusted root, or names no such log.
pub fn logs(text: &[u8], at: Timestamp) -> Result<Vec<Vkey>, Error> {
    let bad = |what: &str| Error::TrustedRoot(what.to_owned());
    let value = canonical::parse(text).map_err(|e| bad(&e.to_string()))?;
    let is_root = value["mediaType"]
        .as_str()
        .is_some_and(|t| t.starts_with("application/vnd.dev.sigstore.trustedroot"));
    if !is_root {
        return Err(bad("its `mediaType` is another"));
    }
    let list = value["tlogs"]
        .as_array()
        .ok_or_else(|| bad("it has no list `tlogs`"))?;
    let logs: Vec<(Vkey, &Value)> = list
        .iter()
        .filter_map(|log| Some((log_of(log)?, &log["publicKey"]["validFor"])))
        .collect();
    let Some((first, _)) = logs.first() else {
        return Err(bad("no log in it has an Ed25519 key that can be read"));
    };
    let name = first.name().to_owned();
    let mut valid = Vec::new();
    for (log, times) in logs {
        if is_valid(times, at).ok_or_else(|| bad("a `validFor` is no two times"))? {
            valid.push(log);
        }
    }
    if valid.is_empty() {
        return Err(bad(&format!(
            "the key of log `{name}` is not valid at {at}"
        )));
    }
    Ok(valid)
}

/// Whether `at` lies in a Sigstore TimeRange: `start` is required, `end` is not, both count. `None` if it is none.
fn is_valid(times: &Value, at: Timestamp) -> Option<bool> {
    let time = |name: &str| times[name].as_str()?.parse::<Timestamp>().ok();
    let ends = match times.get("end") {
        None | Some(Value::Null) => false,
        Some(_) => at > time("end")?,
    };
    Some(time("start")? <= at && !ends)
}

fn log_of(log: &Value) -> Option<Vkey> {
    let key = &log["publicKey"];
    if key["keyDetails"] != DETAILS || log["hashAlgorithm"] != HASH {
        return None;
    }
    let spki = STANDARD.decode(key["rawBytes"].as_str()?).ok()?;
    let raw = spki.strip_prefix(&SPKI_PREFIX)?.try_into().ok()?;
    let host = log["baseUrl"]
        .as_str()?
        .strip_prefix("https://")?
        .split(['/', ':'])
        .next()?;
    let vkey = Vkey::new(host, raw).ok()?;
    // A log id that is not of this name and key would be found in no bundle.
    let id = STANDARD.encode(vkey.full_id().as_bytes());
    (log["logId"]["keyId"] == id.as_str()).then_some(vkey)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::LogKey;

    #[test]
    fn a_root_names_its_log_and_only_that() {
        let key = LogKey::load("ledger.example", &LogKey::generate().unwrap()).unwrap();
        let text = of_log(key.vkey()).unwrap();
        let now = Timestamp::from_millis(1_795_000_000_000);
        assert_eq!(logs(&text, now).unwrap(), [key.vkey().clone()]);
        let text = String::from_utf8(text).unwrap();
        for (from, to) in [
            ("ledger.example", "ledger.other"),
            ("PKIX_ED25519", "PKIX_ECDSA_P256_SHA_256"),
            ("trustedroot", "bundle"),
            ("\"tlogs\"", "\"logs\""),
            ("https://", "http://"),
            ("MCow", "MCox"),
            ("SHA2_256", "SHA2_512"),
            ("1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z"),
            ("1970-01-01T00:00:00Z", "once"),
            ("\"start\"", "\"begin\""),
            ("\"start\"", "\"end\":\"2020-01-01T00:00:00Z\",\"start\""),
            ("\"start\"", "\"end\":7,\"start\""),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text, "{from}");
            let error = logs(changed.as_bytes(), now).unwrap_err().to_string();
            assert!(error.starts_with("not a trusted root: "), "{error}");
        }
    }
}
