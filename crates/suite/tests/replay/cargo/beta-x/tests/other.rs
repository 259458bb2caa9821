//! A part of a small project whose failures are replayed.

#[test]
fn passes() {}
