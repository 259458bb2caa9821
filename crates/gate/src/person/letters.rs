//! Ways to write one name: without the marks on its letters, and with two letters for one of them.
//!
//! `José` signs as `jose`, `Jørgen` as `jorgen` or `joergen`: these may be one person's. Invariants: a mark goes where it is an accent, and stays
//! where it may be a vowel (Arabic, Hebrew, Thai, the scripts of India and others); a text in ASCII has no other spelling.

use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

use super::is_mark;

/// Most spellings of a text; of letters beyond that only the first way counts.
const SPELLINGS: usize = 64;

/// Letters that Unicode does not take apart, and what people write where they do not have them.
const LETTERS: [(&str, &[&str]); 34] = [
    ("øɵᴓɔⱺꝋꝍꬽꬾ𝼛", &["o", "oe"]),
    ("æᴁ", &["ae", "a", "e"]),
    ("œɶ", &["oe", "o", "e"]),
    ("ß", &["ss", "s", "sz"]),
    ("þ", &["th", "t"]),
    ("ð", &["d", "dh", "th"]),
    ("ŋ", &["n", "ng"]),
    ("đ", &["d", "dj"]),
    ("ᴀɐɑⱥᶏ", &["a"]),
    ("ʙƀƃɓᴃᵬᶀꞗ", &["b"]),
    ("ᴄƈȼɕꞓꞔ𝼝", &["c"]),
    ("ᴅƌȡɖɗᴆᵭᶁᶑꝺꟈ", &["d"]),
    ("ᴇɇⱸǝəɛɘᶒꬲꬳꬴ", &["e"]),
    ("ꜰƒᵮᶂꝼꞙꬵ", &["f"]),
    ("ɢǥɠɡʛᵹᶃꞡꬶ", &["g"]),
    ("ʜħɦⱨꞕ", &["h"]),
    ("ɪıɨɩᵻᵼᶖ𝼚", &["i"]),
    ("ᴊȷɉɟʝ", &["j"]),
    ("ᴋĸƙⱪᶄꝁꝃꝅꞣ", &["k"]),
    ("ʟłƚɫɬɭⱡᴌȴᶅꝉꞎꬷꬸꬹ𝼑𝼓", &["l"]),
    ("ᴍɱᵯᶆꬺ", &["m"]),
    ("ɴƞȵɲɳᴎᵰᶇꞑꞥꬻ", &["n"]),
    ("ᴏ", &["o"]),
    ("ᴘƥᵽᵱᶈꝑꝓꝕ", &["p"]),
    ("ꞯɋʠꝗꝙ", &["q"]),
    ("ʀɍɼɽɾʁᴙᴚᵲᵳᶉꞃꞧꭇꭉꭋꭌ𝼖", &["r"]),
    ("ꜱſȿʂᵴᶊꞅꞩꟊ𝼞", &["s"]),
    ("ᴛŧƫƭȶʈⱦᵵꞇ𝼉", &["t"]),
    ("ᴜʉʊᶙꞹꭎꭒ", &["u"]),
    ("ᴠʋⱴᶌⱱꝟ", &["v"]),
    ("ᴡⱳ", &["w"]),
    ("ʏƴɏỿꭚ", &["y"]),
    ("ᴢƶȥɀʐʑⱬᵶᶎ", &["z"]),
    ("ᶍꭖꭗꭘꭙ", &["x"]),
];

/// Marks with which a letter is also written as two, and what the second one is.
const TWO: [(&str, char, &str); 2] = [("aou", '\u{308}', "e"), ("a", '\u{30a}', "a")];

/// Letters in circles and squares that Unicode does not take apart: the first of each alphabet.
const FRAMED: [u32; 2] = [0x1f150, 0x1f170];

/// The spellings of a text that is not in ASCII.
pub(super) fn spellings(text: &str) -> Vec<String> {
    if text.is_ascii() {
        return Vec::new();
    }
    let mut all = vec![String::new()];
    let apart = small(text);
    // Marks at the beginning stand on nothing.
    let mut chars = apart.chars().skip_while(|c| is_mark(*c)).peekable();
    while let Some(base) = chars.next() {
        let marks: String = std::iter::from_fn(|| chars.next_if(|c| is_mark(*c))).collect();
        write(&mut all, &ways(base, &marks));
    }
    all.iter().map(|spelling| alike(spelling)).collect()
}

/// A text in small letters, taken apart into letters and marks.
fn small(text: &str) -> String {
    let lower: String = text.nfkd().flat_map(char::to_lowercase).collect();
    lower.nfkd().collect()
}

/// Adds a letter to all spellings, in each of its ways while there is room.
fn write(all: &mut Vec<String>, ways: &[String]) {
    let room = if all.len() * ways.len() > SPELLINGS {
        1
    } else {
        ways.len()
    };
    *all = all
        .iter()
        .flat_map(|start| {
            ways.iter()
                .take(room)
                .map(move |way| format!("{start}{way}"))
        })
        .collect();
}

/// The ways to write a letter with its marks.
fn ways(base: char, marks: &str) -> Vec<String> {
    let known = LETTERS.iter().find(|(letters, _)| letters.contains(base));
    let mut ways: Vec<String> = match known {
        Some((_, ways)) => ways.iter().map(|way| (*way).to_owned()).collect(),
        None => vec![unframed(base).to_string()],
    };
    let two = TWO
        .iter()
        .filter(|(letters, mark, _)| letters.contains(base) && marks.contains(*mark));
    ways.extend(two.map(|(_, _, second)| format!("{base}{second}")));
    let kept: String = marks
        .chars()
        .filter(|mark| !is_accent(base, *mark))
        .collect();
    for way in &mut ways {
        way.push_str(&kept);
    }
    ways
}

/// The letter in a circle or a square.
fn unframed(c: char) -> char {
    let place = FRAMED
        .iter()
        .find_map(|first| u32::from(c).checked_sub(*first).filter(|n| *n < 26));
    let letter = place.and_then(|n| char::from_u32(u32::from('a') + n));
    letter.unwrap_or(c)
}

/// Whether a mark on a letter is only an accent: what is made for any letter, and whatever stands on a letter of an alphabet
/// that writes its vowels as letters, or on no letter at all.
fn is_accent(base: char, mark: char) -> bool {
    let is_common = matches!(
        mark,
        '\u{300}'..='\u{36f}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{fe20}'..='\u{fe2f}'
            | '\u{e0100}'..='\u{e01ef}'
    );
    // Latin, Greek, Cyrillic and Armenian letters, and all signs and digits before them.
    let has_vowels = matches!(
        base,
        '\0'..='\u{58f}'
            | '\u{1d00}'..='\u{1fff}'
            | '\u{2c60}'..='\u{2c7f}'
            | '\u{a640}'..='\u{a69f}'
            | '\u{a720}'..='\u{a7ff}'
            | '\u{ab30}'..='\u{ab6f}'
    );
    is_common || has_vowels
}

/// What letters look like, without accents. Twice, as what looks like a capital letter is a small one only afterwards.
fn alike(text: &str) -> String {
    let once = |text: &str| unaccented(&small(&skeleton(text).collect::<String>()));
    once(&once(text)).nfc().collect()
}

/// A text without accents.
fn unaccented(text: &str) -> String {
    let mut base = ' ';
    let is_kept = |c: &char| {
        if is_mark(*c) {
            return !is_accent(base, *c);
        }
        base = *c;
        true
    };
    text.chars().filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_has_the_ways_that_people_write_it_in() {
        for (text, written) in [
            ("müller", &["muller", "mueller"][..]),
            ("weiß", &["weiss", "weis"]),
            ("HÅKON", &["hakon", "haakon"]),
            ("Þór", &["thor", "tor"]),
            ("ŋa", &["na", "nga"]),
            ("ıl", &["il"]),
            ("\u{1f173}an", &["dan"]),
        ] {
            let looks: Vec<String> = written.iter().map(|word| alike(word)).collect();
            let found = spellings(text);
            assert!(
                looks.iter().all(|look| found.contains(look)),
                "{text}: {found:?}"
            );
        }
        assert_eq!(spellings("jose"), [""; 0]);
    }

    #[test]
    fn spellings_have_an_end() {
        let many = spellings(&"ö".repeat(64));
        assert!(many.len() <= SPELLINGS, "{}", many.len());
        assert!(many.contains(&"o".repeat(64)));
    }

    #[test]
    fn each_letter_of_the_table_stands_there_once() {
        let all: String = LETTERS.iter().map(|(letters, _)| *letters).collect();
        for c in all.chars() {
            assert_eq!(all.chars().filter(|other| *other == c).count(), 1, "{c}");
            assert_eq!(c.to_lowercase().to_string(), c.to_string(), "{c}");
        }
    }
}
