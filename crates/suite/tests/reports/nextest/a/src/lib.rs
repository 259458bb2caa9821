#[cfg(test)]
mod tests {
    #[test]
    fn passes() {
        println!("to stdout");
        eprintln!("to stderr");
    }

    #[test]
    fn fails() {
        assert_eq!(1 + 1, 3, "sums <&> \"quoted\"");
    }

    #[test]
    #[should_panic(expected = "boom")]
    fn should_panic() {
        panic!("boom");
    }

    #[test]
    #[should_panic(expected = "boom")]
    fn panics_otherwise() {
        panic!("bang");
    }

    #[test]
    #[ignore = "takes long"]
    fn ignored() {}

    #[test]
    fn result() -> Result<(), String> {
        Err("no luck".into())
    }
}
