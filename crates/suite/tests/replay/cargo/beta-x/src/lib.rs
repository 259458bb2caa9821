//! A part of a small project whose failures are replayed.

#[cfg(test)]
mod tests {
    #[test]
    fn adds_more() {
        panic!("in the other package");
    }
}
