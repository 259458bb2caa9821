//! Plays one script and prints what the machine says. Argument: the script's path.
#![allow(clippy::print_stdout, reason = "an example prints")]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        match gonogo_testkit::scenario::run(&std::fs::read_to_string(&path)?) {
            Ok(said) => println!("{said}"),
            Err(e) => println!("{path}: {e}"),
        }
    }
    Ok(())
}
