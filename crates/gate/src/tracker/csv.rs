//! CSV (RFC 4180) with a header; comma, semicolon or tab.

/// Most columns.
const COLUMNS: usize = 5_000;

/// Records of a text; the first is the header.
pub(super) fn records(text: &str) -> Result<Vec<Vec<String>>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let head = text.lines().next().unwrap_or_default();
    let separator = [',', ';', '\t']
        .into_iter()
        .max_by_key(|c| (head.matches(*c).count(), *c == ','))
        .unwrap_or(',');
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut field = String::new();
    let mut line = 1_u64;
    let mut chars = text.chars().peekable();
    // Whether the field began with a quote, and whether that is closed.
    let (mut is_quoted, mut is_closed, mut is_begun) = (false, false, false);
    while let Some(c) = chars.next() {
        if c == '\n' {
            line += 1;
        }
        if is_quoted && !is_closed {
            match c {
                '"' if chars.peek() == Some(&'"') => {
                    chars.next();
                    field.push('"');
                }
                '"' => is_closed = true,
                c => field.push(c),
            }
            continue;
        }
        match c {
            '"' if field.is_empty() && !is_closed => {
                is_quoted = true;
                is_begun = true;
            }
            c if c == separator => {
                record.push(std::mem::take(&mut field));
                (is_quoted, is_closed, is_begun) = (false, false, true);
                if record.len() > COLUMNS {
                    return Err(format!("line {line} has more than {COLUMNS} columns"));
                }
            }
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                if is_begun || !field.is_empty() {
                    record.push(std::mem::take(&mut field));
                    records.push(std::mem::take(&mut record));
                }
                (is_quoted, is_closed, is_begun) = (false, false, false);
            }
            _ if is_closed => return Err(format!("line {line}: text behind a closing quote")),
            c => field.push(c),
        }
    }
    if is_quoted && !is_closed {
        return Err("a quote is open at the end; the export is cut off".to_owned());
    }
    if is_begun || !field.is_empty() {
        record.push(field);
        records.push(record);
    }
    let columns = records.first().map_or(0, Vec::len);
    if let Some(at) = records.iter().position(|record| record.len() != columns) {
        return Err(format!(
            "record {} has {} fields and the header has {columns}",
            at + 1,
            records[at].len()
        ));
    }
    Ok(records)
}
