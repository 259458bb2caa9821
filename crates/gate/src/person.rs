//! Whether two names are one person's. In doubt they are: an approval by oneself is none.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

/// Names that are known to be one person's.
pub(crate) struct People<'a> {
    aliases: &'a BTreeMap<String, Vec<String>>,
}

impl<'a> People<'a> {
    pub(crate) const fn new(aliases: &'a BTreeMap<String, Vec<String>>) -> Self {
        Self { aliases }
    }

    /// Whether both names are one person's: upper and lower case, letters that look alike (Unicode Technical Standard 39, section 4),
    /// signs around it, a name beside an address, and the policy's aliases make no difference.
    pub(crate) fn are_one(&self, a: &str, b: &str) -> bool {
        let (a, b) = (self.forms(a), self.forms(b));
        a.iter()
            .any(|one| b.iter().any(|other| are_alike(one, other)))
    }

    fn forms(&self, name: &str) -> Vec<String> {
        let mut forms = forms(name);
        for (person, others) in self.aliases {
            let all: Vec<String> = std::iter::once(person)
                .chain(others)
                .flat_map(|other| self::forms(other))
                .collect();
            let known = all.iter().any(|a| forms.iter().any(|f| are_alike(a, f)));
            if known {
                forms.extend(all);
            }
        }
        forms
    }
}

/// `Ana B <ana@x.org>` is also `Ana B` and `ana@x.org`.
fn forms(name: &str) -> Vec<String> {
    let plain = |text: &str| {
        let visible = text
            .chars()
            .filter(|c| !crate::strict::is_blank(&c.to_string()) || *c == ' ');
        // Twice: what is compatible with a capital letter is one only afterwards.
        let lower = |text: String| -> String {
            let small: String = text.chars().flat_map(char::to_lowercase).collect();
            skeleton(&small).nfc().collect()
        };
        let alike = lower(lower(visible.nfkc().collect()));
        let words: Vec<&str> = alike.split_whitespace().collect();
        let is_sign = |c: char| !c.is_alphanumeric();
        words.join(" ").trim_matches(is_sign).to_owned()
    };
    let mut all = vec![plain(name)];
    if let Some((before, rest)) = name.split_once('<')
        && let Some((address, _)) = rest.split_once('>')
    {
        all.extend([plain(before), plain(address)]);
    }
    all.retain(|form| !form.is_empty());
    all
}

/// The same, or one is the other's address without its host.
fn are_alike(a: &str, b: &str) -> bool {
    let bare = |name: &str, address: &str| {
        !name.contains('@')
            && address
                .split_once('@')
                .is_some_and(|(local, _)| local.split('+').next() == Some(name))
    };
    a == b || bare(a, b) || bare(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_many_names() {
        let aliases = BTreeMap::from([("ana".to_owned(), vec!["a.b@work.org".to_owned()])]);
        let people = People::new(&aliases);
        for (a, b) in [
            ("Ana", "ana "),
            ("@ana", "ANA"),
            ("ana", "Ana B <ana@x.org>"),
            ("Ana B <q@x.org>", "ana b"),
            ("ana", "a.b@work.org"),
            ("A.B@work.org", "Somebody <ana@home.org>"),
            ("ana\u{200b}", "ana"),
            ("ana+ci@x.org", "ana"),
            ("ana.", "ana"),
            ("\u{ff41}\u{ff4e}\u{ff41}", "ana"),
            ("\u{430}n\u{430}", "ana"),
            ("\u{410}N\u{410}", "ana"),
            ("\u{1d4d0}na", "ana"),
            ("jose\u{301}", "jos\u{e9}"),
        ] {
            assert!(people.are_one(a, b), "{a} {b}");
            assert!(people.are_one(b, a), "{b} {a}");
        }
        for (a, b) in [
            ("ana", "anna"),
            ("jose", "jos\u{e9}"),
            ("ana b", "ana c"),
            ("ana@x.org", "ana@y.org"),
            ("", ""),
            ("bo", "ana"),
        ] {
            let people = People::new(const { &BTreeMap::new() });
            assert!(!people.are_one(a, b), "{a} {b}");
        }
    }
}
