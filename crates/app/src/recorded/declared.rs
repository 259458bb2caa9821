//! What a `[record.NAME]` declares, as a digest: two sections that match, redact and forgive alike have the same one.
//!
//! Invariant: every key of the section is in it. A key that is forgotten here would be one that a change may loosen without being asked.

use gonogo_core::{Digest, canonical};
use gonogo_recorded::{MatchRules, Mode, RedactionRules};
use serde_json::json;

use crate::config::RecordFile;

/// Of one section.
pub fn digest(file: &RecordFile) -> Digest {
    let RecordFile {
        cassette,
        mode,
        upstreams,
        upstream_roots,
        forward,
        loopback,
        timing,
        allow_unused,
        max_age,
        matching,
        redaction,
        values_of,
    } = file;
    let MatchRules {
        template,
        volatile,
        headers,
        repeat,
    } = matching;
    // What is found in the environment is no declaration.
    let RedactionRules {
        words,
        plain,
        headers: secret_headers,
        patterns,
        literals: _,
    } = redaction;
    let mode = match mode {
        Mode::Auto => "auto",
        Mode::Playback => "playback",
        Mode::Record => "record",
    };
    let said = json!({
        "allow_unused": allow_unused,
        "cassette": cassette,
        "forward": forward,
        "loopback": loopback,
        "match": {"headers": headers, "repeat": repeat, "template": template, "volatile": volatile},
        "max_age_ms": max_age.as_millis(),
        "mode": mode,
        "redact": {"headers": secret_headers, "patterns": patterns, "plain": plain, "values_of": values_of, "words": words},
        "timing": timing,
        "upstream_roots": upstream_roots,
        "upstreams": upstreams,
    });
    let bytes = canonical::to_vec(&said);
    // Texts, flags and whole numbers have a canonical form; what has none is no other section's digest all the same.
    Digest::of(&bytes.unwrap_or_else(|_| said.to_string().into_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn of(more: &str) -> Digest {
        let text = format!(
            "[record.api]\ncassette = \"c.json\"\nupstreams = {{ api = \"http://127.0.0.1:9\" }}\n{more}\n"
        );
        let config = Config::parse(Path::new("gonogo.toml"), text.as_bytes()).unwrap();
        digest(&config.records["api"])
    }

    #[test]
    fn each_key_makes_another_digest() {
        let plain = of("");
        assert_eq!(of("max_age = \"90d\"\nmode = \"auto\""), plain);
        let others = [
            "mode = \"playback\"",
            "upstream_roots = \"ca.pem\"",
            "forward = true",
            "timing = true",
            "allow_unused = true",
            "max_age = \"366d\"",
            "match = { template = true }",
            "match = { volatile = [\"/amount\"] }",
            "match = { headers = [\"x-a\"] }",
            "match = { repeat = [\"POST http://127.0.0.1:9/*\"] }",
            "redact = { words = [\"pin\"] }",
            "redact = { plain = [\"pin\"] }",
            "redact = { headers = [\"pin\"] }",
            "redact = { patterns = [\"pin=(.+)\"] }",
            "redact = { values_of = [\"PIN\"] }",
        ];
        let all: BTreeSet<Digest> = others.into_iter().map(of).chain([plain]).collect();
        assert_eq!(all.len(), others.len() + 1);
    }
}
