//! `gonogo`: proves that a release is safe, then ships it, or holds it with reasons.

fn main() -> std::process::ExitCode {
    gonogo_cli::run(std::env::args_os().collect())
}
