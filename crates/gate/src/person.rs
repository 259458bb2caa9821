//! Whether two names are one person's. In doubt they are: an approval by oneself is none.

mod letters;

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

/// Which spellings of a name count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// The one that stands there.
    Own,
    /// Also those without accents, and with other letters for the same sound.
    Any,
}

/// Names that are known to be one person's.
pub(crate) struct People<'a> {
    aliases: &'a BTreeMap<String, Vec<String>>,
}

impl<'a> People<'a> {
    pub(crate) const fn new(aliases: &'a BTreeMap<String, Vec<String>>) -> Self {
        Self { aliases }
    }

    /// Whether both names may be one person's: upper and lower case, accents and other marks on letters, letters that look alike (Unicode
    /// Technical Standard 39, section 4) or are written as one or two others (`ø`, `o`, `oe`), signs around and within it, a note,
    /// another name or an address beside it, and the policy's aliases make no difference.
    ///
    /// For questions whose "yes" refuses something: nobody approves what is their own.
    pub(crate) fn are_one(&self, a: &str, b: &str) -> bool {
        self.meet(a, b, Spelling::Any)
    }

    /// Whether both names are one person's without doubt: as [`People::are_one`], but `José` is not `jose`.
    ///
    /// For the question whose "yes" admits something: whether the one who signed is the one who was named.
    pub(crate) fn are_surely_one(&self, a: &str, b: &str) -> bool {
        self.meet(a, b, Spelling::Own)
    }

    fn meet(&self, a: &str, b: &str, spelling: Spelling) -> bool {
        let (a, b) = (self.forms(a, spelling), self.forms(b, spelling));
        a.iter()
            .any(|one| b.iter().any(|other| are_alike(one, other)))
    }

    fn forms(&self, name: &str, spelling: Spelling) -> Vec<String> {
        let mut forms = forms(name, spelling);
        for (person, others) in self.aliases {
            let all: Vec<String> = std::iter::once(person)
                .chain(others)
                .flat_map(|other| self::forms(other, spelling))
                .collect();
            let known = all.iter().any(|a| forms.iter().any(|f| are_alike(a, f)));
            if known {
                forms.extend(all);
            }
        }
        forms
    }
}

/// Whether a text is one name and nothing beside it: letters and digits of any script and `. _ + - @ /`, 64 at most.
pub(crate) fn is_one(name: &str) -> bool {
    let name = name.trim();
    let inner = |c: char| c.is_alphanumeric() || is_mark(c) || "._+-@/".contains(c);
    (1..=64).contains(&name.chars().count()) && name.chars().all(inner)
}

/// Whether a character belongs to the letter before it.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

/// What stands between a name and a note, an address, or another name.
const BETWEEN: [char; 16] = [
    '<', '>', '(', ')', '[', ']', '{', '}', ',', ';', ':', '|', '&', '"', '=', '*',
];

/// All of a name and each of its parts: `Ana B <ana@x.org>` is also `Ana B` and `ana@x.org`, and so is `Ana B (ana@x.org), Bo`, who is `Bo`
/// too.
fn forms(name: &str, spelling: Spelling) -> Vec<String> {
    let parts = || std::iter::once(name).chain(name.split(BETWEEN));
    let mut all: Vec<String> = parts().map(plain).collect();
    if spelling == Spelling::Any {
        all.extend(parts().flat_map(others));
    }
    all.retain(|form| !form.is_empty());
    all.sort_unstable();
    all.dedup();
    all
}

/// A name in small letters of one script, without what nobody sees and without signs around it.
fn plain(text: &str) -> String {
    // Twice: what is compatible with a capital letter is one only afterwards.
    let lower = |text: String| -> String {
        let small: String = text.chars().flat_map(char::to_lowercase).collect();
        skeleton(&small).nfc().collect()
    };
    trimmed(&lower(lower(visible(text).nfkc().collect())))
}

/// The other spellings of a name.
fn others(text: &str) -> Vec<String> {
    let visible: String = visible(text).collect();
    let all = letters::spellings(&visible);
    all.iter().map(|spelling| trimmed(spelling)).collect()
}

/// What of a text somebody sees, and its blanks.
fn visible(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .filter(|c| !crate::strict::is_blank(&c.to_string()) || *c == ' ')
}

/// A text without signs around it, its words one blank apart.
fn trimmed(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_sign = |c: char| !c.is_alphanumeric();
    words.join(" ").trim_matches(is_sign).to_owned()
}

/// A name in letters and digits alone: of an account within an organisation the account, of an address with a word behind `+` without it.
/// The host of an address stays, behind `@`.
fn folded(form: &str) -> (String, Option<&str>) {
    let (local, host) = match form.rsplit_once('@') {
        Some((local, host)) if !host.contains('/') => (local, Some(host)),
        _ => (form, None),
    };
    let local = local.rsplit('/').next().unwrap_or(local);
    let local = local.split('+').next().unwrap_or(local);
    let letters = local.chars().filter(|c| c.is_alphanumeric() || is_mark(*c));
    (letters.collect(), host)
}

/// The same letters and digits, and not the addresses of two hosts.
fn are_alike(a: &str, b: &str) -> bool {
    let ((name, host), (other, its)) = (folded(a), folded(b));
    a == b
        || (!name.is_empty() && name == other && (host.is_none() || its.is_none() || host == its))
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
            ("ana (lead)", "ana"),
            ("ana (ana@x.org)", "Ana"),
            ("ana, bo", "bo"),
            ("mailto:ana@x.org", "ana"),
            ("ana smith", "Ana.Smith"),
            ("ana_smith", "Ana-Smith"),
            ("ana+1@x.org", "ana@x.org"),
            ("ana+1@x.org", "ana+2@x.org"),
            ("@core/ana", "ana"),
            ("Ana Smith <q@x.org>", "ana.smith@y.org"),
            ("jos\u{e9}", "jose"),
            ("Jos\u{e9} <g@x.org>", "jose"),
            ("z\u{e9}d", "zed"),
            ("dan\u{1ea1}", "dana"),
            ("da\u{323}na", "dana"),
            ("dana\u{93e}", "dana"),
            ("\u{5b8}dana", "dana"),
            ("dana\u{fe0f}", "dana"),
            ("\u{1d05}ana", "dana"),
            ("\u{1d05}\u{1d00}\u{274}\u{1d00}", "Dana"),
            ("\u{1f173}ana", "dana"),
            ("j\u{f8}rgen", "jorgen"),
            ("J\u{d8}RGEN", "Joergen"),
            ("J\u{f6}rg M\u{fc}ller", "joerg.muller"),
            ("J\u{f6}rg M\u{fc}ller", "jorg.mueller"),
            ("H\u{e5}kon", "haakon@x.org"),
            ("\u{142}ukasz", "lukasz"),
            ("\u{111}or\u{111}e", "djordje"),
            ("\u{111}or\u{111}e", "dorde"),
            ("i\u{307}pek", "\u{130}pek"),
            ("y\u{131}lmaz", "yilmaz"),
            ("\u{456}\u{438}\u{306}", "\u{456}\u{438}"),
            ("wei\u{df}", "WEISS"),
            ("\u{fe}\u{f3}r", "thor"),
        ] {
            assert!(people.are_one(a, b), "{a} {b}");
            assert!(people.are_one(b, a), "{b} {a}");
        }
        for (a, b) in [
            ("ana", "anna"),
            ("ada", "aada"),
            ("mueller", "muller"),
            // Marks that are vowels, or that make another letter.
            ("\u{915}\u{92e}\u{932}", "\u{915}\u{92e}\u{932}\u{93e}"),
            ("\u{e21}\u{e32}\u{e19}", "\u{e21}\u{e32}\u{e19}\u{e35}"),
            ("\u{5d3}\u{5b8}\u{5df}", "\u{5d3}\u{5b4}\u{5df}"),
            ("\u{633}\u{64e}\u{645}", "\u{633}\u{650}\u{645}"),
            ("\u{304b}\u{306a}", "\u{304c}\u{306a}"),
            ("ana b", "ana c"),
            ("ana@x.org", "ana@y.org"),
            ("", ""),
            ("bo", "ana"),
            ("@core/ana", "@core/bo"),
            ("ana+1@x.org", "ana@y.org"),
            ("ana b", "ana"),
            ("bo (qa)", "ana (lead)"),
        ] {
            let people = People::new(const { &BTreeMap::new() });
            assert!(!people.are_one(a, b), "{a} {b}");
        }
    }

    #[test]
    fn who_signs_is_who_was_named_only_without_doubt() {
        let people = People::new(const { &BTreeMap::new() });
        assert!(people.are_surely_one("Ana <ana@x.org>", "ana"));
        assert!(people.are_surely_one("jose\u{301}", "jos\u{e9}"));
        assert!(!people.are_surely_one("jose", "jos\u{e9}"));
        assert!(!people.are_surely_one("j\u{f8}rgen", "joergen"));
    }
}
