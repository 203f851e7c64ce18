//! Tokens and probabilities for people.

/// A probability for people.
pub fn percent(probability: f64) -> String {
    match probability * 100.0 {
        0.0 => "0".to_string(),
        percent if percent >= 10.0 => format!("{percent:.0} %"),
        percent if percent >= 0.1 => format!("{percent:.1} %"),
        _ => "< 0.1 %".to_string(),
    }
}

/// A token's text with blanks that can be seen.
pub fn shown(text: &str) -> String {
    text.replace('\n', "↵").replace('\t', "⇥").replace(' ', "␣")
}
