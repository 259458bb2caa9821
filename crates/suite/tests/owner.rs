//! Owners of paths, held against what GitHub and GitLab document.

use gonogo_suite::owner::{Dialect, MOST_BYTES, Owners, State};
use proptest::prelude::*;

fn github(text: &str) -> Owners {
    Owners::codeowners("CODEOWNERS", text.as_bytes(), Dialect::GitHub)
}

/// Owners, or the state in brackets.
fn of(owners: &Owners, path: &str) -> String {
    let answer = owners.of(path);
    match answer.state {
        State::Owned => answer.owners.join(" "),
        state => format!("({state:?})"),
    }
}

/// The example of GitHub's documentation, and what it says of it.
#[test]
fn githubs_own_example() {
    let owners = github(
        "# comment\n*       @global-owner1 @global-owner2\n*.js    @js-owner #This is an inline comment.\n*.go docs@example.com\n\
         *.txt @octo-org/octocats\n/build/logs/ @doctocat\ndocs/* docs2@example.com\napps/ @octocat\n/docs/ @doctocat2\n\
         /scripts/ @doctocat @octocat\n**/logs @logs\n/apps/ @octocat\n/apps/github\n",
    );
    assert_eq!(owners.issues(), []);
    for (path, expected) in [
        ("README.md", "@global-owner1 @global-owner2"),
        ("src/deep/x.js", "@js-owner"),
        ("x.go", "docs@example.com"),
        ("a/b.txt", "@octo-org/octocats"),
        ("build/logs/a/b.txt", "@logs"),
        ("other/build/logs/x.md", "@logs"),
        ("deeply/nested/logs/x", "@logs"),
        ("docs/a.md", "@doctocat2"),
        ("docs/build-app/troubleshooting.md", "@doctocat2"),
        ("lib/apps/x.rb", "@octocat"),
        ("apps/x.rb", "@octocat"),
        ("apps/github", "(Nobody)"),
        ("apps/github/x.rb", "(Nobody)"),
        ("scripts/a.sh", "@doctocat @octocat"),
        ("lib/scripts/a.sh", "@global-owner1 @global-owner2"),
    ] {
        assert_eq!(of(&owners, path), expected, "{path}");
    }
    let because = owners.of("apps/github/x.rb").because;
    assert_eq!(
        (because[0].line, &*because[0].pattern),
        (13, "/apps/github")
    );
    assert_eq!(because[0].source, "CODEOWNERS");
}

#[test]
fn patterns_match_what_gitignore_says() {
    for (pattern, hits, misses) in [
        (
            "docs/*",
            vec!["docs/a.md"],
            vec!["docs/b/c.md", "x/docs/a.md", "docs"],
        ),
        (
            "docs/**",
            vec!["docs/a", "docs/b/c"],
            vec!["docs", "x/docs/a"],
        ),
        ("/*", vec!["a.md"], vec!["b/a.md"]),
        ("*", vec!["a", "b/c/d"], vec![]),
        ("**", vec!["a", "b/c/d"], vec![]),
        (
            "a/**/b",
            vec!["a/b", "a/x/b", "a/x/y/b", "a/x/b/c"],
            vec!["b", "x/a/b", "a/xb"],
        ),
        (
            "**/foo/bar",
            vec!["foo/bar", "x/foo/bar/z"],
            vec!["foo/x/bar"],
        ),
        (
            "foo",
            vec!["foo", "a/foo", "a/foo/b"],
            vec!["foob", "a/food"],
        ),
        ("foo/", vec!["foo/a", "x/foo/a/b"], vec!["foo", "x/foo"]),
        (
            "src/*/mod.rs",
            vec!["src/a/mod.rs"],
            vec!["src/mod.rs", "src/a/b/mod.rs"],
        ),
        ("a?c", vec!["abc", "aäc"], vec!["ac", "a/c"]),
        ("*.test.*", vec!["x/a.test.js"], vec!["a.tests.js"]),
        ("a\\ b.md", vec!["a b.md"], vec!["a\\ b.md"]),
        ("x\\*y", vec!["x*y"], vec!["xzy"]),
        ("*a*b*c", vec!["zazbzc"], vec!["zazbz"]),
        ("Makefile", vec!["Makefile"], vec!["makefile"]),
    ] {
        let owners = github(&format!("{pattern} @o"));
        assert_eq!(owners.issues(), [], "{pattern}");
        for path in hits {
            assert_eq!(of(&owners, path), "@o", "{pattern} {path}");
            assert_eq!(of(&owners, &format!("./{path}")), "@o", "{pattern} {path}");
        }
        for path in misses {
            assert_eq!(of(&owners, path), "(Unmatched)", "{pattern} {path}");
        }
        assert_eq!(of(&owners, ""), "(Unmatched)", "{pattern}");
    }
}

#[test]
fn a_broken_line_has_its_number_and_decides_nothing() {
    for (line, says) in [
        ("!*.md @b", "negation"),
        ("[ab].md @b", "range"),
        ("\\#x @b", "`#`"),
        ("a//b @b", "empty part"),
        ("/ @b", "empty part"),
    ] {
        let owners = github(&format!("* @a\n\n{line}\n"));
        let issues = owners.issues();
        assert_eq!((issues.len(), issues[0].line), (1, 3), "{line}");
        assert!(issues[0].text.contains(says), "{line}: {}", issues[0].text);
        assert_eq!(of(&owners, "x.md"), "@a");
    }
    // Whom it meant is not known, and it is not the one before.
    for owner in ["b", "@", "@a/b/c", "a@", "@b,@c", "a@host", "@b! "] {
        let owners = github(&format!("* @a\n*.md {owner} @c\n*.rs @d"));
        assert_eq!(owners.issues()[0].line, 2, "{owner}");
        assert_eq!(of(&owners, "x.md"), "(Broken)", "{owner}");
        assert_eq!(
            (of(&owners, "x.rs"), of(&owners, "x")),
            ("@d".into(), "@a".into())
        );
    }
    let owners = Owners::codeowners("C", b"* @a\n\xff @b\n", Dialect::GitHub);
    assert_eq!(
        (owners.issues()[0].line, of(&owners, "x")),
        (2, "(Broken)".into())
    );
    let long = vec![b'#'; MOST_BYTES + 1];
    let owners = Owners::codeowners("C", &long, Dialect::GitHub);
    assert_eq!(
        (owners.issues()[0].line, of(&owners, "x")),
        (0, "(Broken)".into())
    );
    assert_eq!(of(&github(""), "x"), "(Unmatched)");
    assert_eq!(of(&github("\u{feff}* @a\r\n*.md @b\r\n"), "x.md"), "@b");
}

#[test]
fn gitlabs_sections_each_decide() {
    let text = "* @all\n[Docs] @writers\ndocs/\n*.md @md\n^[Database][2] @dba\n/db/\n/db/x.sql @x @group/sub/team\n[docs]\nREADME.md @@maintainer\n";
    let owners = Owners::codeowners(".gitlab/CODEOWNERS", text.as_bytes(), Dialect::GitLab);
    assert_eq!(owners.issues(), []);
    for (path, expected) in [
        ("src/a.rs", "@all"),
        ("docs/a.txt", "@all @writers"),
        ("sub/docs/a.txt", "@all @writers"),
        ("docs/a.md", "@all @md"),
        ("x/README.md", "@all @@maintainer"),
        ("db/a.sql", "@all @dba"),
        ("db/x.sql", "@all @x @group/sub/team"),
    ] {
        assert_eq!(of(&owners, path), expected, "{path}");
    }
    let because = owners.of("db/a.sql").because;
    assert_eq!(because[1].section.as_deref(), Some("Database"));
    // A name of a directory alone is a file's in GitLab, and the directory's in GitHub.
    let both = |dialect| of(&Owners::codeowners("C", b"/docs @d", dialect), "docs/a");
    assert_eq!(
        (both(Dialect::GitLab), both(Dialect::GitHub)),
        ("(Unmatched)".into(), "@d".into())
    );
    for head in ["[] @a", "[x", "[x]y", "[x][two] @a", "[x] nobody"] {
        let owners = Owners::codeowners("C", head.as_bytes(), Dialect::GitLab);
        assert_eq!(owners.issues()[0].line, 1, "{head}");
    }
}

#[test]
fn in_a_table_the_longest_decides() {
    let text = "# teams\nsrc/payments/** = payments # the money\nsrc/** = core\n* = everyone backup\nsrc/payments/api = api\n";
    let owners = Owners::table("gonogo.toml", text.as_bytes());
    assert_eq!(owners.issues(), []);
    for (path, expected) in [
        ("src/payments/x.rs", "payments"),
        ("src/payments/api/x.rs", "api"),
        ("src/x.rs", "core"),
        ("README", "everyone backup"),
    ] {
        assert_eq!(of(&owners, path), expected, "{path}");
    }
    let broken = Owners::table("t", b"a = x\nb\nc =\na = y\n");
    let lines: Vec<u64> = broken.issues().iter().map(|i| i.line).collect();
    assert_eq!(lines, [2, 3, 4]);
    assert_eq!(
        (of(&broken, "a"), of(&broken, "c")),
        ("(Broken)".into(), "(Broken)".into())
    );
    let given = Owners::entries("gonogo.toml", [(7, "a/**", "x"), (8, "a/b", "y")]);
    assert_eq!(given.of("a/b").because[0].line, 7);
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in prop::collection::vec(any::<u8>(), 0..200), path in "\\PC{0,40}") {
        for dialect in [Dialect::GitHub, Dialect::GitLab] {
            let owners = Owners::codeowners("C", &text, dialect);
            let answer = owners.of(&path);
            prop_assert!(answer.state == State::Owned || answer.owners.is_empty());
        }
        let _ = Owners::table("t", &text).of(&path);
    }

    /// A path is matched by itself, escaped, and by nothing else of its length.
    #[test]
    fn a_path_matches_itself(parts in prop::collection::vec("[a-c*?]{1,3}", 1..4), other in prop::collection::vec("[a-c]{1,3}", 1..4)) {
        let escape = |p: &String| p.replace('*', "\\*").replace('?', "\\?");
        let pattern: Vec<String> = parts.iter().map(escape).collect();
        let owners = github(&format!("/{} @o", pattern.join("/")));
        prop_assert_eq!(of(&owners, &parts.join("/")), "@o");
        let hit = other.len() >= parts.len() && other[..parts.len()] == parts[..];
        prop_assert_eq!(of(&owners, &other.join("/")) == "@o", hit);
    }
}

/// Stars that could be taken in many ways do not make it slow: this would not end.
#[test]
fn no_pattern_is_slow() {
    let pattern = "a*".repeat(500);
    let owners = github(&format!("{pattern}b @o\n/{} @p", "**/x/".repeat(200)));
    assert_eq!(of(&owners, &"a".repeat(4000)), "(Unmatched)");
    assert_eq!(of(&owners, &"x/".repeat(1000)), "@p");
}
