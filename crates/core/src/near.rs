//! Did-you-mean: the one helper that proposes the nearest known word.

/// Returns the known word nearest to `word`, if it is near enough to be a likely slip.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| {
            (
                strsim::jaro_winkler(&word.to_lowercase(), &k.to_lowercase()),
                k,
            )
        })
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn proposes_slips_and_not_strangers() {
        assert_eq!(nearest("stgaes", ["stages", "soak"]), Some("stages"));
        assert_eq!(nearest("kubernetes", ["stages", "soak"]), None);
    }
}
