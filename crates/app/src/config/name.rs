//! Names that become directory names, labels and arguments, so they must be plain.

use super::reader::{Faults, Found};

/// Says whether `name` is 1 to 64 of `A-Z a-z 0-9 . _ + -` and begins with a letter, digit or `_`.
///
/// Such a name is safe as a file name, in a URL path and as an argument (it is no option and no `..`).
pub fn is_plain_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with(['.', '-', '+'])
}

/// Says whether `name` can be a person's: as [`is_plain_name`], and `@` may stand inside, so that an address is a name.
pub fn is_person_name(name: &str) -> bool {
    is_plain_name(&name.replace('@', "_")) && !name.starts_with('@')
}

/// Says whether `name` is a portable name of a variable (POSIX.1-2024, XBD section 8.1), lower case admitted.
pub(super) fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Notes a name that is not plain; `what` says whose name it is.
pub(super) fn check(faults: &Faults<'_>, what: &str, name: &Found<String>) {
    if !is_plain_name(&name.value) {
        name.refuse(
            faults,
            format!(
                "{what} must be 1 to 64 of `A-Z a-z 0-9 . _ + -` and begin with a letter, a digit or `_`"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{is_person_name, is_plain_name};

    #[test]
    fn plain_names_are_safe_as_file_names() {
        for name in ["1.4.0", "v2+build.7", "main-2026_01", "_x", &"a".repeat(64)] {
            assert!(is_plain_name(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            ".hidden",
            "-x",
            "+x",
            "a/b",
            "a b",
            "ä",
            "a\0",
            "a\n",
            &"a".repeat(65),
        ] {
            assert!(!is_plain_name(name), "{name:?}");
            assert!(!is_person_name(name), "{name:?}");
        }
    }

    #[test]
    fn an_address_is_a_persons_name() {
        assert!(is_person_name("dana@example.org") && is_person_name("dana"));
        assert!(!is_plain_name("dana@example.org") && !is_person_name("@dana"));
    }
}
