//! What shells, service managers, kernels and event loops say when something ended as it should not: whole sentences of theirs, at the
//! beginning of a line or behind a source's prefix. No level is stated, and no trace need follow.

/// Whether a line says so.
pub(super) fn said(line: &[u8]) -> bool {
    line == b"Killed"
        || line.starts_with(b"Segmentation fault (core dumped)")
        || line.starts_with(b"Task exception was never retrieved")
        || line.starts_with(b"Future exception was never retrieved")
        || service(line)
        || shell(line)
        || kernel(line)
        || function(line)
        || exhausted(line)
}

/// `app.service: Failed with result 'signal'.`
fn service(line: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(line, b": Failed with result '") else {
        return false;
    };
    !line[..at].contains(&b' ') && line[..at].contains(&b'.') && line.ends_with(b"'.")
}

/// `run.sh: line 3:  1234 Killed   ./x`.
fn shell(line: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(line, b": line ") else {
        return false;
    };
    if at == 0 || line[..at].contains(&b' ') {
        return false;
    }
    let number = |text: &mut &[u8]| {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        *text = &text[digits..];
        digits > 0
    };
    let mut rest = &line[at + 7..];
    if !number(&mut rest) || !rest.starts_with(b": ") {
        return false;
    }
    rest = rest[2..].trim_ascii_start();
    number(&mut rest)
        && [
            &b" Killed"[..],
            b" Aborted",
            b" Segmentation fault",
            b" Bus error",
            b" Illegal instruction",
            b" Floating point exception",
            b" Trace/breakpoint trap",
        ]
        .iter()
        .any(|word| rest.starts_with(word) && rest.get(word.len()).is_none_or(|byte| *byte == b' '))
}

/// `app[12]: segfault at 0 ip …`.
fn kernel(line: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(line, b"]: segfault at ") else {
        return false;
    };
    let digits = line[..at]
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    digits > 0 && at > digits && line[at - digits - 1] == b'[' && {
        memchr::memmem::find(&line[at..], b" ip ").is_some()
    }
}

/// AWS Lambda's, behind a request's number.
fn function(line: &[u8]) -> bool {
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(0);
    super::identifies(&line[..end])
        && line[end..].starts_with(b" Task timed out after ")
        && line.ends_with(b" seconds")
}

/// `RuntimeError: CUDA error: out of memory`: an exception's name, and what it wants.
fn exhausted(line: &[u8]) -> bool {
    let Some(colon) = memchr::memmem::find(line, b": ") else {
        return false;
    };
    let name = &line[..colon];
    name.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
        && (name.ends_with(b"Error") || name.ends_with(b"Exception"))
        && memchr::memmem::find(&line[colon..], b"out of memory").is_some()
}
