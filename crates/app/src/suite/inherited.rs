//! The variables that suites, commands of gates and preparations get from whoever started us.
//!
//! Invariant: no variable from outside makes a gonogo that runs within them read another configuration, or judge, record or cut in another
//! way, than the files say: what was found would be evidence of rules that nobody declared.

use std::collections::BTreeMap;

/// What commands of gonogo take as options from the environment.
const OPTIONS: [&str; 5] = [
    "GONOGO_BASE",
    "GONOGO_CONFIG",
    "GONOGO_ENV",
    "GONOGO_PROFILE",
    "GONOGO_RECORD_MODE",
];

/// What says which part of a run this is; a run says it itself, or it is none.
const SHARD: &str = "GONOGO_SHARD_";

/// The variables that are handed on; one whose name or value is no UTF-8 is not.
pub(crate) fn variables() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .filter(|(name, _)| is_handed_on(name))
        .collect()
}

fn is_handed_on(name: &str) -> bool {
    !OPTIONS.contains(&name) && !name.starts_with(SHARD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_our_own_commands_are_not_handed_on() {
        for name in ["GONOGO_CONFIG", "GONOGO_RECORD_MODE", "GONOGO_SHARD_INDEX"] {
            assert!(!is_handed_on(name), "{name}");
        }
        for name in ["PATH", "GONOGO_ACTOR", "GONOGO_RECORDED_API", "CONFIG"] {
            assert!(is_handed_on(name), "{name}");
        }
    }
}
