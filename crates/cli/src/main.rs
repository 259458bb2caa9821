//! `gonogo`: proves that a release is safe, then ships it, or holds it with reasons.

/// The agent allocates a few small things for each request; this allocator is measurably faster at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    // A part of a dry run, started by another one: before anything else, while there is one thread.
    if let Some(code) = args.get(1..).and_then(gonogo_capture::entry) {
        return std::process::ExitCode::from(u8::try_from(code).unwrap_or(70));
    }
    gonogo_cli::run(args)
}
