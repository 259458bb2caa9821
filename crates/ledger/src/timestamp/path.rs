//! The authority's certificate: for time stamping only, and issued below a root that the caller gave.

use std::time::Duration;

use der::asn1::ObjectIdentifier;
use gonogo_core::Timestamp;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::ring::{
    ECDSA_P256_SHA256, ECDSA_P256_SHA384, ECDSA_P384_SHA256, ECDSA_P384_SHA384,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::certificate::Facts;
use super::cms::{Hash, SignerId, Token};
use super::{Certificate, Error};

/// Contents of the OBJECT IDENTIFIER id-kp-timeStamping.
const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// What may have signed a certificate in the path.
const ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 7] = [
    ECDSA_P256_SHA256,
    ECDSA_P256_SHA384,
    ECDSA_P384_SHA256,
    ECDSA_P384_SHA384,
    RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512,
];

/// The authority that signed a token.
pub(super) struct Authority<'a> {
    pub(super) certificate: CertificateDer<'a>,
    pub(super) facts: Facts,
}

impl<'a> Authority<'a> {
    /// Finds the certificate that the signed attributes name among the embedded ones, and checks that it may stamp time.
    pub(super) fn find(token: &Token<'a>) -> Result<Self, Error> {
        let bad = |why: &str| Error::Signer {
            why: why.to_owned(),
        };
        let named = |der: &&&[u8]| token.certificate_ids.iter().all(|id| id.is_of(der));
        let der = *token.certificates.iter().find(named).ok_or_else(|| {
            bad(match token.certificates.is_empty() {
                true => "it is not embedded",
                false => "none of the embedded ones is the one that the signature names",
            })
        })?;
        let facts = Facts::read(der).map_err(|e| bad(&format!("not X.509 ({e})")))?;
        let certificate = CertificateDer::from(der);
        let parsed = EndEntityCert::try_from(&certificate)
            .map_err(|e| bad(&format!("not an end certificate ({e})")))?;
        let same =
            |issuer: &[u8], serial: &[u8]| parsed.issuer() == issuer && parsed.serial() == serial;
        let by_id = match token.signer {
            SignerId::IssuerSerial(issuer, serial) => same(issuer, serial),
            SignerId::KeyIdentifier(id) => facts.key_identifier.as_deref() == Some(id),
        };
        if !by_id {
            return Err(bad("the signer info names another one"));
        }
        let mut stated = token
            .certificate_ids
            .iter()
            .filter_map(|id| id.issuer_serial);
        if !stated.all(|(issuer, serial)| same(issuer, serial)) {
            return Err(bad("its signed issuer and serial number are another's"));
        }
        if !facts.stamps_time_only {
            return Err(bad(
                "it is not for time stamping alone (extended key usage, critical; RFC 3161 section 2.3)",
            ));
        }
        if !facts.may_sign {
            return Err(bad("its key usage does not allow signatures"));
        }
        drop(parsed);
        Ok(Self { certificate, facts })
    }

    /// Checks the token's signature with the certificate's key.
    pub(super) fn check_signature(&self, token: &Token<'_>) -> Result<(), Error> {
        let parsed = self.parse()?;
        for algorithm in algorithms(token.signature_algorithm, token.hash)? {
            if parsed
                .verify_signature(algorithm, &token.signed, token.signature)
                .is_ok()
            {
                return Ok(());
            }
        }
        Err(Error::Signature {
            why: "it is not by the authority's key over these attributes",
        })
    }

    /// Returns whether `name`, a Name's contents, is the certificate's subject.
    pub(super) fn is_named(&self, name: &[u8]) -> Result<bool, Error> {
        Ok(self.parse()?.subject() == name)
    }

    /// Checks that the certificate was issued below one of `roots`, all valid at `time`.
    pub(super) fn check_path(
        &self,
        token: &Token<'_>,
        roots: &[Certificate],
        time: Timestamp,
    ) -> Result<(), Error> {
        let bad = |why: String| Error::Path {
            time: time.to_string(),
            why,
        };
        let seconds =
            u64::try_from(time.as_millis() / 1000).map_err(|_| bad("before 1970".into()))?;
        let mut anchors = Vec::new();
        let roots: Vec<CertificateDer<'_>> = roots
            .iter()
            .filter(|root| {
                Facts::read(root.der())
                    .is_ok_and(|facts| (facts.validity.0..=facts.validity.1).contains(&seconds))
            })
            .map(|root| CertificateDer::from(root.der()))
            .collect();
        if roots.is_empty() {
            return Err(bad("none of them was valid then, or none was given".into()));
        }
        for root in &roots {
            anchors.push(anchor_from_trusted_cert(root).map_err(|e| bad(e.to_string()))?);
        }
        // The path builder does not look at key usage, so certificates that may not sign others never reach it.
        let between: Vec<CertificateDer<'_>> = token
            .certificates
            .iter()
            .filter(|der| {
                let facts = Facts::read(der);
                facts.is_ok_and(|facts| facts.is_authority && facts.may_sign_certificates)
            })
            .map(|der| CertificateDer::from(*der))
            .collect();
        let parsed = self.parse()?;
        let result = parsed.verify_for_usage(
            &ALGORITHMS,
            &anchors,
            &between,
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            // The certificate's own purpose is checked above; those between may be limited to it, but need not be.
            KeyUsage::required_if_present(TIME_STAMPING),
            None,
            None,
        );
        match result {
            Ok(_) => Ok(()),
            Err(error) => Err(bad(error.to_string())),
        }
    }

    fn parse(&self) -> Result<EndEntityCert<'_>, Error> {
        EndEntityCert::try_from(&self.certificate).map_err(|e| Error::Signer { why: e.to_string() })
    }
}

/// Finds what checks a signature algorithm (RFC 5754 section 3); its digest must be that of the signer info.
fn algorithms(
    oid: ObjectIdentifier,
    hash: Hash,
) -> Result<Vec<&'static dyn SignatureVerificationAlgorithm>, Error> {
    const fn oid_of(text: &str) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(text)
    }
    const RSA: ObjectIdentifier = oid_of("1.2.840.113549.1.1.1");
    const RSA_SHA256: ObjectIdentifier = oid_of("1.2.840.113549.1.1.11");
    const RSA_SHA384: ObjectIdentifier = oid_of("1.2.840.113549.1.1.12");
    const RSA_SHA512: ObjectIdentifier = oid_of("1.2.840.113549.1.1.13");
    const ECDSA_SHA256: ObjectIdentifier = oid_of("1.2.840.10045.4.3.2");
    const ECDSA_SHA384: ObjectIdentifier = oid_of("1.2.840.10045.4.3.3");
    match (oid, hash) {
        (RSA | RSA_SHA256, Hash::Sha256) => Ok(vec![RSA_PKCS1_2048_8192_SHA256]),
        (RSA | RSA_SHA384, Hash::Sha384) => Ok(vec![RSA_PKCS1_2048_8192_SHA384]),
        (RSA | RSA_SHA512, Hash::Sha512) => Ok(vec![RSA_PKCS1_2048_8192_SHA512]),
        (ECDSA_SHA256, Hash::Sha256) => Ok(vec![ECDSA_P256_SHA256, ECDSA_P384_SHA256]),
        (ECDSA_SHA384, Hash::Sha384) => Ok(vec![ECDSA_P256_SHA384, ECDSA_P384_SHA384]),
        _ => Err(Error::Algorithm {
            part: "timestamp's signature",
            oid: format!("{oid} with {hash:?}"),
        }),
    }
}
