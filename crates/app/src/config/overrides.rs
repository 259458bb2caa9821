//! What may be set from outside the file: variables, and flags above them.

use std::path::PathBuf;

/// Settings from variables or flags. An empty variable counts as unset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The file: `--config`, `GONOGO_CONFIG`.
    pub config: Option<PathBuf>,
    /// The environment: `--env`, `GONOGO_ENV`.
    pub environment: Option<String>,
}

impl Overrides {
    /// Reads the variables through `lookup`, which returns a variable's value.
    pub fn from_env(lookup: impl Fn(&str) -> Option<std::ffi::OsString>) -> Self {
        let set = |name| lookup(name).filter(|value| !value.is_empty());
        Self {
            config: set("GONOGO_CONFIG").map(PathBuf::from),
            // A name that is not text matches no environment, and the lossy form says so.
            environment: set("GONOGO_ENV").map(|v| v.to_string_lossy().into_owned()),
        }
    }

    /// Lays these settings over `lower` ones: what is set here wins.
    pub fn over(self, lower: Self) -> Self {
        Self {
            config: self.config.or(lower.config),
            environment: self.environment.or(lower.environment),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_variables_and_empty_is_unset() {
        let variables = Overrides::from_env(|name| match name {
            "GONOGO_CONFIG" => Some("/etc/gonogo.toml".into()),
            "GONOGO_ENV" => Some("".into()),
            _ => None,
        });
        assert_eq!(variables.config, Some("/etc/gonogo.toml".into()));
        assert_eq!(variables.environment, None);
        let flags = Overrides {
            config: None,
            environment: Some("prod".into()),
        };
        let both = flags.over(variables.clone());
        assert_eq!(
            (both.config, both.environment),
            (variables.config, Some("prod".into()))
        );
        let flags = Overrides {
            config: Some("a".into()),
            environment: None,
        };
        let lower = Overrides {
            config: Some("b".into()),
            environment: Some("c".into()),
        };
        let both = flags.over(lower);
        assert_eq!(
            (both.config, both.environment),
            (Some("a".into()), Some("c".into()))
        );
    }
}
