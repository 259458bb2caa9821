#[test] fn it_adds() { assert_eq!(1 + 1, 3); }
fn main() {}
