//! One line of a CODEOWNERS file.

use super::{Dialect, cut};

/// What a line is.
pub(super) enum Line {
    /// Empty, or a comment.
    Nothing,
    /// GitLab's head of a section, with the owners of its rules that name none.
    Section {
        /// Between the brackets.
        name: String,
        /// May be none.
        owners: Vec<String>,
    },
    /// A pattern and its owners.
    Rule(Owned),
}

/// A pattern and its owners.
pub(super) struct Owned {
    /// As it is written, escapes included.
    pub(super) pattern: String,
    /// None: nobody, or the section's.
    pub(super) owners: Vec<String>,
    /// Why the line cannot be used, where its pattern is known.
    pub(super) wrong: Option<String>,
}

/// Reads a line that was trimmed.
pub(super) fn read(text: &str, dialect: Dialect) -> Result<Line, String> {
    if text.is_empty() || text.starts_with('#') {
        return Ok(Line::Nothing);
    }
    if dialect == Dialect::GitLab && text.starts_with(['[', '^']) {
        return section(text);
    }
    let (pattern, rest) = words(text);
    if dialect == Dialect::GitHub && pattern.starts_with("\\#") {
        return Err(format!(
            "`{}`: GitHub takes no pattern that begins with `#`, escaped or not; match it with `?`",
            cut(&pattern)
        ));
    }
    let (owners, wrong) = owners(rest, dialect);
    let wrong = wrong.map(|word| {
        format!("`{}` is no owner: write `@user`, `@org/team` or an address; the line counts for nothing", cut(&word))
    });
    Ok(Line::Rule(Owned {
        pattern,
        owners,
        wrong,
    }))
}

/// The pattern, which a space ends unless a backslash stands before it, and the rest.
fn words(text: &str) -> (String, &str) {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if !escaped && c.is_whitespace() {
            return (text[..at].to_owned(), &text[at..]);
        }
        escaped = !escaped && c == '\\';
    }
    (text.to_owned(), "")
}

/// Owners up to a comment, and the first word that is none.
fn owners(text: &str, dialect: Dialect) -> (Vec<String>, Option<String>) {
    let mut owners = Vec::new();
    for word in text.split_whitespace() {
        if word.starts_with('#') {
            break;
        }
        if !is_owner(word, dialect) {
            return (Vec::new(), Some(word.to_owned()));
        }
        if !owners.iter().any(|o| o == word) {
            owners.push(word.to_owned());
        }
    }
    (owners, None)
}

fn is_owner(word: &str, dialect: Dialect) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part.len() <= 255
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    if let Some(name) = word.strip_prefix('@') {
        return match dialect {
            Dialect::GitHub => name.split('/').count() <= 2 && name.split('/').all(plain),
            // `@@developer` is a role.
            Dialect::GitLab => name
                .strip_prefix('@')
                .map_or_else(|| name.split('/').all(plain), plain),
        };
    }
    let Some((user, host)) = word.split_once('@') else {
        return false;
    };
    let is_host = host.contains('.') && host.split('.').all(plain);
    !user.is_empty() && !user.contains(['/', '\\', ',', ';']) && is_host
}

/// `[Name]`, `^[Name]` (optional), `[Name][2]` (approvals), and default owners behind it.
fn section(text: &str) -> Result<Line, String> {
    let wrong = || {
        format!(
            "`{}` is no head of a section: write `[Name]`, `^[Name]` or `[Name][2]`, and owners behind it",
            cut(text)
        )
    };
    let rest = text.strip_prefix('^').unwrap_or(text);
    let rest = rest.strip_prefix('[').ok_or_else(wrong)?;
    let (name, rest) = rest.split_once(']').ok_or_else(wrong)?;
    let rest = match rest.strip_prefix('[') {
        Some(rest) => {
            let (count, rest) = rest.split_once(']').ok_or_else(wrong)?;
            count.parse::<u32>().map_err(|_| wrong())?;
            rest
        }
        None => rest,
    };
    if name.trim().is_empty() || !(rest.is_empty() || rest.starts_with(char::is_whitespace)) {
        return Err(wrong());
    }
    match owners(rest, Dialect::GitLab) {
        (owners, None) => Ok(Line::Section {
            name: name.trim().to_owned(),
            owners,
        }),
        (_, Some(_)) => Err(wrong()),
    }
}
