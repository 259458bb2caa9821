//! The allow-list: what is accepted, by whom is in the specification, until when is held against the moment of the finding.

use regex::Regex;

use crate::Moment;
use crate::spec::Allow;

/// The rules, ready.
#[derive(Debug, Clone)]
pub(crate) struct Rules(Vec<(Regex, Allow)>);

impl Rules {
    pub(crate) fn new(rules: &[Allow]) -> Result<Self, String> {
        rules
            .iter()
            .map(|rule| {
                // An empty pattern would accept everything.
                if rule.pattern.is_empty() {
                    return Err(format!("the allow-list's rule {:?} has an empty pattern: say what it accepts", rule.name));
                }
                regex::RegexBuilder::new(&rule.pattern)
                    .size_limit(1 << 20)
                    .build()
                    .map(|pattern| (pattern, rule.clone()))
                    .map_err(|error| {
                        format!(
                            "the pattern of the allow-list's rule {:?} is no regular expression: {error}",
                            rule.name
                        )
                    })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns the name of the first rule that accepts `text` and had not expired at `at`.
    pub(crate) fn accept(&self, text: &str, at: Moment) -> Option<String> {
        self.0
            .iter()
            .find(|(pattern, rule)| at.timestamp() < rule.expires && pattern.is_match(text))
            .map(|(_, rule)| rule.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use gonogo_core::Timestamp;

    use super::*;

    fn rule(pattern: &str) -> Allow {
        Allow {
            name: "known".to_owned(),
            pattern: pattern.to_owned(),
            owner: "ops".to_owned(),
            expires: Timestamp::from_millis(1_000),
            reason: String::new(),
        }
    }

    #[test]
    fn a_rule_accepts_until_it_expires() {
        let rules = Rules::new(&[rule("(?i)timeout \\d+")]).unwrap();
        let at = |millis: i64| Moment {
            boot: 0,
            wall: millis * 1_000_000,
        };
        assert_eq!(
            rules.accept("Timeout 12", at(999)),
            Some("known".to_owned())
        );
        assert_eq!(rules.accept("Timeout 12", at(1_000)), None);
        assert_eq!(rules.accept("timeout", at(0)), None);
    }

    #[test]
    fn a_pattern_that_is_none_is_named() {
        assert!(Rules::new(&[rule("(")]).unwrap_err().contains("\"known\""));
        assert!(Rules::new(&[rule("")]).is_err());
    }
}
