//! Predicates that are understood, and what of each goes into a record. A recognised type whose required fields are missing
//! or of another shape is refused by name; an unknown type is carried by its URI, and nothing is read out of it.

use serde_json::{Value, json};

use super::fields::Object;
use super::{Error, sbom};

/// What a piece of outside evidence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SLSA provenance v1: who built it, how.
    SlsaProvenance,
    /// SLSA verification summary v1: somebody verified it against a policy.
    VerificationSummary,
    /// in-toto test-result v0.1.
    TestResult,
    /// in-toto simple verification result v0.2; it tells passes only.
    SimpleVerification,
    /// An SPDX document.
    Spdx,
    /// A CycloneDX document.
    CycloneDx,
    /// in-toto vulns v0.2: what a vulnerability scanner found.
    Vulnerabilities,
    /// A JUnit XML report; always unsigned.
    Junit,
    /// A statement with another predicate, known by its URI alone.
    Other,
    /// An envelope whose payload is no in-toto statement, known by its payload type alone.
    Payload,
}

/// Every kind, for the way back from its name.
const ALL: [Kind; 10] = [
    Kind::SlsaProvenance,
    Kind::VerificationSummary,
    Kind::TestResult,
    Kind::SimpleVerification,
    Kind::Spdx,
    Kind::CycloneDx,
    Kind::Vulnerabilities,
    Kind::Junit,
    Kind::Other,
    Kind::Payload,
];

impl Kind {
    /// Returns the name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SlsaProvenance => "slsa-provenance",
            Self::VerificationSummary => "slsa-vsa",
            Self::TestResult => "test-result",
            Self::SimpleVerification => "svr",
            Self::Spdx => "spdx",
            Self::CycloneDx => "cyclonedx",
            Self::Vulnerabilities => "vulns",
            Self::Junit => "junit",
            Self::Other => "other",
            Self::Payload => "payload",
        }
    }

    /// Finds a kind by its name in records.
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn of(predicate_type: &str) -> Self {
        let is = |base: &str| {
            let rest = predicate_type.strip_prefix(base);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("/v"))
        };
        match predicate_type {
            "https://slsa.dev/provenance/v1" => Self::SlsaProvenance,
            "https://slsa.dev/verification_summary/v1" => Self::VerificationSummary,
            "https://in-toto.io/attestation/test-result/v0.1" => Self::TestResult,
            "https://in-toto.io/attestation/svr/v0.2" => Self::SimpleVerification,
            "https://in-toto.io/attestation/vulns/v0.2" => Self::Vulnerabilities,
            _ if is("https://spdx.dev/Document") => Self::Spdx,
            _ if is("https://cyclonedx.org/bom") => Self::CycloneDx,
            _ => Self::Other,
        }
    }
}

/// Reads a predicate: its kind, and what of it goes into the record.
pub(super) fn read(predicate_type: &str, predicate: &Value) -> Result<(Kind, Value), Error> {
    let kind = Kind::of(predicate_type);
    let summary = match kind {
        Kind::SlsaProvenance => provenance(predicate)?,
        Kind::VerificationSummary => verification_summary(predicate)?,
        Kind::TestResult => test_result(predicate)?,
        Kind::SimpleVerification => simple_verification(predicate)?,
        Kind::Vulnerabilities => vulnerabilities(predicate)?,
        Kind::Spdx => sbom::spdx("SPDX predicate", predicate)?,
        Kind::CycloneDx => sbom::cyclone_dx("CycloneDX predicate", predicate)?,
        Kind::Junit | Kind::Other | Kind::Payload => json!({}),
    };
    Ok((kind, summary))
}

/// SLSA provenance v1: <https://slsa.dev/spec/v1.1/provenance>.
fn provenance(value: &Value) -> Result<Value, Error> {
    let root = Object::root("SLSA provenance v1", value)?;
    let definition = root.object("buildDefinition", "buildDefinition")?;
    definition.object("externalParameters", "buildDefinition.externalParameters")?;
    let details = root.object("runDetails", "runDetails")?;
    let builder = details.object("builder", "runDetails.builder")?;
    let invocation = match details.find("metadata") {
        None => None,
        Some(_) => details
            .object("metadata", "runDetails.metadata")?
            .text_if_any("invocationId")?,
    };
    Ok(json!({
        "builder": builder.text("id")?,
        "buildType": definition.text("buildType")?,
        "invocation": invocation,
        "dependencies": definition.count("resolvedDependencies")?,
    }))
}

/// SLSA verification summary v1: <https://slsa.dev/spec/v1.1/verification_summary>.
fn verification_summary(value: &Value) -> Result<Value, Error> {
    let root = Object::root("SLSA verification summary v1", value)?;
    let verifier = root.object("verifier", "verifier")?.text("id")?;
    let policy = root.object("policy", "policy")?.text("uri")?;
    let result = root.text("verificationResult")?;
    let levels = root.texts("verifiedLevels")?;
    if !["PASSED", "FAILED"].contains(&result) {
        return Err(root.bad("verificationResult", "neither `PASSED` nor `FAILED`"));
    }
    if levels.len() > 64 {
        return Err(root.bad("verifiedLevels", "more than 64 levels"));
    }
    if result == "PASSED" && levels.contains(&"FAILED") {
        return Err(root.bad(
            "verifiedLevels",
            "says `FAILED` although the result is `PASSED`",
        ));
    }
    Ok(json!({
        "verifier": verifier,
        "resource": root.text("resourceUri")?,
        "policy": policy,
        "time": root.time("timeVerified")?,
        "result": result,
        "levels": levels,
    }))
}

/// How many names of failed tests and vulnerabilities a record carries; the blob has all.
const LISTED: usize = 50;

/// in-toto test-result v0.1: spec/predicates/test-result.md of the attestation framework.
fn test_result(value: &Value) -> Result<Value, Error> {
    let root = Object::root("test-result v0.1", value)?;
    let result = root.text("result")?;
    if !["PASSED", "WARNED", "FAILED"].contains(&result) {
        return Err(root.bad("result", "not `PASSED`, `WARNED` or `FAILED`"));
    }
    let configuration = root.list("configuration")?;
    if !configuration.iter().all(Value::is_object) {
        return Err(root.bad("configuration", "an entry is no resource descriptor"));
    }
    let failed = match root.find("failedTests") {
        None => None,
        Some(_) => Some(root.texts("failedTests")?),
    };
    let named = failed.iter().flatten().take(LISTED).collect::<Vec<_>>();
    if result == "PASSED" && !named.is_empty() {
        return Err(root.bad(
            "failedTests",
            "names failed tests although the result is `PASSED`",
        ));
    }
    Ok(json!({
        "result": result,
        "url": root.text_if_any("url")?,
        "configurations": configuration.len(),
        "passed": root.count("passedTests")?,
        "warned": root.count("warnedTests")?,
        "failed": failed.as_ref().map(Vec::len),
        "failedTests": named,
    }))
}

/// in-toto simple verification result v0.2: spec/predicates/svr.md of the attestation framework.
fn simple_verification(value: &Value) -> Result<Value, Error> {
    let root = Object::root("SVR v0.2", value)?;
    let properties = root.texts("properties")?;
    if properties.len() > 256 {
        return Err(root.bad("properties", "more than 256 properties"));
    }
    Ok(json!({
        "verifier": root.object("verifier", "verifier")?.text("id")?,
        "time": root.time("timeCreated")?,
        "policies": root.count("policies")?,
        "properties": properties,
    }))
}

/// in-toto vulns v0.2: spec/predicates/vulns_02.md of the attestation framework.
fn vulnerabilities(value: &Value) -> Result<Value, Error> {
    let root = Object::root("vulns v0.2", value)?;
    let scanner = root.object("scanner", "scanner")?;
    let database = scanner.object("db", "scanner.db")?;
    let metadata = root.object("metadata", "metadata")?;
    let found = scanner.list("result")?;
    let mut ids = Vec::new();
    for entry in found {
        let entry = Object::at("vulns v0.2", "scanner.result[]", entry)?;
        let id = entry.text("id")?;
        // The text of the specification says object, its example has a list.
        if !matches!(entry.need("severity")?, Value::Array(_) | Value::Object(_)) {
            return Err(entry.bad("severity", "neither a list nor an object"));
        }
        if ids.len() < LISTED {
            ids.push(id);
        }
    }
    Ok(json!({
        "scanner": scanner.text("uri")?,
        "version": scanner.text_if_any("version")?,
        "database": database.time("lastUpdate")?,
        "started": metadata.time("scanStartedOn")?,
        "finished": metadata.time("scanFinishedOn")?,
        "found": found.len(),
        "ids": ids,
    }))
}
