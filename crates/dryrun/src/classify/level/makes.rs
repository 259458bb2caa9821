//! Beginnings of lines that certain programs, frameworks and compilers write, and nothing else does: where the level is no token of a
//! prefix. Asked only where the tokens state none; told apart by the first byte, so that most lines cost a comparison or two.

use super::{Level, of_word, temporal};

/// Returns the level that the beginning of a line states.
pub(super) fn of_head(head: &[u8]) -> Option<Level> {
    match *head.first()? {
        b'<' | b'#' => weblogic(head),
        b'[' => chromium(head),
        b'=' => head
            .starts_with(b"=== REDIS BUG REPORT START")
            .then_some(Level::Critical),
        // `│ Error: …`, Terraform's; a line of a table ends with another.
        0xe2 => boxed(head),
        b'(' => {
            let end = memchr::memmem::find(head.get(..96).unwrap_or(head), b"): ")?;
            glib(&head[end + 3..])
        }
        b'*' => glib(head.strip_prefix(b"** ")?).or_else(|| {
            let rest = head.strip_prefix(b"** (")?;
            let end = memchr::memmem::find(rest, b"): ")?;
            glib(&rest[end + 3..])
        }),
        b'0'..=b'9' => redis(head),
        _ => qt(head).or_else(|| compiler(head)).or_else(|| glib(head)),
    }
}

/// `<Nov 21, 2026 10:00:01 AM UTC> <Error> <HTTP> …`, perhaps behind `####`.
fn weblogic(head: &[u8]) -> Option<Level> {
    let inner = head
        .strip_prefix(b"####")
        .unwrap_or(head)
        .strip_prefix(b"<")?;
    let end = inner.iter().take(64).position(|byte| *byte == b'>')?;
    let timed = inner[..end]
        .split(|byte| *byte == b' ')
        .any(|word| word.iter().all(|byte| !byte.is_ascii_alphabetic()) && temporal(word));
    let rest = inner[end..].strip_prefix(b"> <").filter(|_| timed)?;
    let end = rest.iter().take(16).position(|byte| *byte == b'>')?;
    of_word(&rest[..end])
}

/// `[1:1:1121/100001.123456:ERROR:gpu_init.cc(440)] …`: numbers, a level, a place in the source.
fn chromium(head: &[u8]) -> Option<Level> {
    let inner = &head[1..];
    let end = inner.iter().take(48).position(u8::is_ascii_uppercase)?;
    let numbers = inner[..end].strip_suffix(b":")?;
    let timed = numbers.contains(&b'/')
        && numbers
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'/' | b'.'));
    let rest = &inner[end..];
    let end = rest.iter().take(16).position(|byte| *byte == b':')?;
    let close = rest[end..]
        .iter()
        .take(128)
        .position(|byte| *byte == b']')?;
    let placed = rest[end..end + close].contains(&b'.');
    of_word(&rest[..end]).filter(|_| timed && placed)
}

fn boxed(head: &[u8]) -> Option<Level> {
    let rest = head.strip_prefix("│ ".as_bytes())?;
    let level = if rest.starts_with(b"Error: ") {
        Level::Error
    } else if rest.starts_with(b"Warning: ") {
        Level::Warning
    } else {
        return None;
    };
    let message = &rest[rest.iter().position(|byte| *byte == b':')?..];
    let listed = message.trim_ascii_end().ends_with("│".as_bytes());
    (!listed && !super::denied(&[], message)).then_some(level)
}

/// `GLib-CRITICAL **: …`: a domain and a level before two stars.
fn glib(head: &[u8]) -> Option<Level> {
    let end = head.iter().take(64).position(|byte| *byte == b' ')?;
    if !head[end..].starts_with(b" **: ") {
        return None;
    }
    let word = head[..end].rsplit(|byte| *byte == b'-').next()?;
    let capitals = word.len() > 2 && word.iter().all(u8::is_ascii_uppercase);
    of_word(word).filter(|_| capitals)
}

/// `1:M 21 Nov 2026 10:00:00.000 # …`: a process and its part, a time, a sign for the level.
fn redis(head: &[u8]) -> Option<Level> {
    let colon = head.iter().take(8).position(|byte| *byte == b':')?;
    let [b':', b'X' | b'C' | b'S' | b'M', b' ', rest @ ..] = &head[colon..] else {
        return None;
    };
    let mut words = rest.splitn(6, |byte| *byte == b' ');
    let (_day, _month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let (sign, said) = (words.next()?, words.next()?);
    if year.len() != 4 || !temporal(time) {
        return None;
    }
    match sign {
        b"." | b"-" => Some(Level::Debug),
        b"*" => Some(Level::Info),
        b"#" if memchr::memmem::find(said, b" crashed by signal: ").is_some() => {
            Some(Level::Critical)
        }
        // What releases before 7 say at each start and end.
        b"#" if [
            &b"oO0OoO0OoO0Oo"[..],
            b"Redis version=",
            b"Valkey version=",
            b"Configuration loaded",
            b"Server initialized",
            b"User requested shutdown",
            b"Redis is now ready to exit",
        ]
        .iter()
        .any(|start| said.starts_with(start)) =>
        {
            Some(Level::Notice)
        }
        b"#" => Some(Level::Warning),
        _ => None,
    }
}

/// QtTest's `QFATAL : `, `FAIL!  : `.
fn qt(head: &[u8]) -> Option<Level> {
    if !matches!(
        head,
        [b'Q', b'A'..=b'Z', ..] | [b'F', b'A', b'I', b'L', b'!', ..]
    ) {
        return None;
    }
    let column = head.get(..9)?.strip_suffix(b": ")?;
    match column.trim_ascii_end() {
        b"QFATAL" | b"QCRITIC" => Some(Level::Critical),
        b"FAIL!" | b"QSYSTEM" => Some(Level::Error),
        b"QWARN" => Some(Level::Warning),
        _ => None,
    }
}

/// `src/x.ts(3,1): error TS2304: …`, `src/x.ts:3:1 - error TS2304: …`, `error[E0382]: …`.
fn compiler(head: &[u8]) -> Option<Level> {
    if let Some(rest) = head.strip_prefix(b"error[") {
        return coded(rest, b"]: ").then_some(Level::Error);
    }
    if let Some(rest) = head.strip_prefix(b"warning[") {
        return coded(rest, b"]: ").then_some(Level::Warning);
    }
    let end = memchr::memchr(b' ', head)?;
    let (place, rest) = head.split_at(end);
    let said = if let Some(place) = place.strip_suffix(b"):") {
        let open = memchr::memrchr(b'(', place).filter(|open| *open > 0)?;
        let numbers = &place[open + 1..];
        let numbered = !numbers.is_empty()
            && numbers
                .iter()
                .all(|byte| byte.is_ascii_digit() || *byte == b',');
        &rest.get(1..).filter(|_| numbered)?
    } else {
        let colon = memchr::memrchr(b':', place).filter(|colon| *colon > 0)?;
        let numbered = place[colon + 1..].iter().all(u8::is_ascii_digit);
        &rest.strip_prefix(b" - ").filter(|_| numbered)?
    };
    [
        (&b"error "[..], Level::Error),
        (b"fatal error ", Level::Error),
        (b"warning ", Level::Warning),
    ]
    .into_iter()
    .find_map(|(word, level)| coded(said.strip_prefix(word)?, b": ").then_some(level))
}

/// Whether a text begins with a code, as compilers number what they find: capitals and digits, and `end` behind them.
fn coded(text: &[u8], end: &[u8]) -> bool {
    let capitals = text.iter().take_while(|byte| byte.is_ascii_uppercase());
    let capitals = capitals.count();
    let digits = text[capitals..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    capitals > 0 && digits > 1 && text[capitals + digits..].starts_with(end)
}
