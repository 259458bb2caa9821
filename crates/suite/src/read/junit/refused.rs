//! What a file is that is no JUnit report: for the refusal.

/// What was found: by the name of its root, or by the text that stands before any. `is_cut` if it ends within its first element.
pub(super) fn found(bytes: u64, root: Option<&str>, outside: Option<&str>, is_cut: bool) -> String {
    if bytes == 0 {
        return "it is empty".to_owned();
    }
    let root = root.unwrap_or("");
    let known = match root {
        "" => None,
        "TestRun" => Some("a TRX report"),
        "assemblies" | "assembly" => Some("a report of xUnit.net"),
        "test-run" | "test-results" => Some("a report of NUnit"),
        "testng-results" => Some("a report of TestNG"),
        "coverage" => Some("a coverage report"),
        "robot" => Some("output of Robot Framework (its `--xunit` is JUnit)"),
        "Site" => Some("a CTest dashboard (`--output-junit` is JUnit)"),
        "checkstyle" => Some("a report of Checkstyle"),
        _ => Some("something else"),
    };
    if let Some(known) = known {
        return format!("its root is <{root}>, {known}");
    }
    match outside {
        Some(text) if text.starts_with(['{', '[']) => "it is JSON".to_owned(),
        Some(text) if text.starts_with("PK\u{3}") || text.starts_with('\u{1f}') => {
            "it is compressed".to_owned()
        }
        Some(text) if text.contains('\0') => "it is no text".to_owned(),
        Some(text) => format!("it begins with text: {text}"),
        None if is_cut => "it ends before its first element does".to_owned(),
        None => "it has no element".to_owned(),
    }
}
