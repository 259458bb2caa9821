//! A part of a small project whose failures are replayed.

mod inner {
    #[test]
    fn adds_more() {
        panic!("in the integration test");
    }
}

#[test]
fn adds_more() {
    panic!("at its top");
}

#[test]
fn returns_an_error() -> Result<(), String> {
    Err("no luck".into())
}
