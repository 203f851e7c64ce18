//! Finds the lines of a play that name a speaker.

/// Characters of the longest name. A longer line is a sentence.
const LONGEST_NAME: usize = 40;

/// Words that may be lower case in a name.
const PARTICLES: [&str; 4] = ["of", "the", "and", "to"];

/// Whether a line is a name and a colon: `ROMEO:`, `First Citizen:`, `Ghost of Prince Edward:`.
pub fn names_speaker(line: &str) -> bool {
    let Some(name) = line.trim_end().strip_suffix(':') else { return false };
    let is_short = name.chars().nth(LONGEST_NAME).is_none();
    let begins_large = name.starts_with(char::is_uppercase);
    is_short && begins_large && name.split(' ').all(belongs_to_name)
}

fn belongs_to_name(word: &str) -> bool {
    let is_spelled = word.chars().all(|character| character.is_alphabetic() || "'-.".contains(character));
    is_spelled && (word.starts_with(char::is_uppercase) || PARTICLES.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_headings() {
        for line in [
            "ROMEO:",
            "First Citizen:\n",
            "KING RICHARD III:",
            "Ghost of Prince Edward:",
            "DUKE OF AUMERLE:",
            "All:",
            "O'Neill-Smith Jr.:",
            "Nurse: ",
        ] {
            assert!(names_speaker(line), "{line:?}");
        }
    }

    #[test]
    fn verse_is_not() {
        for line in [
            "",
            ":",
            "\n",
            "ROMEO",
            "ROMEO: But soft",
            "Thus spoke the king:",
            "and then Caesar:",
            "of:",
            "Good Romeo, Juliet:",
            " ROMEO:",
            "ROMEO  JULIET:",
            "A Man Whose Very Long Name Goes On And On And On:",
        ] {
            assert!(!names_speaker(line), "{line:?}");
        }
    }
}
