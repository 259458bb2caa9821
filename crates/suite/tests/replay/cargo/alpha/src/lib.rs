//! Adds.

/// Adds.
///
/// ```
/// assert_eq!(alpha::add(1, 1), 3, "in the documentation");
/// ```
pub fn add(a: u32, b: u32) -> u32 {
    a + b
}

#[cfg(test)]
mod tests {
    #[test]
    fn adds() {
        assert_eq!(super::add(1, 1), 2);
    }

    #[test]
    fn adds_more() {
        assert_eq!(super::add(1, 1), 3, "more");
    }

    #[test]
    fn adds_more_and_more() {
        assert_eq!(super::add(1, 1), 4, "and more");
    }

    #[test]
    #[should_panic]
    fn should_panic_and_does_not() {}

    #[cfg(feature = "extra")]
    #[test]
    fn only_with_the_feature() {
        panic!("the feature is on");
    }

    mod größe {
        #[test]
        fn r#match() {
            panic!("ungewöhnlich: {}", "größe");
        }
    }
}
