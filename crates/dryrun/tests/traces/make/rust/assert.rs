fn main() { let two = std::env::args().count() + 1; assert_eq!(two, 3, "counting is hard"); }
