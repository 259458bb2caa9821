//! Text as a shell, a regular expression or a filter language takes it for itself.

/// A command as it is typed into a POSIX shell: each word unchanged by it.
pub fn shell(argv: &[String]) -> String {
    let words: Vec<String> = argv.iter().map(|word| self::word(word)).collect();
    words.join(" ")
}

fn word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    // `=` at the front is expanded by zsh, and a first word with one in it would be an assignment: both are quoted.
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('=') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// An environment before a command.
pub(super) fn assignments(env: &std::collections::BTreeMap<String, String>) -> String {
    let words: Vec<String> = env
        .iter()
        .map(|(name, value)| format!("{name}={}", word(value)))
        .collect();
    words.join(" ")
}

/// A regular expression (Go, JavaScript, Rust, POSIX extended) that matches this text alone. `/` is left: it means nothing but in Go,
/// where it parts what stands on both sides of it in the name as well.
pub(super) fn regex(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A text in nextest's filter language, behind `=`.
pub(super) fn filterset(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(c, '\\' | ')' | ',') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_from_a_shell_as_they_were() {
        let all = [
            "plain", "", "a b", "it's", "$HOME", "`x`", "a\"b", "*", "~", "#", "ü", "a\nb", "-x=1",
            "=ls", "a;b", "\\",
        ];
        for word in all {
            let line = format!("printf %s {}", shell(&[word.to_owned()]));
            let out = std::process::Command::new("sh")
                .arg("-c")
                .arg(&line)
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&out.stdout), word, "{line}");
        }
        assert_eq!(
            shell(&["go".into(), "test".into(), "^a$".into()]),
            "go test '^a$'"
        );
    }

    #[test]
    fn what_means_something_is_quoted() {
        assert_eq!(regex("a.b (c) [d]|e/f>"), r"a\.b \(c\) \[d\]\|e/f>");
        assert_eq!(filterset(r"a\b(c),d"), r"a\\b(c\)\,d");
        for text in ["a.b*c", "x[1-2]", "^$", "größe {1}", r"back\slash"] {
            let pattern = regex::Regex::new(&format!("^{}$", regex(text))).unwrap();
            assert!(pattern.is_match(text), "{text}");
            assert!(!pattern.is_match(&format!("{text}x")));
        }
    }
}
