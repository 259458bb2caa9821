//! Which of a run's artifacts its command runs.
//!
//! A sign-off is evidence about what ran, and a command can name a file that it never opens. What can be shown before the start is how
//! the command line is resolved: the program is the artifact, or a known interpreter is told to run it. An interpreter is known by where
//! it is installed and by what it is there, not by what it is called, and not while a variable is set that makes it run something
//! else first. The artifacts' digests are taken just before and again after the run. Invariant: in doubt an artifact is mentioned, and
//! not run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gonogo_core::Digest;
use gonogo_dryrun::spec::RunSpec;

/// An interpreter: the beginning of its name, its switches that take nothing and change nothing of what is run, the beginnings of
/// those that hold their value, and the switch that must stand before the file, if one must.
struct Interpreter {
    name: &'static str,
    /// What it may be where its links end.
    files: &'static [&'static str],
    /// Variables by which it runs other code than it is given; one that ends in `*` stands for all that begin so.
    hooks: &'static [&'static str],
    switches: &'static [&'static str],
    prefixes: &'static [&'static str],
    before: Option<&'static str>,
}

const INTERPRETERS: [Interpreter; 8] = [
    Interpreter {
        name: "python",
        files: &["python", "pypy"],
        hooks: &[
            "PYTHONPATH",
            "PYTHONHOME",
            "PYTHONSTARTUP",
            "PYTHONUSERBASE",
            "PYTHONEXECUTABLE",
            "PYTHONINSPECT",
            "PYTHONBREAKPOINT",
        ],
        switches: &[
            "-u", "-O", "-OO", "-B", "-E", "-s", "-S", "-I", "-P", "-b", "-q",
        ],
        prefixes: &[],
        before: None,
    },
    Interpreter {
        name: "node",
        files: &["node", "nodejs"],
        hooks: &["NODE_OPTIONS", "NODE_PATH"],
        switches: &[
            "--enable-source-maps",
            "--expose-gc",
            "--no-warnings",
            "--trace-uncaught",
        ],
        prefixes: &[
            "--max-old-space-size=",
            "--unhandled-rejections=",
            "--stack-size=",
        ],
        before: None,
    },
    Interpreter {
        name: "java",
        files: &["java"],
        hooks: &["JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"],
        switches: &["-server", "-ea", "-esa", "--enable-preview"],
        prefixes: &[
            "-Xmx",
            "-Xms",
            "-Xss",
            "-XX:+",
            "-XX:-",
            "-XX:Max",
            "-D",
            "--add-opens=",
            "--add-exports=",
            "--enable-native-access=",
        ],
        before: Some("-jar"),
    },
    Interpreter {
        name: "bash",
        files: &["bash"],
        hooks: &["BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "BASH_FUNC_*"],
        switches: &[
            "-e",
            "-u",
            "-x",
            "-eu",
            "-ex",
            "-eux",
            "--norc",
            "--noprofile",
            "--posix",
        ],
        prefixes: &[],
        before: None,
    },
    Interpreter {
        name: "sh",
        files: &["sh", "dash", "bash", "busybox", "ash"],
        hooks: &["BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "BASH_FUNC_*"],
        switches: &["-e", "-u", "-x", "-eu", "-ex", "-eux"],
        prefixes: &[],
        before: None,
    },
    Interpreter {
        name: "ruby",
        files: &["ruby"],
        hooks: &["RUBYOPT", "RUBYLIB"],
        switches: &["-w", "-W0", "-W1", "-W2", "-U"],
        prefixes: &[],
        before: None,
    },
    Interpreter {
        name: "perl",
        files: &["perl"],
        hooks: &["PERL5OPT", "PERL5LIB", "PERLLIB", "PERL5DB"],
        switches: &["-w", "-W", "-T", "-t"],
        prefixes: &[],
        before: None,
    },
    Interpreter {
        name: "dotnet",
        files: &["dotnet"],
        hooks: &[
            "DOTNET_STARTUP_HOOKS",
            "DOTNET_ADDITIONAL_DEPS",
            "CORECLR_*",
            "DOTNET_SHARED_STORE",
        ],
        switches: &["exec"],
        prefixes: &[],
        before: None,
    },
];

/// Where interpreters are installed for everybody; one elsewhere could be anything.
const INSTALLED: [&str; 7] = [
    "/usr/",
    "/bin/",
    "/sbin/",
    "/lib/",
    "/opt/",
    "/nix/store/",
    "/snap/",
];

/// Variables by which any program runs other code than its own.
const LOADER: [&str; 2] = ["LD_PRELOAD", "LD_AUDIT"];

/// Returns the digests of the artifacts that the command runs: as its program, or as the file that its interpreter is given.
pub(crate) fn executed(spec: &RunSpec) -> Vec<Digest> {
    let directory = Path::new(&spec.directory);
    let search = spec
        .environment
        .get("PATH")
        .map(std::ffi::OsString::from)
        .or_else(|| std::env::var_os("PATH"));
    let Some((program, arguments)) = spec.command.split_first() else {
        return Vec::new();
    };
    let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let set = |name: &String| {
        let said = spec.environment.get(name);
        said.map_or_else(
            || std::env::var_os(name).is_some_and(|value| !value.is_empty()),
            |value| !value.is_empty(),
        )
    };
    let variables: BTreeSet<String> = inherited
        .chain(spec.environment.keys().cloned())
        .filter(set)
        .collect();
    if has_any(&variables, &LOADER) {
        return Vec::new();
    }
    let found = program_path(program, directory, search.as_deref());
    let script = interpreter(program)
        .filter(|i| found.as_deref().is_some_and(|path| is_installed(i, path)))
        .filter(|i| !has_any(&variables, i.hooks))
        .and_then(|i| script(i, arguments))
        .and_then(|s| directory.join(s).canonicalize().ok());
    let run: Vec<PathBuf> = [found, script].into_iter().flatten().collect();
    let is_run = |path: &str| {
        let path = directory.join(path).canonicalize();
        path.is_ok_and(|path| run.contains(&path))
    };
    let artifacts = spec.artifacts.iter().filter(|a| is_run(&a.path));
    artifacts.map(|a| a.sha256).collect()
}

/// The file that is executed: with a `/` in its name as it is, else the first executable one of that name on the search path.
fn program_path(
    program: &str,
    directory: &Path,
    search: Option<&std::ffi::OsStr>,
) -> Option<PathBuf> {
    if program.contains('/') {
        return directory.join(program).canonicalize().ok();
    }
    std::env::split_paths(search?)
        .map(|place| directory.join(place).join(program))
        .find(|path| is_executable(path))
        .and_then(|path| path.canonicalize().ok())
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let meta = std::fs::metadata(path);
    meta.is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// Whether a variable is set that is named, or begins as named.
fn has_any(set: &BTreeSet<String>, names: &[&str]) -> bool {
    set.iter().any(|variable| {
        names.iter().any(|name| match name.strip_suffix('*') {
            Some(beginning) => variable.starts_with(beginning),
            None => variable == name,
        })
    })
}

/// A name without its version: python3, python3.11, ruby2.7.
fn bare(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}

/// The interpreter that goes by the program's name.
fn interpreter(program: &str) -> Option<&'static Interpreter> {
    let name = Path::new(program).file_name()?.to_str()?;
    INTERPRETERS.iter().find(|i| i.name == bare(name))
}

/// Whether the file that is executed is that interpreter, as it is installed for everybody: anybody can call a file `python3`.
fn is_installed(known: &Interpreter, path: &Path) -> bool {
    let (Some(whole), Some(name)) = (path.to_str(), path.file_name().and_then(|n| n.to_str()))
    else {
        return false;
    };
    INSTALLED.iter().any(|place| whole.starts_with(place)) && known.files.contains(&bare(name))
}

/// The file that a known interpreter is told to run. Any switch that is not known to be harmless makes it unknown.
fn script<'a>(known: &Interpreter, arguments: &'a [String]) -> Option<&'a str> {
    let mut rest = arguments.iter().map(String::as_str);
    loop {
        let argument = rest.next()?;
        if Some(argument) == known.before {
            return rest.next();
        }
        let is_harmless = known.switches.contains(&argument)
            || known.prefixes.iter().any(|p| argument.starts_with(p));
        if !is_harmless {
            let is_file = known.before.is_none() && !argument.starts_with('-');
            return is_file.then_some(argument);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_file_that_an_interpreter_runs_is_its_script() {
        for (line, expected) in [
            ("python3 app.py --config x", Some("app.py")),
            ("/usr/bin/python3.11 -u -O app.py", Some("app.py")),
            ("python3 -c print() app.py", None),
            ("python3 -m app app.py", None),
            ("python3 -W ignore app.py", None),
            ("python3", None),
            ("pythonic app.py", None),
            ("node --max-old-space-size=64 app.js", Some("app.js")),
            ("node -e 1 app.js", None),
            ("node --eval=1 app.js", None),
            (
                "java -Xmx1g -Dx=y -jar app.jar -jar other.jar",
                Some("app.jar"),
            ),
            ("java -cp app.jar Main", None),
            ("java app.jar", None),
            ("java -jar", None),
            ("java -Xbootclasspath/a:other.jar -jar app.jar", None),
            ("java -XX:VMOptionsFile=x -jar app.jar", None),
            ("sh -eu run.sh", Some("run.sh")),
            ("sh -c true run.sh", None),
            ("sh -s run.sh", None),
            ("bash -lc ./run.sh run.sh", None),
            ("dotnet app.dll", Some("app.dll")),
            ("env ./app", None),
            ("cat app.py", None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let found = interpreter(&words[0]).and_then(|i| script(i, &words[1..]));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn an_interpreter_is_what_is_installed_and_not_what_is_called_so() {
        for (name, path, expected) in [
            ("python3", "/usr/bin/python3.11", true),
            ("python3", "/usr/local/bin/python3", true),
            ("python3", "/usr/bin/true", false),
            ("python3", "/usr/bin/env", false),
            ("python3", "/home/me/fake/python3", false),
            ("python3", "/tmp/usr/bin/python3", false),
            ("sh", "/usr/bin/dash", true),
            ("bash", "/usr/bin/dash", false),
            ("perl", "/usr/bin/perl5.36", true),
        ] {
            let known = interpreter(name).unwrap();
            assert_eq!(is_installed(known, Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn a_program_is_found_as_the_system_finds_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for (name, mode) in [("a/tool", 0o644), ("b/tool", 0o755)] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "x").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let search = std::env::join_paths([root.join("a"), root.join("b")]).unwrap();
        let find = |name: &str| program_path(name, &root, Some(&search));
        assert_eq!(find("tool"), Some(root.join("b/tool")));
        assert_eq!(find("./a/tool"), Some(root.join("a/tool")));
        assert_eq!(find("nothing"), None);
        assert_eq!(program_path("tool", &root, None), None);
    }
}
