//! Terminal escapes that stand in a line: a logger that colours names and values puts them between the two.
//!
//! Source: ECMA-48, 5.4 (control sequences: `ESC [`, parameters, intermediates, one final byte). They stand as they are, or as JSON, XML and
//! source write the byte. Invariant: what is left out is left out for looking alone; places are given back as they are in the line.

/// How the byte `ESC` is written, in small letters.
const STARTS: [&[u8]; 6] = [b"\x1b", b"\\u001b", b"\\x1b", b"\\033", b"&#27;", b"&#x1b;"];

/// A line without its escapes, and where each byte of it stands in the line. `None` if there is none.
pub(super) fn without(text: &[u8]) -> Option<(Vec<u8>, Vec<usize>)> {
    let mut out: Option<(Vec<u8>, Vec<usize>)> = None;
    let mut at = 0;
    while at < text.len() {
        let escape = match text[at] {
            b'\x1b' | b'\\' | b'&' => length(&text[at..]),
            _ => None,
        };
        match (escape, &mut out) {
            (Some(length), out) => {
                out.get_or_insert_with(|| (text[..at].to_vec(), (0..at).collect()));
                at += length;
            }
            (None, Some((bytes, places))) => {
                bytes.push(text[at]);
                places.push(at);
                at += 1;
            }
            (None, None) => at += 1,
        }
    }
    out
}

/// How long the escape is with which a text begins.
fn length(text: &[u8]) -> Option<usize> {
    let start = STARTS.iter().find(|start| {
        text.get(..start.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(start))
    })?;
    let rest = text[start.len()..].strip_prefix(b"[")?;
    let inner = rest
        .iter()
        .take_while(|b| (0x20..0x40).contains(*b))
        .count();
    let is_final = rest.get(inner).is_some_and(|b| (0x40..0x7f).contains(b));
    is_final.then_some(start.len() + 1 + inner + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_left_out_and_the_rest_keeps_its_place() {
        let (plain, places) = without(b"a\x1b[36mb\\u001B[0m=&#27;[1;31mc").unwrap();
        assert_eq!(plain, b"ab=c");
        assert_eq!(places, [0, 6, 16, 28]);
        for none in [&b"a=b \\ & \x1b"[..], b"\x1b[", b"\x1b[3", b"\x1bM", b""] {
            assert_eq!(without(none), None);
        }
    }
}
