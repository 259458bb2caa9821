#[cfg(test)]
mod tests {
    #[test]
    fn adds_more() {
        panic!("in the other package");
    }
}
