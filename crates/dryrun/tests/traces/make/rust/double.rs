struct Bomb;
impl Drop for Bomb { fn drop(&mut self) { panic!("in drop") } }
fn main() { let _bomb = Bomb; panic!("first"); }
