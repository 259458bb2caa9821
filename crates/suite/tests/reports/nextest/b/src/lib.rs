//! ```
//! assert_eq!(sample_b::one(), 2);
//! ```
pub fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    #[test]
    fn passes() {}
}
