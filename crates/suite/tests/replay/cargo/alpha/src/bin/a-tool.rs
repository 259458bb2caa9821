fn main() {}

#[test]
fn adds_more() {
    panic!("in the tool");
}
