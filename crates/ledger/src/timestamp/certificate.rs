//! Root certificates as the caller gives them, and the parts of certificates that time stamping asks about.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::Decode as _;
use der::asn1::ObjectIdentifier;
use gonogo_core::Digest;
use x509_cert::ext::pkix::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};

use super::Error;

/// id-kp-timeStamping (RFC 3161 section 2.3).
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");

/// The largest file of root certificates, in bytes.
const MAX_PEM: usize = 1 << 20;

/// The most root certificates in one file.
const MAX_ROOTS: usize = 64;

/// A certificate that the caller trusts as a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    name: String,
}

impl Certificate {
    /// Reads all `CERTIFICATE` blocks of a PEM file; text around them is skipped (RFC 7468 section 2).
    ///
    /// # Errors
    /// [`Error::Root`] if there is none, or one is not the certificate of a certificate authority.
    pub fn from_pem(text: &[u8]) -> Result<Vec<Self>, Error> {
        const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
        const END: &str = "-----END CERTIFICATE-----";
        let bad = |why: String| Error::Root { why };
        if text.len() > MAX_PEM {
            return Err(Error::TooLarge {
                what: "file of root certificates",
                found: text.len(),
                limit: MAX_PEM,
            });
        }
        let text = std::str::from_utf8(text).map_err(|_| bad("the file is no text".into()))?;
        let mut roots = Vec::new();
        for block in text.split(BEGIN).skip(1) {
            let (base64, _) = block
                .split_once(END)
                .ok_or_else(|| bad("a PEM block is not closed".into()))?;
            let compact: String = base64.split_ascii_whitespace().collect();
            let der = STANDARD
                .decode(compact)
                .map_err(|e| bad(format!("not base64 inside PEM ({e})")))?;
            roots.push(Self::from_der(&der)?);
        }
        match roots.len() {
            0 => Err(bad("the file has no PEM block `CERTIFICATE`".into())),
            1..=MAX_ROOTS => Ok(roots),
            many => Err(bad(format!(
                "{many} certificates, and at most {MAX_ROOTS} are read"
            ))),
        }
    }

    /// Reads one certificate in DER.
    ///
    /// # Errors
    /// [`Error::Root`] if it is not the certificate of a certificate authority.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let bad = |why: String| Error::Root { why };
        let facts = Facts::read(der).map_err(|e| bad(format!("not an X.509 certificate ({e})")))?;
        if !facts.is_authority {
            return Err(bad(format!(
                "`{}` is no certificate authority",
                facts.subject
            )));
        }
        if !facts.may_sign_certificates {
            return Err(bad(format!(
                "`{}` may not sign certificates",
                facts.subject
            )));
        }
        Ok(Self {
            der: der.to_vec(),
            name: facts.subject,
        })
    }

    /// Returns the certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the subject's name (RFC 4514).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns SHA-256 of the DER: what people compare as the fingerprint.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.der)
    }
}

/// What a certificate says about itself. Signatures are not checked by reading it.
pub(super) struct Facts {
    /// RFC 4514 form of the subject.
    pub(super) subject: String,
    /// basicConstraints with cA.
    pub(super) is_authority: bool,
    /// keyUsage is absent or has keyCertSign.
    pub(super) may_sign_certificates: bool,
    /// keyUsage is absent or has digitalSignature or nonRepudiation.
    pub(super) may_sign: bool,
    /// extendedKeyUsage is critical and has time stamping and nothing else.
    pub(super) stamps_time_only: bool,
    /// subjectKeyIdentifier.
    pub(super) key_identifier: Option<Vec<u8>>,
    /// Seconds since 1970, both inclusive.
    pub(super) validity: (u64, u64),
}

impl Facts {
    pub(super) fn read(der: &[u8]) -> Result<Self, der::Error> {
        let certificate = x509_cert::Certificate::from_der(der)?;
        let body = certificate.tbs_certificate();
        let constraints = body.get_extension::<BasicConstraints>()?;
        let usage = body.get_extension::<KeyUsage>()?;
        let purposes = body.get_extension::<ExtendedKeyUsage>()?;
        let identifier = body.get_extension::<SubjectKeyIdentifier>()?;
        let allows = |wanted: &[KeyUsages]| match &usage {
            None => true,
            Some((_, usage)) => wanted.iter().any(|one| usage.0.contains(*one)),
        };
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        Ok(Self {
            subject: body.subject().to_string(),
            is_authority: constraints.is_some_and(|(_, constraints)| constraints.ca),
            may_sign_certificates: allows(&[KeyUsages::KeyCertSign]),
            may_sign: allows(&[KeyUsages::DigitalSignature, KeyUsages::NonRepudiation]),
            stamps_time_only: purposes
                .is_some_and(|(critical, purposes)| critical && purposes.0 == [TIME_STAMPING]),
            key_identifier: identifier.map(|(_, id)| id.0.as_bytes().to_vec()),
            validity: (
                seconds(body.validity().not_before),
                seconds(body.validity().not_after),
            ),
        })
    }
}
