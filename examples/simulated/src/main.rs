//! The `simulated` binary: hands its arguments to the library and exits with what it answers.
//!
//! Everything is in the library, so that another binary can carry the same runtime as a subcommand.

fn main() -> std::process::ExitCode {
    let code = gonogo_simulated::main_with(&[], std::env::args_os().skip(1));
    std::process::ExitCode::from(code)
}
