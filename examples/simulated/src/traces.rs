//! Stack traces, as real tools printed them.
//!
//! Each fixture begins with a line that says which tool and version printed it from which program, and an empty line; the
//! rest is what the program wrote to stderr, byte for byte.

/// What a tool printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// How it is asked for.
    pub name: &'static str,
    fixture: &'static str,
}

/// All of them.
pub const TRACES: &[Trace] = &[
    Trace::of("python", include_str!("../traces/python.txt")),
    Trace::of("java", include_str!("../traces/java.txt")),
    Trace::of("kotlin", include_str!("../traces/kotlin.txt")),
    Trace::of("go", include_str!("../traces/go.txt")),
    Trace::of("rust", include_str!("../traces/rust.txt")),
    Trace::of("node", include_str!("../traces/node.txt")),
    Trace::of("dotnet", include_str!("../traces/dotnet.txt")),
    Trace::of("ruby", include_str!("../traces/ruby.txt")),
    Trace::of("cpp", include_str!("../traces/cpp.txt")),
    Trace::of("asan", include_str!("../traces/asan.txt")),
];

impl Trace {
    const fn of(name: &'static str, fixture: &'static str) -> Self {
        Self { name, fixture }
    }

    /// Returns which tool printed it, from which program, and how that ended.
    pub fn printed_by(&self) -> &'static str {
        self.parts().0.trim_start_matches("# ")
    }

    /// Returns what was printed.
    pub fn text(&self) -> &'static str {
        self.parts().1
    }

    fn parts(&self) -> (&'static str, &'static str) {
        self.fixture
            .split_once("\n\n")
            .unwrap_or(("", self.fixture))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_who_printed_it_and_is_unchanged_after_that() {
        for trace in TRACES {
            let by = trace.printed_by();
            assert!(by.starts_with("Printed by "), "{}: {by}", trace.name);
            assert!(by.contains("exit status"), "{}: {by}", trace.name);
            assert!(
                by.contains("crates/testkit/programs/"),
                "{}: {by}",
                trace.name
            );
            assert!(trace.text().lines().count() > 1, "{}", trace.name);
            assert!(!trace.text().starts_with('#'), "{}", trace.name);
        }
        // A Rust panic begins with an empty line, which is the tool's own.
        let rust = TRACES.iter().find(|t| t.name == "rust").unwrap();
        assert!(rust.text().starts_with("\nthread 'main' ("));
    }
}
