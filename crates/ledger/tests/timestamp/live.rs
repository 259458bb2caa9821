//! OpenSSL as a time stamping authority, run by the test: our requests answered, and authorities that must not be believed.
//!
//! `openssl ts` refuses to stamp with an unfit certificate, so those tokens are made by `openssl cms`, which does not look.

use std::path::{Path, PathBuf};
use std::process::Command;

use gonogo_core::Digest;
use gonogo_ledger::timestamp::{Certificate, Error, Timestamp, accept, request, verify};
use gonogo_testkit::{lacks, skip};
use tempfile::TempDir;

use super::fixture;

const CONFIG: &str = "\
[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = unused\n\
[root]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\nsubjectKeyIdentifier = hash\n\
[middle]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n\
[not-authority]\nbasicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\n\
[no-cert-sign]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, digitalSignature\n\
[stamping]\nbasicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = critical, timeStamping\nsubjectKeyIdentifier = hash\n\
[not-critical]\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = timeStamping\n\
[two-purposes]\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = critical, timeStamping, codeSigning\n\
[code]\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = critical, codeSigning\n\
[no-purpose]\nkeyUsage = critical, digitalSignature\n\
[encipher]\nkeyUsage = critical, keyEncipherment\nextendedKeyUsage = critical, timeStamping\n\
[tsa]\ndefault_tsa = authority\n\
[authority]\nserial = serial\nsigner_digest = sha256\ndefault_policy = 1.2.3.4\ndigests = sha256\ntsa_name = yes\ness_cert_id_alg = sha256\n";

/// A folder in which OpenSSL runs.
struct OpenSsl {
    folder: TempDir,
}

impl OpenSsl {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("cnf"), CONFIG).unwrap();
        std::fs::write(folder.path().join("serial"), "01\n").unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, line: &str) {
        let output = Command::new("openssl")
            .args(line.split(' ').filter(|word| !word.is_empty()))
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {line}: {errors}");
    }

    fn key(&self, name: &str) {
        self.run(&format!(
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"
        ));
    }

    fn root(&self, name: &str) -> Vec<Certificate> {
        self.key(name);
        self.run(&format!(
            "req -x509 -new -key {name}.key -sha256 -days 3650 -subj /CN={name} -config cnf -extensions root -out {name}.pem"
        ));
        Certificate::from_pem(&self.read(&format!("{name}.pem"))).unwrap()
    }

    fn issue(&self, name: &str, issuer: &str, extensions: &str, options: &str) {
        self.key(name);
        self.run(&format!(
            "req -new -key {name}.key -subj /CN={name} -config cnf -out {name}.csr"
        ));
        self.run(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -sha256 {options} \
             -extfile cnf -extensions {extensions} -out {name}.pem"
        ));
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Answers a request as an authority does.
    fn answer(&self, request: &[u8], signer: &str) -> Vec<u8> {
        std::fs::write(self.path("request"), request).unwrap();
        self.run(&format!(
            "ts -reply -config cnf -queryfile request -signer {signer}.pem -inkey {signer}.key -out response"
        ));
        self.read("response")
    }

    /// Signs a TSTInfo with any certificate and frames it as a granted response.
    fn forge(&self, content: &[u8], signer: &str, options: &str) -> Vec<u8> {
        std::fs::write(self.path("tst"), content).unwrap();
        self.run(&format!(
            "cms -sign -binary -nodetach -in tst -outform DER -econtent_type 1.2.840.113549.1.9.16.1.4 \
             -signer {signer}.pem -inkey {signer}.key -md sha256 {options} -out token"
        ));
        let token = self.read("token");
        let body = [&[0x30, 3, 2, 1, 0][..], &token].concat();
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[0x30, 0x82][..], &length, &body].concat()
    }

    /// Returns the TSTInfo of a response.
    fn content(&self, response: &Path) -> Vec<u8> {
        self.run(&format!(
            "ts -reply -config cnf -in {} -token_out -out inner",
            response.display()
        ));
        self.run("cms -verify -noverify -inform DER -in inner -out content");
        self.read("content")
    }
}

#[test]
fn an_authority_answers_our_request() {
    if let Some(why) = lacks("openssl", &["version"]) {
        return skip("an authority's answer to our request", &why);
    }
    let openssl = OpenSsl::new();
    let root = openssl.root("root");
    openssl.issue("middle", "root", "middle", "-days 30");
    openssl.issue("tsa", "middle", "stamping", "-days 30");
    let message = b"a checkpoint";
    let request = request(&Digest::of(message), 0xfeed_beef_0000_0001);
    std::fs::write(openssl.path("request"), &request).unwrap();
    openssl.run(
        "ts -reply -config cnf -queryfile request -signer tsa.pem -inkey tsa.key -chain middle.pem -out response",
    );
    let response = openssl.read("response");
    let stamp = accept(&response, message, 0xfeed_beef_0000_0001, &root).unwrap();
    assert_eq!(stamp.tsa_name, "CN=tsa");
    assert_eq!(stamp.policy, "1.2.3.4");
    // OpenSSL agrees.
    std::fs::write(openssl.path("message"), message).unwrap();
    openssl.run("ts -verify -data message -in response -CAfile root.pem");
    // Without the certificate in between there is no path.
    let lonely = openssl.answer(&request, "tsa");
    assert!(matches!(
        verify(&lonely, message, &root).unwrap_err(),
        Error::Path { .. }
    ));
    // The certificate in between may itself be what the reader trusts.
    let middle = Certificate::from_pem(&openssl.read("middle.pem")).unwrap();
    assert_eq!(
        verify(&lonely, message, &middle).unwrap().tsa_name,
        "CN=tsa"
    );
}

#[test]
fn a_signer_that_is_no_authority_for_time_is_not_believed() {
    if let Some(why) = lacks("openssl", &["version"]) {
        return skip("signers that are no authority for time", &why);
    }
    let openssl = OpenSsl::new();
    let root = openssl.root("root");
    // Every certificate is made before the time that is stamped, so that none fails for being too young.
    let unfit = [
        "not-critical",
        "two-purposes",
        "code",
        "no-purpose",
        "encipher",
    ];
    for extensions in unfit {
        openssl.issue(extensions, "root", extensions, "-days 30");
    }
    let issuers = ["middle", "not-authority", "no-cert-sign"];
    for issuer in issuers {
        openssl.issue(issuer, "root", issuer, "-days 30");
        openssl.issue(&format!("below-{issuer}"), issuer, "stamping", "-days 30");
    }
    openssl.issue("good", "root", "stamping", "-days 30");
    let config = CONFIG.replace("tsa_name = yes", "tsa_name = no");
    std::fs::write(openssl.path("cnf"), config).unwrap();
    let message = b"a checkpoint";
    openssl.answer(&request(&Digest::of(message), 7), "good");
    let content = openssl.content(&openssl.path("response"));
    let check = |response: &[u8]| -> Result<Timestamp, Error> { verify(response, message, &root) };

    // The way of making them works: a good certificate is believed.
    assert_eq!(
        check(&openssl.forge(&content, "good", "-cades"))
            .unwrap()
            .tsa_name,
        "CN=good"
    );
    assert_eq!(
        check(&openssl.forge(&content, "good", "-cades -keyid"))
            .unwrap()
            .tsa_name,
        "CN=good"
    );
    let unnamed = check(&openssl.forge(&content, "good", "")).unwrap_err();
    assert!(
        matches!(&unnamed, Error::Signature { why } if why.contains("signingCertificate")),
        "{unnamed}"
    );
    let bare = check(&openssl.forge(&content, "good", "-noattr")).unwrap_err();
    assert!(
        matches!(bare, Error::Form { .. } | Error::Signature { .. }),
        "{bare}"
    );

    for extensions in unfit {
        let error = check(&openssl.forge(&content, extensions, "-cades")).unwrap_err();
        assert!(
            matches!(error, Error::Signer { .. }),
            "{extensions}: {error}"
        );
    }
    // Issued by somebody whom the root vouches for, who may issue certificates only in the first case.
    for issuer in issuers {
        let options = format!("-cades -certfile {issuer}.pem");
        let result = check(&openssl.forge(&content, &format!("below-{issuer}"), &options));
        match (issuer, result) {
            ("middle", Err(error)) => panic!("{error}"),
            ("middle", Ok(stamp)) => assert_eq!(stamp.tsa_name, "CN=below-middle"),
            (_, Err(Error::Path { why, .. })) => {
                assert!(!why.contains("NotValidYet"), "{issuer}: {why}")
            }
            (_, other) => panic!("{issuer}: {other:?}"),
        }
    }
    // Not yet valid at the stated time, expired by then, and the root expired by then.
    let head = content.iter().position(|b| *b == 0x18).unwrap();
    let at = head + 2..head + 16;
    assert!(
        content[at.clone()].starts_with(b"20"),
        "the time stands where it is looked for"
    );
    for time in [b"20200101000000", b"20300101000000", b"20600101000000"] {
        let mut content = content.clone();
        content[at.clone()].copy_from_slice(time);
        let error = check(&openssl.forge(&content, "good", "-cades")).unwrap_err();
        assert!(matches!(&error, Error::Path { .. }), "{error}");
    }
    // A root of the same name with another key.
    let other = OpenSsl::new();
    let stranger = other.root("root");
    let response = openssl.forge(&content, "good", "-cades");
    let error = verify(&response, message, &stranger).unwrap_err();
    assert!(matches!(error, Error::Path { .. }), "{error}");
    // A time of which another authority is the source, signed by a good one under its own name.
    let fixture = fixture("direct.tsr");
    std::fs::write(openssl.path("foreign"), &fixture).unwrap();
    let foreign = openssl.content(&openssl.path("foreign"));
    let response = openssl.forge(&foreign, "good", "-cades");
    let error = verify(&response, &super::fixture("message"), &root).unwrap_err();
    assert!(
        matches!(&error, Error::Signer { why } if why.contains("another name")),
        "{error}"
    );
}
