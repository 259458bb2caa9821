fn main() { panic!("first line\nsecond line\n\nfourth line"); }
