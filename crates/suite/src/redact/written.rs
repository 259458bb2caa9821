//! How a known value may be written: as it is, as formats escape it, and encoded.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Fewest bytes of base64 by which a value is known.
const LEAST: usize = 10;

/// Patterns of a value, each of which is it.
pub(super) fn all(value: &str) -> Vec<String> {
    let mut patterns = vec![escaped(value)];
    let bytes = value.as_bytes();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    patterns.push(hex.to_ascii_uppercase());
    patterns.push(hex);
    let mut encoded = vec![STANDARD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)];
    // Within something longer the first and the last characters depend on what stands around it.
    for before in 0..3 {
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode([&vec![0; before], bytes].concat());
            let from = [0, 2, 3][before];
            let to = text.len() - usize::from(!(before + bytes.len()).is_multiple_of(3));
            encoded.push(text[from..to].to_owned());
        }
    }
    encoded.retain(|text| text.len() >= LEAST);
    patterns.extend(encoded.iter().map(|text| regex::escape(text)));
    patterns
}

/// A pattern of a value as texts, XML, JSON and URLs write it: a reader undoes what they escape, and then it would stand there.
fn escaped(value: &str) -> String {
    let mut pattern = String::new();
    for c in value.chars() {
        let code = u32::from(c);
        let own = regex::escape(c.encode_utf8(&mut [0; 4]));
        let named = match c {
            '&' => "|&amp;",
            '<' => "|&lt;",
            '>' => "|&gt;",
            '"' => r#"|&quot;|\\?""#,
            '\'' => r"|&apos;|\\'",
            '\\' => r"|\\\\",
            '/' => r"|\\/",
            '\n' => r"|\\n",
            '\t' => r"|\\t",
            ' ' => r"|\+",
            c if c.is_ascii_alphanumeric() => {
                pattern.push_str(&own);
                continue;
            }
            _ => "",
        };
        // The longer forms first: a backslash alone begins two of them.
        let named = named.trim_start_matches('|');
        let bar = if named.is_empty() { "" } else { "|" };
        let percent: String = c
            .encode_utf8(&mut [0; 4])
            .bytes()
            .map(|b| format!("%{b:02X}"))
            .collect();
        pattern.push_str(&format!(
            r"(?:{named}{bar}&#0*{code};|&#[xX]0*(?i:{code:x});|\\u(?i:{code:04x})|(?i:{percent})|{own})"
        ));
    }
    pattern
}
