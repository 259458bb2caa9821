//! The `load` binary: hands its arguments to the library and exits with what it answers.

fn main() -> std::process::ExitCode {
    let code = gonogo_load::main_with(std::env::args_os().skip(1));
    std::process::ExitCode::from(u8::try_from(code).unwrap_or(70))
}
