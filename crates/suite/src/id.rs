//! How a test is named, whatever its runner calls it.
//!
//! What contains tests is named once for all of them: the parts that a report repeats are [`Name`]s, which are shared and not copied.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use gonogo_core::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most bytes of a name as it is shown. A longer one keeps its beginning and ends in a digest of the whole, so two stay two.
const LONGEST: usize = 512;

/// A text that many tests have in common: cloning it copies nothing. It is a `str` in every other way, and in stored forms.
#[derive(Clone, Default)]
pub struct Name(Option<Arc<str>>);

impl Name {
    /// Makes one; tabs and line ends become their pictures, other control characters spaces, and at most 512 bytes are kept.
    pub fn new(text: &str) -> Self {
        Self::from(bounded(text))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// The text as it is.
impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self((!text.is_empty()).then(|| text.into()))
    }
}

/// The text as it is.
impl From<String> for Name {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (a, b) => a.is_none() == b.is_none(),
        }
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// A test: where it is, and its own name. Equality is that of all parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TestId {
    /// What contains it: a binary, a package, a suite, a file. Empty if the report names none.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub suite: Name,
    /// Its class or group within that; empty if there is none.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub class: Name,
    /// Its own name, parameters included.
    pub name: String,
}

impl TestId {
    /// Makes one, without blanks around each part. Tabs and line ends become their pictures (`␉`, `␊`, `␍`), other control characters
    /// spaces, and each part keeps at most 512 bytes.
    pub fn new(suite: &str, class: &str, name: &str) -> Self {
        Self {
            suite: Name::new(suite),
            class: Name::new(class),
            name: bounded(name),
        }
    }

    /// Makes one of a name to which every character belongs: blanks around it become pictures too (`␠`), so that neither a reader nor a person
    /// takes two tests for one. For runners whose reports give a test's name alone; others put blanks beside it.
    pub fn exact(suite: &str, class: &str, name: &str) -> Self {
        Self {
            suite: Name::new(suite),
            class: Name::new(class),
            name: exact(name),
        }
    }

    /// Makes one of what many tests share, and a name that is bounded as in [`TestId::new`].
    pub fn within(suite: &Name, class: &Name, name: &str) -> Self {
        Self {
            suite: suite.clone(),
            class: class.clone(),
            name: bounded(name),
        }
    }
}

impl fmt::Display for TestId {
    /// `suite > class > name`, empty parts left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for part in [&*self.suite, &*self.class, self.name.as_str()] {
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

/// A name with pictures for the blanks around it; empty if it is nothing else.
pub(crate) fn exact(name: &str) -> String {
    let inner = name.trim();
    if inner.len() == name.len() || inner.is_empty() {
        return bounded(name);
    }
    let picture = |c: char| match pictured(c) {
        c if c.is_whitespace() => '␠',
        c => c,
    };
    let from = name.len() - name.trim_start().len();
    let (before, behind) = (&name[..from], &name[from + inner.len()..]);
    let mut shown: String = before.chars().map(picture).collect();
    shown.push_str(inner);
    shown.extend(behind.chars().map(picture));
    bounded(&shown)
}

/// The pictures of blanks and expressions for what they stand for, as JavaScript reads them; for themselves too, if a name has them.
pub(crate) const PICTURES: [(char, &str); 4] = [
    ('␠', r"[\s␠]"),
    ('␉', r"[\t␉]"),
    ('␊', r"[\n␊]"),
    ('␍', r"[\r␍]"),
];

/// A character as it stands in a name: no control character.
fn pictured(c: char) -> char {
    match c {
        '\t' => '␉',
        '\n' => '␊',
        '\r' => '␍',
        c if c.is_control() => ' ',
        c => c,
    }
}

fn bounded(text: &str) -> String {
    // 0xc2 begins what may be a control character beyond ASCII.
    let plain = !text.bytes().any(|b| b < 0x20 || b == 0x7f || b == 0xc2);
    if plain && text.len() <= LONGEST {
        return text.trim().to_owned();
    }
    let clean: String = text.trim().chars().map(pictured).collect();
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
    use std::hash::DefaultHasher;

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
        assert_eq!(TestId::new("", "", "a\u{1b}[31m\nb").name, "a [31m␊b");
        assert_eq!(TestId::new("", "", "a\u{8c}b\u{a7}").name, "a b\u{a7}");
        assert_eq!(TestId::new("s", "c", "n").to_string(), "s > c > n");
        assert_eq!(TestId::new("", "", " n ").to_string(), "n");
    }

    #[test]
    fn names_that_differ_in_blanks_stay_apart() {
        let table = [
            ("parse a b", "parse a b", "parse a b"),
            ("parse a  b", "parse a  b", "parse a  b"),
            ("parse a\tb", "parse a␉b", "parse a␉b"),
            ("a\r\nb", "a␍␊b", "a␍␊b"),
            ("  lead", "lead", "␠␠lead"),
            ("trail ", "trail", "trail␠"),
            ("\ttab\n", "tab", "␉tab␊"),
            ("\u{a0}x", "x", "␠x"),
            (" ", "", ""),
            ("", "", ""),
        ];
        for (name, shown, all) in table {
            assert_eq!(TestId::new("", "", name).name, shown, "{name:?}");
            let id = TestId::exact(" s ", "c", name);
            assert_eq!(
                (&*id.suite, id.name.as_str()),
                ("s", all.trim()),
                "{name:?}"
            );
        }
        let long = " ".repeat(600);
        let (a, b) = (format!("{long}a"), format!("{long} a"));
        let (a, b) = (TestId::exact("", "", &a), TestId::exact("", "", &b));
        assert!(a != b && a.name.len() <= LONGEST);
    }

    #[test]
    fn a_shared_name_is_a_text_in_every_way() {
        let texts = ["", "a", "ab", "b", "ä"];
        let hash = |value: &dyn Fn(&mut DefaultHasher)| {
            let mut hasher = DefaultHasher::new();
            value(&mut hasher);
            hasher.finish()
        };
        for a in texts {
            let name = Name::from(a);
            assert_eq!(name, *a);
            assert_eq!(hash(&|h| name.hash(h)), hash(&|h| a.hash(h)));
            assert_eq!(format!("{name:?} {name:>4}"), format!("{a:?} {a:>4}"));
            for b in texts {
                let other = Name::from(b.to_owned());
                assert_eq!(name == other, a == b);
                assert_eq!(name.cmp(&other), a.cmp(b));
            }
        }
        let shared = Name::new("s");
        let (one, two) = (
            TestId::within(&shared, &Name::default(), "n\n"),
            TestId::new("s", "", "n"),
        );
        assert_eq!(one, two);
        let json = serde_json::to_string(&one).unwrap();
        assert_eq!(json, r#"{"suite":"s","name":"n"}"#);
        assert_eq!(serde_json::from_str::<TestId>(&json).unwrap(), two);
        let bare: TestId = serde_json::from_str(r#"{"name":"n"}"#).unwrap();
        assert_eq!(bare, TestId::new("", "", "n"));
    }
}
