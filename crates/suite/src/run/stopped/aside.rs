//! Lines by which a runner says that something besides its tests made it fail: errors of no test, coverage below what is asked for.

use std::sync::LazyLock;

use regex::RegexSet;

/// Each from what the tool prints (or its source): Vitest 2, Playwright, bun, AVA, RSpec, Deno, node; pytest-cov and coverage, nyc, c8 and
/// Vitest, Jest, node, SimpleCov, coverlet, JaCoCo; go.uber.org/goleak, Go's race detector.
static FORMS: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new([
        r"^⎯+ Unhandled (?:Errors?|Rejections?) ⎯+$",
        r"^Vitest caught \d+ unhandled errors? during the test run",
        r"^Errors\s+\d+ errors?$",
        r"^\d+ errors? (?:was|were) not a part of any test",
        r"^# Unhandled error between tests",
        r"^(?:✖ )?(?:Uncaught exception|Unhandled rejection) in \S",
        r"^(?:\d+ errors?|An error) occurred (?:outside of examples|while loading )",
        r"\(uncaught error\)$",
        r"generated asynchronous activity after the test ended\..* would have caused the test to fail",
        r"^FAIL Required test coverage of ",
        r"^(?:ERROR: )?Coverage failure: ",
        r"^ERROR: Coverage for .* does not meet ",
        r"^Jest: .*(?:coverage threshold|[Cc]overage data) for .* (?:not met|was not found)",
        r"^(?:[#ℹ] )?Error: .* coverage does not meet threshold of ",
        r"^(?:Line|Branch|Method)? ?[Cc]overage .* is below the expected minimum coverage",
        r"^SimpleCov failed with exit ",
        r"^(?:error : )?The (?:total|minimum|average) (?:line|branch|method) coverage is below the specified",
        r"Coverage checks have not been met",
        r"^goleak: ",
        r"^testing: race detected outside of test execution",
    ])
    .expect("invariant: each of them is a pattern")
});

/// Whether a line, without blanks around it, says so.
pub(super) fn is_told(line: &str) -> bool {
    FORMS.is_match(line)
}
