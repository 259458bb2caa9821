//! The `storefront` binary: hands its arguments to the library and exits with what it answers.
//!
//! Everything is in the library, so that another binary can carry the same service as a subcommand.

fn main() -> std::process::ExitCode {
    let code = gonogo_storefront::main_with(std::env::args_os().skip(1));
    std::process::ExitCode::from(u8::try_from(code).unwrap_or(70))
}
