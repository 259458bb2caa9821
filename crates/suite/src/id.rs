//! How a test is named, whatever its runner calls it.

use std::fmt;

use gonogo_core::Digest;
use serde::{Deserialize, Serialize};

/// Most bytes of a name as it is shown. A longer one keeps its beginning and ends in a digest of the whole, so two stay two.
const LONGEST: usize = 512;

/// A test: where it is, and its own name. Equality is that of all parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TestId {
    /// What contains it: a binary, a package, a suite, a file. Empty if the report names none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub suite: String,
    /// Its class or group within that; empty if there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub class: String,
    /// Its own name, parameters included.
    pub name: String,
}

impl TestId {
    /// Makes one; control characters become spaces, and each part keeps at most 512 bytes.
    pub fn new(suite: &str, class: &str, name: &str) -> Self {
        Self {
            suite: bounded(suite),
            class: bounded(class),
            name: bounded(name),
        }
    }
}

impl fmt::Display for TestId {
    /// `suite > class > name`, empty parts left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for part in [&self.suite, &self.class, &self.name] {
            if part.is_empty() {
                continue;
            }
            if !first {
                f.write_str(" > ")?;
            }
            f.write_str(part)?;
            first = false;
        }
        Ok(())
    }
}

fn bounded(text: &str) -> String {
    let plain = !text.bytes().any(|b| b < 0x20 || b == 0x7f);
    if plain && text.len() <= LONGEST {
        return text.trim().to_owned();
    }
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let clean = clean.trim();
    if clean.len() <= LONGEST {
        return clean.to_owned();
    }
    let digest = Digest::of(clean.as_bytes()).hex();
    let tail = &digest[..16];
    let mut end = LONGEST - tail.len() - "…#".len();
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…#{tail}", &clean[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_stay_apart() {
        let long = "ä".repeat(400);
        let (a, b) = (
            TestId::new("s", "", &format!("{long}1")),
            TestId::new("s", "", &format!("{long}2")),
        );
        assert_ne!(a, b);
        assert!(a.name.len() <= LONGEST && a.name.contains("…#"));
        assert_eq!(TestId::new("", "", "a\u{1b}[31m\nb").name, "a [31m b");
        assert_eq!(TestId::new("s", "c", "n").to_string(), "s > c > n");
        assert_eq!(TestId::new("", "", " n ").to_string(), "n");
    }
}
