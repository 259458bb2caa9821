//! The authority of one run: signs a certificate for each host that a client asks for through a tunnel.
//!
//! Invariants: its key is in this process's memory only and ends with the run; no other run trusts it. The file that clients are told
//! of holds certificates, never a key.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::{Span, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

use crate::draft::locked;
use crate::error::Error;

/// More hosts in one run are refused.
const MOST_HOSTS: usize = 4096;

/// Signs, and remembers what it signed.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    key: KeyPair,
    now: Timestamp,
    hosts: Mutex<BTreeMap<String, Arc<ServerConfig>>>,
}

impl Authority {
    pub(crate) fn new(now: Timestamp) -> Result<Self, Error> {
        let make = || {
            let mut params = CertificateParams::new(Vec::new())?;
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let name = "gonogo recording proxy, one run only";
            params.distinguished_name.push(DnType::CommonName, name);
            date(&mut params, now);
            Ok((
                CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
                KeyPair::generate()?,
            ))
        };
        let failed =
            |e: rcgen::Error| Error::tls("make the run's certificate authority")(e.to_string());
        let (issuer, key) = make().map_err(failed)?;
        Ok(Self {
            issuer,
            key,
            now,
            hosts: Mutex::new(BTreeMap::new()),
        })
    }

    /// How to speak TLS as `host`, a name or an address without brackets.
    pub(crate) fn server(&self, host: &str) -> Result<Arc<ServerConfig>, String> {
        let mut hosts = locked(&self.hosts);
        if let Some(config) = hosts.get(host) {
            return Ok(Arc::clone(config));
        }
        if hosts.len() >= MOST_HOSTS {
            return Err(format!("more than {MOST_HOSTS} hosts in one run"));
        }
        let config = Arc::new(self.sign(host)?);
        hosts.insert(host.to_owned(), Arc::clone(&config));
        Ok(config)
    }

    fn sign(&self, host: &str) -> Result<ServerConfig, String> {
        let make = || {
            let mut params = CertificateParams::new(vec![host.to_owned()])?;
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            // The name stands among the alternative ones; longer than 64 bytes it could not stand here.
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.use_authority_key_identifier_extension = true;
            date(&mut params, self.now);
            params.signed_by(&self.key, &self.issuer)
        };
        let leaf = make().map_err(|e| format!("no certificate for `{host}`: {e}"))?;
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).map_err(str::to_owned)?;
        let chain = vec![leaf.der().clone(), self.issuer.der().clone()];
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|e| e.to_string())?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Writes the files that clients trust: `ca.pem`, the authority alone, and `bundle.pem`, it and `roots`.
    pub(crate) fn write(&self, roots: &[CertificateDer<'static>]) -> Result<TempDir, Error> {
        let dir = tempfile::Builder::new()
            .prefix("gonogo-recorded-")
            .tempdir()
            .map_err(Error::io("make a folder for certificates"))?;
        let own = pem(self.issuer.der());
        let all = roots
            .iter()
            .fold(own.clone(), |text, root| text + &pem(root));
        for (name, text) in [("ca.pem", own), ("bundle.pem", all)] {
            put(&dir.path().join(name), &text)?;
        }
        Ok(dir)
    }
}

fn put(path: &Path, text: &str) -> Result<(), Error> {
    let write = || std::fs::File::create(path)?.write_all(text.as_bytes());
    write().map_err(Error::io(format!("write {}", path.display())))
}

/// PEM (RFC 7468) of a certificate.
fn pem(certificate: &CertificateDer<'_>) -> String {
    let coded = STANDARD.encode(certificate);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in coded.as_bytes().chunks(64) {
        text.extend(line.iter().map(|b| char::from(*b)));
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

/// Valid from two days ago, for machines whose clocks disagree, for a month.
fn date(params: &mut CertificateParams, now: Timestamp) {
    const DAY: u64 = 86_400;
    let day = |t: Timestamp| {
        let text = t.to_string();
        let number =
            |range: std::ops::Range<usize>| text.get(range).and_then(|d| d.parse::<u16>().ok());
        match (number(0..4), number(5..7), number(8..10)) {
            (Some(year), Some(month), Some(day)) => Some(date_time_ymd(
                i32::from(year),
                u8::try_from(month).unwrap_or(1),
                u8::try_from(day).unwrap_or(1),
            )),
            _ => None,
        }
    };
    let begin = Timestamp::from_millis(now.as_millis().saturating_sub(2 * DAY as i64 * 1000));
    if let (Some(from), Some(to)) = (day(begin), day(now.after(Span::from_secs(30 * DAY)))) {
        params.not_before = from;
        params.not_after = to;
    }
}
