//! SPDX and CycloneDX documents, as predicates and as plain files: which format, which version, how much is listed.

use serde_json::{Value, json};

use super::Error;
use super::fields::Object;
use super::predicate::Kind;

/// Tells which kind of bill of materials a plain JSON file is meant to be, if any.
pub(super) fn meant(value: &Value) -> Option<Kind> {
    let context = value.get("@context").is_some_and(|context| {
        let spdx = |v: &Value| {
            v.as_str()
                .is_some_and(|text| text.contains("spdx.org/rdf/3."))
        };
        spdx(context) || context.as_array().is_some_and(|list| list.iter().any(spdx))
    });
    if value.get("bomFormat").is_some() {
        Some(Kind::CycloneDx)
    } else if value.get("spdxVersion").is_some() || context {
        Some(Kind::Spdx)
    } else {
        None
    }
}

/// Reads an SPDX document: 2.2 and 2.3 by `spdxVersion`, 3.x by `@graph`.
pub(super) fn spdx(format: &str, value: &Value) -> Result<Value, Error> {
    let document = Object::root(format, value)?;
    if document.find("@graph").is_some() {
        let elements = document.list("@graph")?;
        document.need("@context")?;
        if meant(value) != Some(Kind::Spdx) {
            return Err(document.bad("@context", "not that of SPDX 3"));
        }
        let typed = |name: &str| {
            let of = |e: &&Value| e.get("type").and_then(Value::as_str) == Some(name);
            elements.iter().filter(of).count()
        };
        return Ok(json!({
            "format": "SPDX",
            "version": "SPDX-3",
            "name": null,
            "packages": typed("software_Package"),
            "files": typed("software_File"),
        }));
    }
    let version = document.text("spdxVersion")?;
    if !version.starts_with("SPDX-2.") {
        return Err(document.bad("spdxVersion", format!("`{version}` is not SPDX 2 or 3")));
    }
    if document.text("SPDXID")? != "SPDXRef-DOCUMENT" {
        return Err(document.bad("SPDXID", "not `SPDXRef-DOCUMENT`"));
    }
    Ok(json!({
        "format": "SPDX",
        "version": version,
        "name": document.text("name")?,
        "packages": document.count("packages")?.unwrap_or(0),
        "files": document.count("files")?.unwrap_or(0),
    }))
}

/// Reads a CycloneDX document.
pub(super) fn cyclone_dx(format: &str, value: &Value) -> Result<Value, Error> {
    let document = Object::root(format, value)?;
    let name = document.text("bomFormat")?;
    if name != "CycloneDX" {
        return Err(document.bad("bomFormat", format!("`{name}` is not `CycloneDX`")));
    }
    Ok(json!({
        "format": "CycloneDX",
        "version": document.text("specVersion")?,
        "serialNumber": document.text_if_any("serialNumber")?,
        "components": document.count("components")?.unwrap_or(0),
        "vulnerabilities": document.count("vulnerabilities")?,
    }))
}
