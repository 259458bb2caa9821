//! `WWW-Authenticate`: how to ask, and what was wrong with what was shown (RFC 6750, section 3).

use axum::http::HeaderValue;
use gonogo_app::AppError;
use gonogo_core::Reason;

/// The challenge of an answer with this status; none where nothing that could be shown would help.
pub(super) fn of(error: &AppError, status: u16) -> Option<HeaderValue> {
    let detail = |key: &str| error.details[key].as_str();
    let text = match (status, error.reason) {
        (401, _) => match detail("error") {
            // Whoever shows nothing is told no error (section 3.1).
            None => r#"Bearer realm="gonogo""#.to_owned(),
            Some(word) => format!(
                r#"Bearer realm="gonogo", error="{}", error_description="{}""#,
                quoted(word),
                quoted(&error.message)
            ),
        },
        (403, Reason::ScopeMissing) => format!(
            r#"Bearer realm="gonogo", error="insufficient_scope", scope="{}""#,
            quoted(detail("scope").unwrap_or_default())
        ),
        _ => return None,
    };
    HeaderValue::from_str(&text).ok()
}

/// What may stand in a description: printable ASCII without quotation marks and backslashes.
fn quoted(text: &str) -> String {
    let fits = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    text.chars()
        .map(|c| if fits(c) { c } else { '\'' })
        .take(200)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: AppError, status: u16) -> Option<String> {
        of(&error, status).map(|v| v.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_was_wrong_is_told_and_nothing_that_ends_the_header() {
        let nothing = AppError::new(Reason::Unauthenticated, "no token");
        assert_eq!(told(nothing, 401).unwrap(), "Bearer realm=\"gonogo\"");
        let bad = AppError::new(Reason::Unauthenticated, "a \"bad\"\r\n`tökén`");
        assert_eq!(
            told(bad.with("error", "invalid_token"), 401).unwrap(),
            "Bearer realm=\"gonogo\", error=\"invalid_token\", error_description=\"a 'bad'''`t'k'n`\""
        );
        let scope = AppError::new(Reason::ScopeMissing, "no").with("scope", "plan:create");
        assert_eq!(
            told(scope, 403).unwrap(),
            "Bearer realm=\"gonogo\", error=\"insufficient_scope\", scope=\"plan:create\""
        );
        let page = AppError::new(Reason::HostRefused, "a page");
        assert_eq!(told(page, 403), None);
    }
}
