//! Real programs that go wrong: each beats three times and ends by an uncaught exception, a panic or an abort of its
//! language, or leaves a child behind. For tests that supervise real processes and read what they really print.
//!
//! The sources are in `programs/` beside this crate's `src/`. [`Program::prepare`] finds the language's tool, compiles where
//! it must, and answers with what to start, or with why that cannot be done here, which is what [`crate::skip`] takes.
//!
//! Invariants: a tool that is absent is a lack; a tool that is there and does not compile the program is a fault and fails
//! the test. Nothing is written but below the folder that is given.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::lacks;

/// A program and what it prints on stderr.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// The language, as simulated traces are named.
    pub name: &'static str,
    file: &'static str,
    source: &'static str,
    /// How a stack trace of this language begins.
    pub start: &'static str,
    /// What follows after the start, in this order: frames of the program, causes, whatever a reader needs. Without line
    /// ends, paths and what differs between versions of the tool.
    pub marks: &'static [&'static str],
    /// How it ends.
    pub end: End,
}

/// How a program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// A program that can be started.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Program and arguments.
    pub argv: Vec<OsString>,
    /// Variables that it needs beside the inherited ones.
    pub env: Vec<(&'static str, &'static str)>,
}

impl Ready {
    fn of<const N: usize>(argv: [OsString; N]) -> Self {
        Self {
            argv: argv.into(),
            env: Vec::new(),
        }
    }

    /// Returns the command. The test sets the streams.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.argv[0]);
        command.args(&self.argv[1..]).envs(self.env.iter().copied());
        command
    }
}

/// A shell script that ends at once and leaves a child behind, which keeps both streams for as many seconds as its first
/// argument says.
pub const BACKGROUND: &str = include_str!("../programs/background.sh");

/// Those that end by what their language does about an uncaught fault.
pub const PROGRAMS: &[Program] = &[
    Program {
        name: "python",
        file: "uncaught.py",
        source: include_str!("../programs/uncaught.py"),
        start: "Traceback (most recent call last):",
        marks: &[
            "uncaught.py\", line 18, in submit",
            "return price(order)",
            "uncaught.py\", line 13, in price",
            "KeyError: 'limit'",
            "The above exception was the direct cause of the following exception:",
            "Traceback (most recent call last):",
            "uncaught.py\", line 34, in main",
            "OrderRejected: order 42 cannot be priced",
        ],
        end: End::Code(1),
    },
    Program {
        name: "java",
        file: "Uncaught.java",
        source: include_str!("../programs/Uncaught.java"),
        start: "Exception in thread \"main\" Uncaught$OrderRejected: order 42 cannot be priced",
        marks: &[
            "\tat Uncaught.submit(Uncaught.java:27)",
            "\tat Uncaught.main(Uncaught.java:37)",
            "Caused by: java.lang.NullPointerException",
            "\tat Uncaught.price(Uncaught.java:20)",
            "\tSuppressed: java.lang.IllegalStateException: session 7 was closed twice",
            "\t\tat Uncaught$Session.close(Uncaught.java:15)",
            " more",
        ],
        end: End::Code(1),
    },
    Program {
        name: "kotlin",
        file: "uncaught.kt",
        source: include_str!("../programs/uncaught.kt"),
        start: "Exception in thread \"main\" OrderRejected: order 42 cannot be priced",
        marks: &[
            "\tat UncaughtKt.submit(uncaught.kt:12)",
            "\tat UncaughtKt.main(uncaught.kt:20)",
            "Caused by: java.lang.IllegalStateException: order 42 has no limit",
            "\tat UncaughtKt.price(uncaught.kt:6)",
        ],
        end: End::Code(1),
    },
    Program {
        name: "go",
        file: "uncaught.go",
        source: include_str!("../programs/uncaught.go"),
        start: "panic: runtime error: invalid memory address or nil pointer dereference",
        marks: &[
            "[signal SIGSEGV: segmentation violation",
            "goroutine 1 [running]:",
            "main.price(",
            "uncaught.go:16 +0x",
            "main.submit(",
            "uncaught.go:21 +0x",
            "main.main()",
        ],
        end: End::Code(2),
    },
    Program {
        name: "rust",
        file: "uncaught.rs",
        source: include_str!("../programs/uncaught.rs"),
        start: "thread 'main'",
        marks: &[
            "panicked at ",
            "uncaught.rs:12:9:",
            "order 42 cannot be priced",
            "stack backtrace:",
            "uncaught::price",
            "uncaught::submit",
            "uncaught::main",
            "note: Some details are omitted, run with `RUST_BACKTRACE=full`",
        ],
        end: End::Code(101),
    },
    Program {
        name: "node",
        file: "uncaught.js",
        source: include_str!("../programs/uncaught.js"),
        start: "OrderRejected: order 42 cannot be priced",
        marks: &[
            "    at submit (",
            "uncaught.js:18:11)",
            "[cause]: TypeError: Cannot read properties of undefined (reading 'amount')",
            "    at price (",
            "uncaught.js:11:22)",
            "Node.js v",
        ],
        end: End::Code(1),
    },
    Program {
        name: "ruby",
        file: "uncaught.rb",
        source: include_str!("../programs/uncaught.rb"),
        // Backtick up to 3.3, quote from 3.4 on, and then with the class's name.
        start: "uncaught.rb:11:in ",
        marks: &[
            "submit': order 42 cannot be priced (OrderRejected)",
            "\tfrom ",
            "uncaught.rb:19:in ",
            "<main>'",
            "uncaught.rb:5:in ",
            "fetch': key not found: :limit (KeyError)",
            "\tfrom ",
            "price'",
        ],
        end: End::Code(1),
    },
    Program {
        name: "cpp",
        file: "uncaught.cpp",
        source: include_str!("../programs/uncaught.cpp"),
        start: "terminate called after throwing an instance of 'std::runtime_error'",
        marks: &["  what():  order 42 cannot be priced"],
        end: End::Signal(6),
    },
    Program {
        name: "asan",
        file: "freed.cpp",
        source: include_str!("../programs/freed.cpp"),
        start: "=================================================================",
        marks: &[
            "==ERROR: AddressSanitizer: heap-use-after-free on address 0x",
            "    #0 0x",
            " in price",
            "    #1 0x",
            " in main",
            "freed by thread T0 here:",
            " in settle",
            "SUMMARY: AddressSanitizer: heap-use-after-free",
            "==ABORTING",
        ],
        end: End::Code(1),
    },
];

impl Program {
    /// Returns the program of a language.
    ///
    /// # Panics
    /// If there is none of that name.
    #[track_caller]
    #[must_use]
    pub fn named(name: &str) -> &'static Self {
        let found = PROGRAMS.iter().find(|p| p.name == name);
        found.unwrap_or_else(|| panic!("no program in `{name}`"))
    }

    /// Writes the source to `folder` (absolute, there already), compiles it where it must be, and returns what to start.
    ///
    /// # Errors
    /// Why it cannot be run here: the language's tool is absent.
    ///
    /// # Panics
    /// If the tool is there and does not compile the program.
    #[track_caller]
    pub fn prepare(&self, folder: &Path) -> Result<Ready, String> {
        let source = write(folder, self.file, self.source);
        let binary = folder.join(self.name);
        let from = source.as_os_str();
        let to = binary.as_os_str();
        let word = OsString::from;
        match self.name {
            "python" => {
                present("python3", &["--version"])?;
                Ok(Ready::of([word("python3"), word("-u"), from.into()]))
            }
            "node" => {
                present("node", &["--version"])?;
                Ok(Ready::of([word("node"), from.into()]))
            }
            "ruby" => {
                present("ruby", &["--version"])?;
                Ok(Ready::of([word("ruby"), from.into()]))
            }
            "java" => {
                present("javac", &["-version"])?;
                present("java", &["-version"])?;
                compile(Command::new("javac").arg("-d").arg(folder).arg(from))?;
                Ok(Ready::of([
                    word("java"),
                    word("-cp"),
                    folder.into(),
                    word("Uncaught"),
                ]))
            }
            "kotlin" => {
                present("kotlinc", &["-version"])?;
                present("java", &["-version"])?;
                let jar = folder.join("uncaught.jar");
                compile(
                    Command::new("kotlinc")
                        .arg(from)
                        .args(["-include-runtime", "-d"])
                        .arg(&jar),
                )?;
                Ok(Ready::of([word("java"), word("-jar"), jar.into()]))
            }
            "go" => {
                present("go", &["version"])?;
                // Its caches stay below the folder: a test leaves nothing in anybody's home.
                compile(
                    Command::new("go")
                        .args(["build", "-o"])
                        .arg(to)
                        .arg(from)
                        .current_dir(folder)
                        .env("GOCACHE", folder.join("go-cache"))
                        .env("GO111MODULE", "off")
                        .env("GOTOOLCHAIN", "local"),
                )?;
                Ok(Ready::of([to.into()]))
            }
            "rust" => {
                present("rustc", &["--version"])?;
                compile(
                    Command::new("rustc")
                        .args(["-g", "--edition", "2021", "-o"])
                        .arg(to)
                        .arg(from)
                        .current_dir(folder),
                )?;
                Ok(Ready {
                    env: vec![("RUST_BACKTRACE", "1")],
                    ..Ready::of([to.into()])
                })
            }
            "cpp" => {
                present("g++", &["--version"])?;
                compile(Command::new("g++").args(["-g", "-o"]).arg(to).arg(from))?;
                Ok(Ready::of([to.into()]))
            }
            "asan" => {
                present("g++", &["--version"])?;
                compile(
                    Command::new("g++")
                        .args(["-g", "-fsanitize=address", "-o"])
                        .arg(to)
                        .arg(from),
                )?;
                Ok(Ready {
                    // Whatever the machine has set: it is to abort as it does by default, and not to look for leaks.
                    env: vec![("ASAN_OPTIONS", "detect_leaks=0")],
                    ..Ready::of([to.into()])
                })
            }
            other => panic!("nobody knows how a program in {other} is started"),
        }
    }
}

/// Writes [`BACKGROUND`] to `folder` and returns what to start: a script whose child stays for `seconds`.
#[track_caller]
#[must_use]
pub fn background(folder: &Path, seconds: u64) -> Ready {
    let script = write(folder, "background.sh", BACKGROUND);
    Ready::of(["sh".into(), script.into(), seconds.to_string().into()])
}

#[track_caller]
fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    if let Err(e) = std::fs::write(&path, text) {
        panic!("{} cannot be written: {e}", path.display());
    }
    path
}

#[track_caller]
fn present(program: &str, args: &[&str]) -> Result<(), String> {
    lacks(program, args).map_or(Ok(()), Err)
}

/// What linkers say about a library that is not installed.
const NO_LIBRARY: [&str; 2] = ["cannot find -lasan", "cannot find libasan"];

#[track_caller]
fn compile(command: &mut Command) -> Result<(), String> {
    let out = match command.env("LC_ALL", "C").output() {
        Ok(out) => out,
        Err(e) => panic!("{command:?}: {e}"),
    };
    if out.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    match said
        .lines()
        .find(|line| NO_LIBRARY.iter().any(|words| line.contains(words)))
    {
        Some(line) => Err(line.to_owned()),
        None => panic!("{command:?} fails ({}): {said}", out.status),
    }
}
