//! A part of a small project whose failures are replayed.

fn main() {}

#[test]
fn adds_more() {
    panic!("in the tool");
}
