//! Forms: predicates with missing or reshaped fields, plain reports, XML that is not plain, sizes beyond the limits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;
use gonogo_ledger::attestation::{Error, MAX_SUBJECTS, MAX_SUBMISSION, read};
use gonogo_ledger::dsse::{PAYLOAD_TYPE, pae};
use gonogo_ledger::{PublicKey, SigningKey};
use serde_json::{Value, json};

use super::{Key, NamedKey, Outside, fixture, key, one};

/// Somebody who signs whatever a test wants signed.
struct Author(SigningKey);

impl Author {
    fn new() -> Self {
        Self(SigningKey::load(&SigningKey::generate().unwrap()).unwrap())
    }

    fn key(&self) -> NamedKey {
        let public: &PublicKey = self.0.public();
        NamedKey::new(
            "author",
            Key::from_pem("author", public.pem().as_bytes()).unwrap(),
        )
        .unwrap()
    }

    fn submit(&self, payload: &[u8]) -> Result<Outside, Error> {
        let sig = self.0.sign(&pae(PAYLOAD_TYPE, payload)).unwrap();
        let envelope = json!({
            "payload": STANDARD.encode(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": STANDARD.encode(sig)}],
        });
        one(&serde_json::to_vec(&envelope).unwrap(), &[self.key()], 1)
    }

    fn state(&self, statement: &Value) -> Result<Outside, Error> {
        self.submit(&serde_json::to_vec(statement).unwrap())
    }
}

/// The statements of the fixture of lines, decoded.
fn statements() -> Vec<Value> {
    let text = String::from_utf8(fixture("all.intoto.jsonl")).unwrap();
    let payload = |line: &str| {
        let envelope: Value = serde_json::from_str(line).unwrap();
        let bytes = STANDARD
            .decode(envelope["payload"].as_str().unwrap())
            .unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    text.lines().map(payload).collect()
}

#[test]
fn a_recognised_predicate_without_a_required_field_is_refused_by_that_name() {
    let author = Author::new();
    let required: [&[&str]; 7] = [
        &[
            "buildDefinition",
            "buildDefinition/buildType",
            "buildDefinition/externalParameters",
            "runDetails",
            "runDetails/builder",
            "runDetails/builder/id",
        ],
        &[
            "verifier",
            "verifier/id",
            "timeVerified",
            "resourceUri",
            "policy",
            "policy/uri",
            "verificationResult",
            "verifiedLevels",
        ],
        &["result", "configuration"],
        &["verifier", "verifier/id", "timeCreated", "properties"],
        &["spdxVersion", "SPDXID", "name"],
        &["bomFormat", "specVersion"],
        &[
            "scanner",
            "scanner/uri",
            "scanner/db",
            "scanner/db/lastUpdate",
            "scanner/result",
            "scanner/result/0/id",
            "scanner/result/0/severity",
            "metadata",
            "metadata/scanStartedOn",
            "metadata/scanFinishedOn",
        ],
    ];
    for (statement, fields) in statements().iter().zip(required) {
        assert!(author.state(statement).is_ok());
        for field in fields {
            let last = field.rsplit('/').next().unwrap();
            for wrong in [Value::Null, json!(7), json!(""), json!({"a": []})] {
                // An empty object is a good `externalParameters`, and `{"a": []}` is no worse; so with severities.
                if wrong.is_object() && ["externalParameters", "severity"].contains(&last) {
                    continue;
                }
                let mut changed = statement.clone();
                *changed["predicate"]
                    .pointer_mut(&format!("/{field}"))
                    .unwrap() = wrong.clone();
                let error = author.state(&changed).unwrap_err();
                let Error::Field {
                    object, field: at, ..
                } = &error
                else {
                    panic!("{field} = {wrong}: {error}");
                };
                // A reshaped object is refused by itself or by its first missing field.
                let dotted = field.replace("/0/", "[]/").replace('/', ".");
                assert!(
                    dotted.starts_with(at.as_str()) || at.starts_with(&dotted),
                    "{object} {field} = {wrong}: {error}"
                );
            }
        }
    }
}

#[test]
fn contradictions_and_unknown_words_are_refused() {
    let author = Author::new();
    let all = statements();
    for (number, pointer, value) in [
        (1, "/predicate/verificationResult", json!("passed")),
        (1, "/predicate/verifiedLevels", json!(["FAILED"])),
        (1, "/predicate/timeVerified", json!("yesterday")),
        (2, "/predicate/result", json!("OK")),
        (2, "/predicate/result", json!("PASSED")),
        (2, "/predicate/configuration", json!(["ci.yml"])),
        (4, "/predicate/spdxVersion", json!("SPDX-1.2")),
        (5, "/predicate/bomFormat", json!("cyclonedx")),
        (0, "/_type", json!("https://in-toto.io/Statement/v2")),
        (0, "/predicateType", json!("no uri")),
        (0, "/subject", json!([])),
        (0, "/subject", json!([{"name": "x"}])),
        (0, "/subject", json!([{"name": "x", "digest": {}}])),
        (0, "/subject/0/digest/sha256", json!("ABCD")),
        (
            0,
            "/subject/0/digest/sha256",
            json!(Digest::of(b"x").hex().to_uppercase()),
        ),
        (0, "/subject/0/name", json!("a\u{1b}[2Jb")),
        (
            0,
            "/predicate/runDetails/builder/id",
            json!("https://x\u{202e}y"),
        ),
    ] {
        let mut changed = all[number].clone();
        *changed.pointer_mut(pointer).unwrap() = value.clone();
        let error = author.state(&changed).unwrap_err();
        assert!(
            matches!(error, Error::Field { .. }),
            "{pointer} = {value}: {error}"
        );
    }
    // Digests by other algorithms are carried, match nothing, and do not stand in for SHA-256.
    let mut other = all[7].clone();
    other["subject"] = json!([{"digest": {"sha512": "00", "gitCommit": "11"}}]);
    let outside = author.state(&other).unwrap();
    assert_eq!(outside.subjects[0].sha256(), None);
    assert_eq!(outside.subjects[0].digests.len(), 2);
    // What is not recognised is not read.
    other["predicateType"] = json!("https://slsa.dev/provenance/v1.2");
    assert_eq!(author.state(&other).unwrap().kind.name(), "other");
}

#[test]
fn signed_bytes_with_two_readings_are_refused() {
    let author = Author::new();
    for payload in [
        r#"{"_type":"https://in-toto.io/Statement/v1","_type":"x"}"#.to_owned(),
        r#"{"a":9007199254740993}"#.to_owned(),
        "{} {}".to_owned(),
        String::new(),
        "[".repeat(100_000),
    ] {
        let error = author.submit(payload.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Json { .. }), "{error}");
    }
}

#[test]
fn sizes_have_limits() {
    let author = Author::new();
    let mut many = statements()[7].clone();
    let subject = |n: usize| json!({"name": format!("file-{n}"), "digest": {"sha256": Digest::of(&n.to_be_bytes()).hex()}});
    many["subject"] = (0..MAX_SUBJECTS).map(subject).collect();
    assert_eq!(author.state(&many).unwrap().subjects.len(), MAX_SUBJECTS);
    many["subject"] = (0..=MAX_SUBJECTS).map(subject).collect();
    assert!(matches!(
        author.state(&many).unwrap_err(),
        Error::TooLarge { .. }
    ));
    // Names that fit one by one and are too much together.
    let long = |n: usize| json!({"name": "x".repeat(2000), "digest": {"sha256": Digest::of(&n.to_be_bytes()).hex()}});
    many["subject"] = (0..MAX_SUBJECTS).map(long).collect();
    assert!(matches!(
        author.state(&many).unwrap_err(),
        Error::TooLarge { .. }
    ));
    let big = vec![b' '; MAX_SUBMISSION + 1];
    assert!(matches!(
        read(&big, &[], 0).unwrap_err(),
        Error::TooLarge { .. }
    ));
    let keys = vec![key("p256"); 33];
    let error = read(&fixture("hello.dsse.json"), &keys, 1).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    let mut envelope: Value = serde_json::from_slice(&fixture("hello.dsse.json")).unwrap();
    envelope["signatures"] = vec![envelope["signatures"][0].clone(); 33].into();
    let error = read(&serde_json::to_vec(&envelope).unwrap(), &[key("p256")], 1).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    // A large payload with many signatures would keep the reader busy for minutes.
    envelope["signatures"] = vec![envelope["signatures"][0].clone(); 30].into();
    envelope["payload"] = STANDARD.encode(vec![0; 9 << 20]).into();
    let error = read(&serde_json::to_vec(&envelope).unwrap(), &[key("p256")], 1).unwrap_err();
    assert!(error.to_string().contains("work"), "{error}");
}

#[test]
fn reports_of_node_and_pytest_are_counted() {
    let node = one(&fixture("node.junit.xml"), &[], 0).unwrap();
    assert_eq!(
        node.summary,
        json!({
            "root": "testsuites",
            "suites": 0,
            "declared": {"tests": null, "failures": null, "errors": null, "skipped": null},
            "seen": {"tests": 3, "failures": 1, "errors": 0, "skipped": 1},
            "agree": true,
        })
    );
    let pytest = one(&fixture("pytest.junit.xml"), &[], 0).unwrap();
    assert_eq!(
        pytest.summary,
        json!({
            "root": "testsuites",
            "suites": 1,
            "declared": {"tests": 4, "failures": 1, "errors": 1, "skipped": 1},
            "seen": {"tests": 4, "failures": 1, "errors": 1, "skipped": 1},
            "agree": true,
        })
    );
    // A report that contradicts itself is told, not believed.
    let text = String::from_utf8(fixture("pytest.junit.xml")).unwrap();
    let lying = one(
        text.replace("failures=\"1\"", "failures=\"0\"").as_bytes(),
        &[],
        0,
    )
    .unwrap();
    assert_eq!(lying.summary["agree"], false);
    let bom = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    assert_eq!(one(&bom, &[], 0).unwrap().summary, pytest.summary);
}

#[test]
fn plain_documents_of_npm_are_counted() {
    let cyclone = one(&fixture("npm.cdx.json"), &[], 0).unwrap();
    assert_eq!(cyclone.summary["format"], "CycloneDX");
    assert_eq!(cyclone.summary["components"], 1);
    let spdx = one(&fixture("npm.spdx.json"), &[], 0).unwrap();
    assert_eq!(spdx.summary["version"], "SPDX-2.3");
    assert_eq!(spdx.summary["packages"], 2);
    let three = json!({
        "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        "@graph": [{"type": "software_Package"}, {"type": "Person"}],
    });
    let three = one(&serde_json::to_vec(&three).unwrap(), &[], 0).unwrap();
    assert_eq!(three.summary["packages"], 1);
}

#[test]
fn xml_that_is_not_plain_is_refused() {
    let deep = format!("<testsuite>{}", "<a>".repeat(100));
    for (text, want) in [
        (
            "<!DOCTYPE x [<!ENTITY a \"b\">]><testsuite/>",
            "document type",
        ),
        ("<testsuite>&a;</testsuite>", "entity"),
        ("<testsuite name=\"&a;\"/>", "a"),
        ("<testsuite><testcase></testsuite>", "testcase"),
        ("<testsuite>", "inside an element"),
        ("<testsuite/><testsuite/>", "second root"),
        ("<testsuite/>text", "outside the root"),
        ("<html/>", "neither"),
        ("<testsuite tests=\"many\"/>", "whole number"),
        ("<testsuite tests=\"-1\"/>", "whole number"),
        ("<testsuite tests=\"99999999999999999\"/>", "whole number"),
        ("<testsuite tests=\"1\" tests=\"2\"/>", "duplicate"),
        (
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><testsuite/>",
            "UTF-8",
        ),
        (deep.as_str(), "in each other"),
        ("<", ""),
    ] {
        let error = one(text.as_bytes(), &[], 0).unwrap_err();
        assert!(matches!(error, Error::Xml { .. }), "{text}: {error}");
        assert!(error.to_string().contains(want), "{text}: {error}");
    }
    let latin = b"<testsuite name=\"\xe9\"/>";
    assert!(matches!(one(latin, &[], 0).unwrap_err(), Error::Xml { .. }));
    let fine = "<testsuite name=\"&lt;&#x41;\">&amp;&#10;</testsuite>";
    assert!(one(fine.as_bytes(), &[], 0).is_ok());
}

#[test]
fn other_files_are_refused_with_what_is_accepted() {
    let bare = serde_json::to_string(&statements()[0]).unwrap();
    for text in [
        "",
        "  \n",
        "PK\u{3}\u{4}",
        "[]",
        "{}",
        "{\"a\":1}\n{\"b\":2}",
        bare.as_str(),
    ] {
        let error = read(text.as_bytes(), &[], 0).unwrap_err();
        assert!(
            error.to_string().contains("accepted are DSSE"),
            "{text}: {error}"
        );
    }
}
