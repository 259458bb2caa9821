fn main() { let v: Vec<u8> = vec![1; (1 << 47) + std::env::args().count()]; println!("{}", v[3]); }
