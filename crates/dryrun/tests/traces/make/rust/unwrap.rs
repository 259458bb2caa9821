fn find(list: &[u32], n: u32) -> Option<usize> { list.iter().position(|x| *x == n) }
fn main() { println!("{}", find(&[1, 2], 3).unwrap()); }
