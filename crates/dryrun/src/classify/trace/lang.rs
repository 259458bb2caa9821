//! Whose traces there are: the languages and runtimes by name, as findings and evidence show them.

use serde::{Deserialize, Serialize};

/// Languages, and what we call their kin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Lang {
    Unknown,
    Python,
    Java,
    Clojure,
    Go,
    Rust,
    Node,
    Dotnet,
    Ruby,
    Cpp,
    Sanitizer,
    Php,
    Elixir,
    Erlang,
    Perl,
    Lua,
    R,
    Ocaml,
    Haskell,
    Scheme,
    Lisp,
    Tcl,
    Dart,
    Julia,
    Swift,
    Objc,
    Kernel,
    Zig,
    Fortran,
    Powershell,
    Crystal,
}

impl Lang {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Python => "python",
            Self::Java => "java",
            Self::Clojure => "clojure",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Node => "node",
            Self::Dotnet => "dotnet",
            Self::Ruby => "ruby",
            Self::Cpp => "cpp",
            Self::Sanitizer => "sanitizer",
            Self::Php => "php",
            Self::Elixir => "elixir",
            Self::Erlang => "erlang",
            Self::Perl => "perl",
            Self::Lua => "lua",
            Self::R => "r",
            Self::Ocaml => "ocaml",
            Self::Haskell => "haskell",
            Self::Scheme => "scheme",
            Self::Lisp => "lisp",
            Self::Tcl => "tcl",
            Self::Dart => "dart",
            Self::Julia => "julia",
            Self::Swift => "swift",
            Self::Objc => "objc",
            Self::Kernel => "kernel",
            Self::Zig => "zig",
            Self::Fortran => "fortran",
            Self::Powershell => "powershell",
            Self::Crystal => "crystal",
        }
    }
}
