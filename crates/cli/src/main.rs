//! `gonogo`.
fn main() {}
