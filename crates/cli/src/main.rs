//! `gonogo`: proves that a release is safe, then ships it, or holds it with reasons.

/// The agent allocates a few small things for each request; this allocator is measurably faster at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    gonogo_cli::run(std::env::args_os().collect())
}
