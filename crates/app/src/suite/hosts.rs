//! What a machine is, beside the variant that a configuration gives its runs.
//!
//! Invariant: no run stands for a system that it did not run on. Only words that everybody understands are held against the machine; what
//! else makes a variant (a feature set, a database, a system that is emulated) nobody can check, and it stands under other keys.

use std::collections::BTreeMap;

use gonogo_core::Reason;

use super::source::Tree;
use crate::AppError;
use crate::config::Config;

/// Systems, and the words that begin their names as people and CI services write them.
const SYSTEMS: [(&str, &[&str]); 6] = [
    (
        "linux",
        &[
            "alpine", "amazon", "centos", "debian", "fedora", "gnu", "linux", "opensuse", "rhel",
            "rocky", "ubuntu",
        ],
    ),
    ("macos", &["darwin", "mac", "macos", "osx"]),
    ("windows", &["win", "windows"]),
    ("freebsd", &["freebsd"]),
    ("netbsd", &["netbsd"]),
    ("openbsd", &["openbsd"]),
];

/// Processors, and their other names.
const PROCESSORS: [(&str, &[&str]); 7] = [
    ("x86_64", &["amd64", "x64", "x86-64", "x86_64"]),
    ("aarch64", &["aarch64", "arm64"]),
    ("x86", &["i386", "i586", "i686", "x86"]),
    ("arm", &["arm", "armhf", "armv6", "armv7"]),
    ("riscv64", &["riscv64"]),
    ("s390x", &["s390x"]),
    (
        "powerpc64",
        &["powerpc64", "powerpc64le", "ppc64", "ppc64le"],
    ),
];

/// Refuses a variant that says that this machine is another one.
///
/// # Errors
/// [`Reason::ConfigValue`] with both words.
pub(super) fn check(variant: &BTreeMap<String, String>) -> Result<(), AppError> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let Some(text) = contradiction(variant, os, arch) else {
        return Ok(());
    };
    Err(AppError::new(Reason::ConfigValue, text)
        .hint("say under `[suite] variant` what this machine is, or nothing")
        .hint("what is emulated or built for elsewhere stands under another key, like `target`"))
}

/// Says of a configuration that the tree under test does not have that it is none of it; `tree` is its id.
///
/// # Errors
/// git's faults, files that cannot be read.
pub(super) fn elsewhere(
    config: &Config,
    tree: &Tree,
    id: &str,
) -> Result<Option<String>, AppError> {
    let name = config.path.file_name().unwrap_or_default();
    let path = tree.below().join(name);
    if !tree.has_repository() {
        return Ok(None);
    }
    let listed = tree.listed(id)?;
    let has = path
        .to_str()
        .is_some_and(|path| listed.files.contains(path) || listed.link(path).is_some());
    Ok((!has).then(|| {
        format!(
            "`{}` is part of no tree: the run counts only where what the tree declares is the same",
            path.display()
        )
    }))
}

fn contradiction(variant: &BTreeMap<String, String>, os: &str, arch: &str) -> Option<String> {
    variant.iter().find_map(|(key, value)| {
        let word = value.trim().to_ascii_lowercase();
        let (said, is) = match key.trim().to_ascii_lowercase().as_str() {
            "os" => {
                let letters = word.split(|c: char| !c.is_ascii_alphabetic()).next()?;
                (known(&SYSTEMS, letters)?, os)
            }
            "arch" => (known(&PROCESSORS, &word)?, arch),
            _ => return None,
        };
        // What a processor can also be.
        let is_able = matches!((said, is), ("x86", "x86_64") | ("arm", "aarch64"));
        (said != is && !is_able).then(|| {
            format!("the variant of this run says `{key} = \"{value}\"`, and it is run on `{is}`")
        })
    })
}

fn known(table: &[(&'static str, &[&str])], word: &str) -> Option<&'static str> {
    let found = table.iter().find(|(_, words)| words.contains(&word));
    found.map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(key: &str, value: &str) -> bool {
        let variant = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        contradiction(&variant, "linux", "x86_64").is_none()
    }

    #[test]
    fn only_what_is_certainly_another_machine_is_refused() {
        for (key, value) in [
            ("os", "linux"),
            ("os", "Ubuntu-24.04"),
            ("os", "debian"),
            ("os", "our-image"),
            ("os", ""),
            ("arch", "amd64"),
            ("arch", "i686"),
            ("arch", "quantum"),
            ("target", "macos"),
            ("features", "windows"),
        ] {
            assert!(says(key, value), "{key} = {value}");
        }
        for (key, value) in [
            ("os", "macos"),
            ("os", "macos-14"),
            ("OS", "Darwin"),
            ("os", "win32"),
            ("os", "windows-2022"),
            ("os", "freebsd"),
            ("arch", "arm64"),
            ("Arch", "aarch64"),
            ("arch", "riscv64"),
        ] {
            assert!(!says(key, value), "{key} = {value}");
        }
    }
}
