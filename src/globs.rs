//! Lists of patterns as operators write them: `*-password-age, /break-glass/*`.

use wildmatch::WildMatch;

/// Comma-separated globs. `*` stands for any run of characters, `/` and `:`
/// included, `?` for one. Case does not matter, and white space around a
/// pattern is dropped.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Globs(Vec<WildMatch>);

impl Globs {
    /// Reads a list; empty items are passed over.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        let patterns = list.split(',').map(str::trim).filter(|pattern| !pattern.is_empty());
        Self(patterns.map(WildMatch::new_case_insensitive).collect())
    }

    /// Whether any of the patterns covers the whole of `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(text))
    }

    /// Whether there is no pattern at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
