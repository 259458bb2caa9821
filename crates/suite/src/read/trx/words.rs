//! TRX's words and shapes (`vstst.xsd`, TeamTest/2010).

use crate::{FailureKind, Name, Outcome, SkipKind};

/// What an outcome means; `None` if the schema has no such word.
pub(super) fn outcome(word: &str) -> Option<(Outcome, FailureKind)> {
    let plain = |outcome| Some((outcome, FailureKind::Other));
    match word.trim().to_ascii_lowercase().as_str() {
        "passed" => plain(Outcome::Pass),
        "failed" => plain(Outcome::Fail),
        "timeout" => Some((Outcome::Fail, FailureKind::Timeout)),
        // A warning is of the run around the test; one that passed while the run was aborted may have lost its clean-up.
        "error" | "aborted" | "disconnected" | "warning" | "passedbutrunaborted" | "inprogress" => {
            plain(Outcome::Error)
        }
        "inconclusive" => plain(Outcome::Skip(SkipKind::Body)),
        "notexecuted" => plain(Outcome::Skip(SkipKind::Other)),
        "notrunnable" | "pending" => plain(Outcome::Precluded),
        // It came to its end: whether well, it does not say.
        "completed" => plain(Outcome::Unknown),
        _ => None,
    }
}

/// Whether the word says that not all was done.
pub(super) fn is_unfinished(word: &str) -> bool {
    [
        "InProgress",
        "Pending",
        "PassedButRunAborted",
        "Disconnected",
        "Aborted",
    ]
    .iter()
    .any(|w| w.eq_ignore_ascii_case(word.trim()))
}

/// `[days.]hours:minutes:seconds[.fraction]`, as seconds.
pub(super) fn duration(text: &str) -> Option<f64> {
    let text = text.trim();
    let (rest, seconds) = text.rsplit_once(':')?;
    let (hours, minutes) = rest.split_once(':')?;
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let whole = |part: &str| -> Option<f64> {
        let is_number = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        (is_number && part.len() < 9).then(|| part.parse().ok())?
    };
    let is_number = seconds.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds: f64 = is_number.then(|| seconds.parse().ok())??;
    Some(whole(days)? * 86_400.0 + whole(hours)? * 3_600.0 + whole(minutes)? * 60.0 + seconds)
}

/// A file's name without its directories, of either system.
pub(super) fn leaf(path: &str) -> Name {
    let leaf = path.rsplit(['/', '\\']).next().unwrap_or(path);
    Name::new(leaf)
}

/// The exception that a message begins with.
pub(super) fn class(message: &str) -> String {
    let head = message
        .strip_prefix("Test method ")
        .and_then(|rest| rest.split_once(" threw exception:"))
        .map_or(message, |(_, rest)| rest.trim_start());
    let Some((class, _)) = head.split_once(':') else {
        return String::new();
    };
    let class = class.trim();
    let is_class = class.len() < 200
        && class.ends_with("Exception")
        && class
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._+`".contains(&b));
    if is_class {
        class.to_owned()
    } else {
        String::new()
    }
}

/// What kind of failure a message tells of.
pub(super) fn kind(told: FailureKind, message: &str) -> FailureKind {
    if told != FailureKind::Other {
        return told;
    }
    let begins = |texts: &[&str]| texts.iter().any(|text| message.starts_with(text));
    if begins(&["Assert.", "Assert failed", "Expected: ", "  Expected: "]) {
        FailureKind::Assertion
    } else if begins(&[
        "Initialization method",
        "Class Initialization method",
        "Assembly Init",
    ]) {
        FailureKind::Setup
    } else if begins(&[
        "TestCleanup method",
        "Class Cleanup method",
        "Assembly Cleanup",
    ]) {
        FailureKind::Teardown
    } else if message.contains("exceeded execution timeout period") {
        FailureKind::Timeout
    } else if message.contains("Test host process crashed") {
        FailureKind::Crash
    } else if message.contains("OutOfMemoryException") {
        FailureKind::OutOfMemory
    } else {
        FailureKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_schema() {
        let green: Vec<&str> = [
            "Error",
            "Failed",
            "Timeout",
            "Aborted",
            "Inconclusive",
            "PassedButRunAborted",
            "NotRunnable",
            "NotExecuted",
            "Disconnected",
            "Warning",
            "Passed",
            "Completed",
            "InProgress",
            "Pending",
        ]
        .into_iter()
        .filter(|word| outcome(word).expect(word).0.is_green())
        .collect();
        assert_eq!(green, ["Passed"]);
        assert_eq!(outcome("Fine"), None);
    }

    #[test]
    fn durations_and_names() {
        assert_eq!(duration("00:00:01.5000000"), Some(1.5));
        assert_eq!(duration("1.02:00:00"), Some(93_600.0));
        assert_eq!(duration("soon"), None);
        assert_eq!(duration("-00:00:01"), None);
        assert_eq!(leaf("C:\\a\\b.dll"), "b.dll");
        assert_eq!(leaf("/src/b.dll"), "b.dll");
        assert_eq!(class("System.IO.IOException : no"), "System.IO.IOException");
        assert_eq!(class("expected 1: got 2"), "");
    }
}
